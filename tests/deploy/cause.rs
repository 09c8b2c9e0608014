//! What stands in the way is named, and what serves is left alone.

use std::net::TcpListener;

use super::harness::{Deployment, StackFile, each, eventually, text};

/// A service that does nothing, from an image that can be broken, on a port that can be taken.
fn small(prefix: &str) -> StackFile {
    let dockerfile = "ARG DEBIAN_IMAGE\nFROM $DEBIAN_IMAGE\nARG CONTENT\n\
         RUN [ $CONTENT = 1 ] || { echo the compiler is not amused; exit 9; }\n";
    StackFile::alone(prefix, dockerfile, "[deploy]\nsoak = \"${SOAK:-0s}\"\n")
        .with("services.app.ports", vec!["127.0.0.1:${PORT:-0}:80"])
        .with("services.app.environment.VARIANT", "${VARIANT:-first}")
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn what_fails_where_something_serves_and_a_lock_that_is_taken_away() {
    let prefix = format!("t-{:08x}", rand::random::<u32>());
    let stack = Deployment::of(small(&prefix));

    let somebody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = somebody
        .local_addr()
        .expect("an address")
        .port()
        .to_string();
    let taken = [
        &port,
        "address already in use",
        "hint: another program holds the port",
    ];
    let answer = stack.call(&["up"]).env("PORT", &port).ends_with(4).await;
    answer.says(&taken);

    let first = stack.call(&["up"]).json().await;
    let serves = async || {
        let containers = stack.engine.containers(&stack.project).await;
        let name = each(&first, "app", "name").remove(0);
        assert_eq!(containers.len(), 1, "{containers:?}");
        assert_eq!(containers[&name], "running");
    };
    // The old one stops first, and is brought back.
    let answer = stack.call(&["up"]).env("PORT", &port).ends_with(4).await;
    answer.says(&taken);
    answer.says(&["undone: everything is as it was before"]);
    serves().await;
    // A probe that nobody answers says nothing of the old one.
    let never = small(&prefix)
        .with("services.app.healthcheck.tcp.port", 81)
        .with("deploy.ready_timeout", "2s");
    let answer = stack
        .call_by(&never.path(), &["up"])
        .env("VARIANT", "never");
    let answer = answer.ends_with(4).await;
    answer.says(&["was not ready within 2s", "undone: everything is as it was"]);
    serves().await;

    let broken = stack.call(&["up"]).env("CONTENT", "wrong");
    let answer = broken.ends_with(4).await;
    answer.says(&["the compiler is not amused", "app"]);
    let status = stack.call(&["status"]).json().await;
    assert_eq!(each(&status, "app", "name"), each(&first, "app", "name"));
    assert_eq!(status["release"], first["release"]);

    // An operator takes the lock from a run that hangs; the run begins nothing any more.
    let hanging = stack
        .call(&["up"])
        .env("VARIANT", "second")
        .env("SOAK", "10m");
    let hanging = hanging.start();
    let held = async || stack.call(&["lock", "status"]).json().await["held"] == true;
    eventually("the lock is held", async || held().await.then_some(())).await;
    let why = "the build agent hangs";
    let release = ["lock", "release", "--force", "--reason", why];
    let answer = stack.call(&release).ends_with(0).await;
    answer.says(&["hint: the next `sysndd-deploy up` or `rollback`"]);
    let answer = hanging.end().await;
    assert_eq!(answer.code, Some(5), "{answer}");
    let audit = stack.call(&["audit"]).json().await;
    assert!(audit.to_string().contains(why), "{audit:#}");
    let next = stack
        .call(&["up"])
        .env("VARIANT", "second")
        .ends_with(0)
        .await;
    next.says(&["was cut off"]);
    let status = stack
        .call(&["status"])
        .env("VARIANT", "second")
        .json()
        .await;
    assert_eq!(each(&status, "app", "name").len(), 1, "{status:#}");
    assert_ne!(text(&status["release"]), text(&first["release"]));

    let engine = stack.engine.clone();
    drop(stack);
    engine.remove_images(&prefix).await;
}
