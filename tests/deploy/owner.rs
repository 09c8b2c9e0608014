//! The user that the application runs as is a build-arg of its image.

use super::harness::{Deployment, StackFile, each, replicas};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn another_uid_and_gid_reach_the_process_and_its_data_directory() {
    let file = StackFile::shipped()
        .with("services.api.build.uid", 1234)
        .with("services.api.build.gid", 2345)
        .with("services.api.replicas", 2);
    let stack = Deployment::of(file);
    let up = stack.call(&["up"]).json().await;
    assert_eq!(replicas(&up, "api").len(), 2);
    for name in each(&up, "api", "name") {
        let who = ["sh", "-c", "id -u; id -g; stat -c %u:%g /app/data"];
        assert_eq!(
            stack.engine.exec(&name, &who).await,
            (0, "1234\n2345\n1234:2345\n".to_owned())
        );
        let user = stack
            .engine
            .inspect(&name)
            .await
            .config
            .and_then(|config| config.user);
        assert_eq!(user.as_deref(), Some("1234:2345"), "the image says so");
    }
    let report = stack.call(&["verify"]).report().await;
    report.passes().naming("data.owner", "user 1234");
}
