//! Releases are remembered, and one can go back to them; a run that was killed is dealt with.

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{Deployment, Load, StackFile, each, eventually, replicas, text};

const PATHS: &[&str] = &["/api/health/ready", "/"];

fn with_wait(value: &str) -> StackFile {
    StackFile::shipped()
        .with("services.api.environment.SYSNDD_MIGRATE_WAIT", value)
        .with("deploy.soak", "500ms")
}

async fn releases(stack: &Deployment) -> Vec<Value> {
    let answer = stack.call(&["releases"]).json().await;
    answer["releases"].as_array().expect("releases").clone()
}

async fn wait_of(stack: &Deployment, container: &str) -> Option<String> {
    let config = stack.engine.inspect(container).await.config;
    let variables = config.and_then(|config| config.env).expect("variables");
    variables
        .iter()
        .find_map(|variable| variable.strip_prefix("SYSNDD_MIGRATE_WAIT="))
        .map(str::to_owned)
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn rollback_brings_the_newest_verified_release_back_without_a_failed_request() {
    let stack = Deployment::shipped();
    let nothing = stack.call(&["rollback"]).ends_with(6).await;
    nothing.says(&["nothing was released yet"]);
    let first = stack.call(&["up"]).json().await;
    stack.call(&["rollback"]).ends_with(6).await;
    stack.call(&["verify"]).report().await.passes();

    // The second is verified, the third is not.
    let second = with_wait("601s");
    stack
        .call_by(&second.path(), &["up", "--message", "more patience"])
        .ends_with(0)
        .await;
    // As a whole, the checks of how quick something is included: on a busy machine, later.
    eventually("a verified second release", async || {
        let report = stack.call_by(&second.path(), &["verify"]).report().await;
        (report.passes().json["verdict"] == "pass").then_some(())
    })
    .await;
    let third = with_wait("602s");
    let before = stack.call_by(&third.path(), &["up"]).json().await;

    let load = Load::on(&text(&before["url"]), PATHS);
    load.more(50).await;
    let plan = stack
        .call_by(&third.path(), &["rollback", "--plan"])
        .ends_with(0)
        .await;
    assert!(
        plan.stdout.contains("its configuration or image changed"),
        "{plan}"
    );
    let back = stack.call_by(&third.path(), &["rollback"]).json().await;
    load.more(50).await;
    load.was_answered().await;
    let api = each(&back, "api", "name");
    assert_eq!(api.len(), 4);
    assert_eq!(wait_of(&stack, &api[0]).await.as_deref(), Some("601s"));
    assert_eq!(each(&back, "db", "name"), each(&first, "db", "name"));

    let all = releases(&stack).await;
    let ids: Vec<String> = all.iter().map(|release| text(&release["id"])).collect();
    assert_eq!(all.len(), 4, "{all:#?}");
    assert_eq!(text(&back["release"]), ids[0]);
    assert_eq!(all[0]["status"], "running");
    assert_eq!(all[2]["message"], "more patience");
    // Named, also one that was not the newest verified.
    let named = stack
        .call_by(&third.path(), &["rollback", &ids[3]])
        .json()
        .await;
    let api = each(&named, "api", "name");
    assert_eq!(wait_of(&stack, &api[0]).await, None);
    let audit = stack.call(&["audit"]).ends_with(0).await;
    // The first rollback had nothing to go to.
    for command in ["rollback", "more patience", "refused"] {
        assert!(audit.stdout.contains(command), "{audit}");
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_killed_release_is_explained_and_finished_by_the_next_up() {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let load = Load::on(&text(&first["url"]), PATHS);
    let changed = with_wait("601s").with("deploy.soak", "60s");
    let running = stack.call_by(&changed.path(), &["up"]).start();
    side_by_side(&stack).await;
    running.signal(Signal::KILL);
    running.end().await;

    let quick = with_wait("601s");
    let finished = stack.call_by(&quick.path(), &["up"]).ends_with(0).await;
    finished.says(&["was cut off", "operations done"]);
    load.more(50).await;
    load.was_answered().await;
    assert_eq!(stack.engine.containers(&stack.project).await.len(), 7);
    let status = stack.call_by(&quick.path(), &["status"]).json().await;
    assert_eq!(replicas(&status, "api").len(), 4);
    // It is dealt with: nobody hears of it again.
    let again = stack.call_by(&quick.path(), &["up"]).ends_with(0).await;
    assert!(!again.stderr.contains("was cut off"), "{again}");
    stack
        .call_by(&quick.path(), &["verify"])
        .report()
        .await
        .passes();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_killed_release_that_cannot_be_finished_is_undone_to_what_served_before_it() {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let load = Load::on(&text(&first["url"]), PATHS);
    let changed = with_wait("601s").with("deploy.soak", "60s");
    let running = stack.call_by(&changed.path(), &["up"]).start();
    side_by_side(&stack).await;
    running.signal(Signal::KILL);
    running.end().await;

    let broken = with_wait("nonsense");
    let undone = stack.call_by(&broken.path(), &["up"]).ends_with(4).await;
    undone.says(&["was cut off", "undone: everything is as it was before"]);
    load.more(50).await;
    load.was_answered().await;
    let status = stack.call(&["status"]).json().await;
    assert_eq!(each(&status, "api", "name"), each(&first, "api", "name"));
    assert_eq!(stack.engine.containers(&stack.project).await.len(), 7);
    stack.call(&["plan", "--exit-code"]).ends_with(0).await;
}

async fn side_by_side(stack: &Deployment) {
    eventually("old and new replicas run side by side", async || {
        let containers = stack.engine.containers(&stack.project).await;
        let api = format!("{}-api-", stack.project);
        let running = containers
            .iter()
            .filter(|(name, state)| name.starts_with(&api) && *state == "running");
        (running.count() == 8).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_second_operator_is_told_who_deploys_and_changes_nothing() {
    let stack = Deployment::shipped();
    stack.call(&["up"]).ends_with(0).await;
    let changed = with_wait("601s").with("deploy.soak", "60s");
    let running = stack.call_by(&changed.path(), &["up"]).start();
    side_by_side(&stack).await;
    let second = stack
        .call_by(&with_wait("700s").path(), &["up"])
        .ends_with(5)
        .await;
    second.says(&["up", "hint: "]);
    let opening = ["maintenance", "off", "--wait", "5m"];
    let mut opening = stack.call(&opening).start();
    opening.hears("waiting for it").await;
    let held = stack.call(&["lock", "status"]).json().await;
    assert_eq!(held["held"], true);
    running.signal(Signal::TERM);
    assert_eq!(running.end().await.code, Some(130));
    let opened = opening.end().await;
    assert_eq!(opened.code, Some(0), "{opened}");
    let free = stack.call(&["lock", "status"]).json().await;
    assert_eq!(free["held"], false);
}
