//! The engine restarts, the host loses its power, the disk is full: with the stack up, and in the
//! middle of a deployment. On an engine of the tests' own.

use std::time::Instant;

use super::harness::{self, SecondEngine, eventually, replicas};

/// Until a replica of this variant answers through the edge, with nobody's help; counted from the
/// engine's first answer.
async fn is_back(engine: &SecondEngine, variant: &str, what: &str) {
    let answers = async || engine.variant().await.as_deref() == Some(variant);
    harness::is_back(what, Instant::now(), answers).await;
}

/// All is there once, ready, of this variant, and nothing is left to do.
async fn is_right(engine: &SecondEngine, variant: &str) {
    let status = engine.call(variant, &["status"]).json().await;
    for (service, count) in [("app", 4), ("listener", 1), ("web", 1)] {
        let all = replicas(&status, service);
        assert_eq!(all.len(), count, "{status:#}");
        assert!(
            all.iter().all(|replica| replica["ready"] == true),
            "{status:#}"
        );
    }
    let containers = engine.engine().await.containers(&engine.project).await;
    assert_eq!(containers.len(), 6, "nothing is left over: {containers:?}");
    assert_eq!(engine.variant().await.as_deref(), Some(variant));
    engine
        .call(variant, &["plan", "--exit-code"])
        .ends_with(0)
        .await;
}

/// Until old and new replicas run beside each other.
async fn side_by_side(engine: &SecondEngine) {
    let client = engine.engine().await;
    let begins = format!("{}-app-", engine.project);
    eventually("old and new replicas run side by side", async || {
        let containers = client.containers(&engine.project).await;
        let running = containers
            .iter()
            .filter(|(name, state)| name.starts_with(&begins) && *state == "running");
        (running.count() == 8).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_page_is_back_by_itself_when_the_engine_or_the_host_restarts() {
    let mut engine = SecondEngine::start().await;
    engine.call("first", &["up"]).ends_with(0).await;
    is_right(&engine, "first").await;

    engine.stop().await;
    assert_eq!(engine.variant().await, None, "it was not away");
    engine.go_on().await;
    is_back(&engine, "first", "the page after the engine was restarted").await;

    // The engine starts what ran in an order of its own, another every time.
    for _ in 0..2 {
        engine.lose_power().await;
        assert_eq!(engine.variant().await, None, "it was not away");
        engine.go_on().await;
        is_back(&engine, "first", "the page after a power cut").await;
    }
    is_right(&engine, "first").await;

    // Here it is nobody else's.
    let pruned = engine
        .call("first", &["prune", "--build-cache"])
        .json()
        .await;
    assert!(pruned["build_cache_bytes"].is_u64(), "{pruned:#}");
    is_right(&engine, "first").await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_deployment_in_which_the_engine_restarts_ends_with_its_cause_and_is_dealt_with() {
    let mut engine = SecondEngine::start().await;
    engine.call("first", &["up"]).ends_with(0).await;

    // The engine restarts; the same command finishes.
    let running = engine
        .call("second", &["up"])
        .env("LIGHT_SOAK", "60s")
        .start();
    side_by_side(&engine).await;
    engine.stop().await;
    let answer = running.end().await;
    assert!(matches!(answer.code, Some(3..=5)), "{answer}");
    answer.says(&["error: ", "hint: "]);
    engine.go_on().await;
    is_back(&engine, "first", "the old release after a restart").await;
    let finished = engine.call("second", &["up"]).ends_with(0).await;
    finished.says(&["was cut off", "operations done"]);
    is_right(&engine, "second").await;

    // The host loses its power, and the program with it; the way back.
    let running = engine
        .call("third", &["up"])
        .env("LIGHT_SOAK", "60s")
        .start();
    side_by_side(&engine).await;
    running.signal(rustix::process::Signal::KILL);
    engine.lose_power().await;
    running.end().await;
    engine.go_on().await;
    is_back(&engine, "second", "the old release after a power cut").await;
    let looked = engine.call("third", &["status"]).ends_with(0).await;
    looked.says(&["was cut off"]);
    let undone = engine.call("third", &["rollback"]).ends_with(0).await;
    undone.says(&["was cut off", "operations done"]);
    is_right(&engine, "second").await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_full_disk_is_named_and_the_old_release_serves_on() {
    let engine = SecondEngine::of_size(700).await;
    engine.call("first", &["up"]).ends_with(0).await;

    // Full before it begins.
    let full = engine.fill();
    let answer = engine.call("second", &["up"]).ends_with(4).await;
    answer.says(&["no space left on device", "disk is full"]);
    assert_eq!(engine.variant().await.as_deref(), Some("first"));
    drop(full);
    is_right(&engine, "first").await;

    // Full in the middle of it.
    let running = engine
        .call("second", &["up"])
        .env("LIGHT_SOAK", "40s")
        .start();
    side_by_side(&engine).await;
    let full = engine.fill();
    let answer = running.end().await;
    assert_eq!(answer.code, Some(4), "{answer}");
    answer.says(&["no space left on device", "disk is full"]);
    assert!(engine.variant().await.is_some(), "nobody serves");
    drop(full);
    engine.call("second", &["up"]).ends_with(0).await;
    is_right(&engine, "second").await;
}
