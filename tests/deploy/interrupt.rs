//! `up` that is cut off in the middle, politely or not: running it again finishes the job.

use rustix::process::Signal;

use serde_json::Value;

use super::harness::{Deployment, StackFile, each, eventually, replicas, text};

/// A stack of its own, of a service that is built and one that is not. What is in the image is a build
/// argument; the build of what begins with `slow` takes a while, the first time.
fn small(prefix: &str) -> StackFile {
    let dockerfile = "ARG DEBIAN_IMAGE\nFROM $DEBIAN_IMAGE\nARG CONTENT\n\
                      RUN case \"$CONTENT\" in slow*) sleep 4;; esac; echo $CONTENT > /content\n";
    let beside = "[services.beside]\nbase = \"debian\"\ncommand = [\"sleep\", \"600\"]\n\
                  stop_grace_period = \"100ms\"\n[deploy]\nsoak = \"0s\"\n";
    StackFile::alone(prefix, dockerfile, beside)
}

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
    // A terminal that is closed is told like Ctrl-C.
    for signal in [Signal::INT, Signal::HUP] {
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

/// Name of the point before the first operation of this kind.
fn before(plan: &Value, action: &str) -> String {
    let operations = plan["operations"].as_array().expect("operations");
    let index = operations
        .iter()
        .position(|operation| operation["action"] == action);
    let number = index.unwrap_or_else(|| panic!("nothing to {action}: {plan:#}")) + 1;
    format!("{action} {number}/{} begins", operations.len())
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn what_was_cut_off_after_it_was_proven_is_finished_though_what_came_next_was_undone() {
    let prefix = format!("t-{:08x}", rand::random::<u32>());
    let stack = Deployment::of(small(&prefix));
    let up = |content: &str| stack.call(&["up"]).env("CONTENT", content);
    let release_of = async |index: usize| {
        let known = stack.call(&["releases"]).json().await;
        known["releases"][index].clone()
    };
    let first = up("1").with(&["--verify"]).json().await;
    assert_eq!(first["verify"]["verdict"], "pass", "{first:#}");
    assert_eq!(release_of(0).await["verified"], true);

    // What ends while an image is built is started again.
    let mut running = up(&format!("slow {prefix}")).start();
    running.hears("RUN").await;
    let beside = &each(&first, "beside", "name")[0];
    stack.engine.signal(beside, "KILL").await;
    let slow = running.end().await;
    assert_eq!(slow.code, Some(0), "{slow}");
    let status = stack.call(&["status"]).json().await;
    assert_eq!(each(&status, "beside", "state"), ["running"]);

    stack
        .call(&["build"])
        .env("CONTENT", "2")
        .ends_with(0)
        .await;
    let plan = stack.call(&["plan"]).env("CONTENT", "2").json().await;
    let cut = up("2")
        .env("SYSNDD_DEPLOY_DIE_AT", &before(&plan, "stop"))
        .run()
        .await;
    assert_eq!(cut.code, None, "{cut}");
    let broken = small(&prefix).with("services.app.command", vec!["/no/such/program"]);
    let undone = stack
        .call_by(&broken.path(), &["up"])
        .env("CONTENT", "2")
        .ends_with(4)
        .await;
    undone.says(&["was cut off", "undone: everything is as it was before"]);
    assert_eq!(release_of(0).await["status"], "undone");
    assert_eq!(release_of(1).await["status"], "unfinished", "it serves");
    let finished = up("2").ends_with(0).await;
    finished.says(&["was cut off"]);
    assert_eq!(release_of(1).await["status"], "running");
    stack
        .call(&["restart", "app"])
        .env("CONTENT", "2")
        .ends_with(0)
        .await;

    // What is taken down is dealt with, and one does not go back to what was only tried.
    let plan = stack
        .call(&["plan", "--force"])
        .env("CONTENT", "2")
        .json()
        .await;
    let cut = stack
        .call(&["up", "--force"])
        .env("CONTENT", "2")
        .env("SYSNDD_DEPLOY_DIE_AT", &before(&plan, "start"))
        .run()
        .await;
    assert_eq!(cut.code, None, "{cut}");
    stack.call(&["down"]).ends_with(0).await;
    let known = stack.call(&["releases"]).json().await;
    assert_eq!(known["interrupted"], Value::Null);
    assert_eq!(known["releases"][0]["status"], "undone");
    let tried = ["rollback", &text(&known["releases"][0]["id"])];
    let refused = stack.call(&tried).env("CONTENT", "2").ends_with(6).await;
    refused.says(&["was never brought up to its end"]);

    let engine = stack.engine.clone();
    drop(stack);
    engine.remove_images(&prefix).await;
}
