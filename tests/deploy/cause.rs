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
async fn a_taken_port_a_broken_build_and_a_lock_that_is_taken_away() {
    let prefix = format!("t-{:08x}", rand::random::<u32>());
    let stack = Deployment::of(small(&prefix));

    let somebody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = somebody
        .local_addr()
        .expect("an address")
        .port()
        .to_string();
    let answer = stack.call(&["up"]).env("PORT", &port).ends_with(4).await;
    answer.says(&[
        &port,
        "address already in use",
        "hint: another program holds the port",
    ]);

    let first = stack.call(&["up"]).json().await;
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
