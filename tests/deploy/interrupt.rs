//! `up` that is cut off in the middle, politely or not: running it again finishes the job.

use rustix::process::Signal;

use super::harness::{Deployment, StackFile, eventually, replicas, text};

/// Waits until a container of this service has come to this state.
/// Who looks from outside may miss how it came to its state: one that is further is as good.
async fn until(stack: &Deployment, service: &str, state: &str) {
    let begins = format!("{}-{service}-", stack.project);
    eventually(
        &format!("a container of {service} that is {state}"),
        async || {
            let containers = stack.engine.containers(&stack.project).await;
            containers
                .iter()
                .any(|(name, now)| name.starts_with(&begins) && (now == state || now == "running"))
                .then_some(())
        },
    )
    .await;
}

/// `up` finishes, once, and all is proven.
async fn finishes(stack: &Deployment) {
    let up = stack.call(&["up"]).json().await;
    assert_eq!(up["changed"], true);
    for (service, count) in [("api", 4), ("db", 1), ("listener", 1), ("web", 1)] {
        let all = replicas(&up, service);
        assert_eq!(all.len(), count, "{service}: {all:?}");
        assert!(
            all.iter().all(|replica| replica["ready"] == true),
            "{service}: {all:?}"
        );
    }
    assert_eq!(
        stack.engine.containers(&stack.project).await.len(),
        7,
        "nothing is left over"
    );
    stack.call(&["verify"]).report().await.passes();
    assert_eq!(stack.call(&["up"]).json().await["changed"], false);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_interrupted_up_says_what_stands_and_can_be_finished() {
    let stack = Deployment::shipped();
    // Images are there before, so that the interruption does not fall into a build.
    stack.call(&["build"]).ends_with(0).await;
    for signal in [Signal::INT, Signal::TERM] {
        let running = stack.call(&["up"]).start();
        until(&stack, "db", "running").await;
        running.signal(signal);
        let answer = running.end().await;
        assert_eq!(answer.code, Some(130), "{answer}");
        answer.says(&[
            "error: interrupted\n",
            " operations were done; now: api 0/4 ready, db ",
            "run the same command again",
        ]);
        assert_eq!(answer.stdout, "");
        let up = stack.engine.containers(&stack.project).await;
        assert!(
            up.keys().any(|name| name.contains("-db-")),
            "it was said to stand: {up:?}"
        );
        if signal == Signal::INT {
            // The next one begins from nothing again.
            stack.call(&["down", "--volumes"]).ends_with(0).await;
        }
    }
    finishes(&stack).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_killed_up_can_be_finished_from_whatever_it_left() {
    let stack = Deployment::shipped();
    stack.call(&["build"]).ends_with(0).await;
    // At three moments of one fresh start: half created, all created, the database up.
    for (service, state) in [("db", "created"), ("api", "created"), ("db", "running")] {
        let running = stack.call(&["up"]).start();
        until(&stack, service, state).await;
        running.signal(Signal::KILL);
        assert_eq!(running.end().await.code, None, "a signal ends it");
    }
    finishes(&stack).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_replacement_that_was_killed_half_way_is_finished() {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let changed = StackFile::shipped().with("services.api.environment.SYSNDD_MIGRATE_WAIT", "600s");
    let running = stack.call_by(&changed.path(), &["up"]).start();
    let gone = &replicas(&first, "api")[0]["name"];
    eventually("an old replica that is gone", async || {
        let containers = stack.engine.containers(&stack.project).await;
        (!containers.contains_key(gone.as_str()?)).then_some(())
    })
    .await;
    running.signal(Signal::KILL);
    running.end().await;

    let up = stack.call_by(&changed.path(), &["up"]).json().await;
    assert_ne!(up["release"], first["release"]);
    assert!(
        replicas(&up, "api")
            .iter()
            .all(|replica| replica["release"] == up["release"])
    );
    assert_eq!(stack.engine.containers(&stack.project).await.len(), 7);
    assert!(text(&up["url"]).starts_with("http://127.0.0.1:"));
    stack
        .call_by(&changed.path(), &["verify"])
        .report()
        .await
        .passes();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn nothing_old_ends_before_it_is_on_record_that_all_new_is_proven() {
    let stack = Deployment::shipped();
    stack.call(&["up"]).ends_with(0).await;
    let changed = StackFile::shipped().with("services.api.environment.SYSNDD_MIGRATE_WAIT", "600s");
    let up = stack
        .call_by(&changed.path(), &["up"])
        .env("SYSNDD_DEPLOY_DIE_AT", "list")
        .ends_with(0)
        .await;
    let lines = up.stderr.lines();
    let points: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("point: "))
        .collect();
    let stops = |point: &&str| point.starts_with("stop ") && point.ends_with(" begins");
    let stop = points.iter().position(stops).expect("old replicas stop");
    let ended = |point: &&str| point.ends_with(" has ended");
    let proven = points[..stop]
        .iter()
        .rposition(ended)
        .expect("new replicas");
    let is_record = |point: &&str| point.starts_with("record ") && point.ends_with(" is written");
    assert!(points[proven..stop].iter().any(is_record), "{points:#?}");
}
