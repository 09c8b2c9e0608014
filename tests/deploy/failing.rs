//! A deployment that cannot work: the message has what is needed to mend it, and mending it is
//! enough.

use std::os::unix::fs::PermissionsExt as _;

use super::harness::{Deployment, StackFile, replicas};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_replica_that_cannot_start_is_shown_with_its_last_words() {
    let stack = Deployment::shipped();
    let broken = StackFile::shipped().with("services.api.environment.SYSNDD_MIGRATE", "nonsense");
    let answer = stack.call_by(&broken.path(), &["up"]).ends_with(4).await;
    assert_eq!(answer.stdout, "");
    answer.says(&[
        &format!("error: await ready {}-api-", stack.project),
        "ended with exit code 2 before it was ready",
        "its last output:",
        "must be auto, check or off",
        "db 1/1 ready",
        "hint: ",
    ]);
    let report = stack.call_by(&broken.path(), &["verify"]).report().await;
    report.fails(&["replicas.ready", "migration.ledger-complete", "web.index"]);

    let up = stack.call(&["up"]).json().await;
    assert!(
        replicas(&up, "api")
            .iter()
            .all(|replica| replica["ready"] == true)
    );
    stack.call(&["verify"]).report().await.passes();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_replica_that_is_never_ready_is_told_with_its_last_answer() {
    let file = StackFile::shipped()
        .with(
            "services.api.environment.SYSNDD_DATABASE_URL",
            "mysql://sysndd:another-one-than-that@db:3306/sysndd",
        )
        .with("services.api.replicas", 1)
        .with("deploy.ready_timeout", "30s");
    let stack = Deployment::of(file);
    let answer = stack.call(&["up"]).ends_with(4).await;
    answer.says(&[
        &format!("{}-api-", stack.project),
        "ready",
        "its last output:",
        "Access denied",
    ]);
    assert!(
        !answer.stderr.contains("sysndd:another-one"),
        "a password is shown: {answer}"
    );
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_bind_mount_of_another_owner_is_refused_with_the_command_that_mends_it() {
    let file = StackFile::shipped();
    let directory = file.directory().join("data");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let source = directory.display().to_string();
    let mount = vec![format!("{source}:/app/data")];
    let stack = Deployment::of(file.with("services.api.volumes", mount));

    let answer = stack.call(&["up"]).ends_with(2).await;
    answer.says(&[&source, &format!("chown 1000:1000 {source}")]);
    assert_eq!(
        stack.engine.resources(&stack.project).await,
        [""; 0],
        "nothing was touched"
    );

    std::os::unix::fs::chown(&directory, Some(1000), Some(1000)).expect("as the message says");
    stack.call(&["up"]).ends_with(0).await;
    stack.call(&["verify"]).report().await.passes();
}
