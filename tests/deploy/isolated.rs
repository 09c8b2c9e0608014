//! `verify --fresh`: a copy that shares nothing with the live stack and leaves nothing behind.

use super::harness::{Deployment, StackFile};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_fresh_copy_is_proven_removed_and_never_touches_the_live_stack() {
    let stack = Deployment::shipped();
    stack.call(&["up"]).ends_with(0).await;
    let (before, resources) = (
        stack.engine.lives(&stack.project).await,
        stack.engine.resources(&stack.project).await,
    );

    let report = stack.call(&["verify", "--fresh"]).report().await;
    report.passes();
    assert_eq!(
        report.ids("skip"),
        ["mail.captured", "backup.recent", "backup.roundtrip"],
        "a fresh copy can prove everything that it has; the catcher is of the development profile, and the first backup is due within a day"
    );
    assert_eq!(report.check("migration.fast-path")["verdict"], "pass");
    assert_eq!(
        report.check("migration.single-applier")["evidence"]["lock_acquired"],
        1
    );
    let copy = report.json["project"].as_str().expect("a project");
    assert!(
        copy.starts_with(&format!("{}-fresh", stack.project)),
        "{copy}"
    );

    assert_eq!(stack.engine.lives(&stack.project).await, before);
    // By the beginning of the project's name, so this would find the copy's as well.
    assert_eq!(stack.engine.resources(&stack.project).await, resources);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn sixteen_replicas_on_an_empty_database_have_one_applier() {
    // Two cores need their time for sixteen starts.
    // The file says so, and shares the connections of the database among them.
    let stack = Deployment::of(StackFile::shipped().with("services.api.replicas", 16));
    let report = stack.call(&["verify", "--fresh"]).report().await;
    report.passes();
    let timeline = report.json["timeline"]["replicas"]
        .as_array()
        .expect("a timeline");
    assert_eq!(
        timeline
            .iter()
            .filter(|line| line["ready"].is_string())
            .count(),
        16
    );
    assert_eq!(
        timeline
            .iter()
            .filter(|line| line["migration"] == "applied")
            .count(),
        1
    );
    assert_eq!(
        report.check("migration.single-applier")["evidence"]["lock_acquired"],
        1
    );
    assert_eq!(stack.engine.resources(&stack.project).await, [""; 0]);
}
