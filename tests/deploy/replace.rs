//! A release takes the place of another: without a lost request when it is right, without a trace
//! when it is not.

use serde_json::Value;

use super::harness::{Answer, Deployment, Load, StackFile, each, eventually, get, text};

const PATHS: &[&str] = &["/api/health/ready", "/"];

/// The stack with another value in the environment of its API.
fn with_wait(value: &str) -> StackFile {
    StackFile::shipped()
        .with("services.api.environment.SYSNDD_MIGRATE_WAIT", value)
        .with("deploy.soak", "500ms")
}

fn up(stack: &Deployment, file: &StackFile) -> super::harness::Call {
    stack.call_by(&file.path(), &["up", "--format", "json"])
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn replicas_are_replaced_without_a_failed_request() {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let load = Load::on(&text(&first["url"]), PATHS);
    load.more(50).await;
    let mut before = first;
    // All at once, one by one, and back to the first.
    let one_by_one = with_wait("602s").with("deploy.max_surge", 1);
    for file in [with_wait("601s"), one_by_one, with_wait("603s")] {
        let after = up(&stack, &file).ends_with(0).await.json();
        assert_ne!(after["release"], before["release"]);
        assert_eq!(each(&after, "db", "name"), each(&before, "db", "name"));
        let old = each(&before, "api", "name");
        let now = stack.engine.containers(&stack.project).await;
        assert!(old.iter().all(|name| !now.contains_key(name)), "{now:?}");
        load.more(50).await;
        before = after;
    }
    let answered = load.was_answered().await;
    assert!(answered > 300, "only {answered} requests were sent");
    let file = with_wait("603s");
    stack
        .call_by(&file.path(), &["verify"])
        .report()
        .await
        .passes();
}

/// A deployment that serves, and a load that must not notice what happens to it.
async fn serving() -> (Deployment, Value, Load) {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let load = Load::on(&text(&first["url"]), PATHS);
    load.more(20).await;
    (stack, first, load)
}

/// The failed run left nothing, and took nothing away.
async fn is_as_before(stack: &Deployment, first: &Value, load: Load, answer: &Answer) {
    answer.says(&["undone: everything is as it was before"]);
    let lives = stack.engine.containers(&stack.project).await;
    let names: Vec<String> = ["api", "db", "listener", "web"]
        .iter()
        .flat_map(|service| each(first, service, "name"))
        .collect();
    assert_eq!(lives.len(), names.len(), "{lives:?}");
    assert!(
        names.iter().all(|name| lives.contains_key(name)),
        "{lives:?}"
    );
    load.more(20).await;
    load.was_answered().await;
    stack.call(&["plan", "--exit-code"]).ends_with(0).await;
    stack.call(&["verify"]).report().await.passes();
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_release_that_cannot_start_is_undone_while_the_old_one_serves() {
    let (stack, first, load) = serving().await;
    let broken = with_wait("nonsense");
    // With a backup first it would be that which ends so, before anything is begun.
    let answer = up(&stack, &broken).with(&["--no-backup"]);
    let answer = answer.ends_with(4).await;
    answer.says(&[
        "ended with exit code 2 before it was ready",
        "SYSNDD_MIGRATE_WAIT",
    ]);
    // The volume stays whose it is: those who serve write to it.
    let stranger = StackFile::shipped().with("services.api.user", "4242:4242");
    let answer = up(&stack, &stranger).with(&["--no-backup"]);
    let answer = answer.ends_with(4).await;
    answer.says(&["/app/data as UID 4242", "it belongs to UID 1000"]);
    is_as_before(&stack, &first, load, &answer).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_release_that_falls_over_soon_after_it_was_ready_is_undone() {
    let (stack, first, load) = serving().await;
    let file = StackFile::shipped()
        .with(
            "services.api.entrypoint",
            vec!["timeout", "-s", "KILL", "15"],
        )
        .with("services.api.command", vec!["sysndd-api", "serve"])
        .with("deploy.soak", "20s");
    let answer = up(&stack, &file).ends_with(4).await;
    answer.says(&["soon after it was ready"]);
    is_as_before(&stack, &first, load, &answer).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_bounded_surge_that_fails_in_its_second_batch_brings_the_first_back() {
    let (stack, first, load) = serving().await;
    // The first new replica takes the directory that the second one needs.
    let claim = "mkdir /app/data/claimed && exec sysndd-api serve";
    let file = StackFile::shipped()
        .with("services.api.entrypoint", vec!["sh", "-c"])
        .with("services.api.command", vec![claim])
        .with("deploy.soak", "200ms")
        .with("deploy.max_surge", 1);
    let answer = up(&stack, &file).ends_with(4).await;
    answer.says(&["ended with exit code 1 before it was ready"]);
    is_as_before(&stack, &first, load, &answer).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_interrupted_release_is_undone() {
    let (stack, first, load) = serving().await;
    let file = with_wait("601s").with("deploy.soak", "60s");
    let running = stack.call_by(&file.path(), &["up"]).start();
    eventually("old and new replicas run side by side", async || {
        let containers = stack.engine.containers(&stack.project).await;
        let api = format!("{}-api-", stack.project);
        let running = containers
            .iter()
            .filter(|(name, state)| name.starts_with(&api) && *state == "running");
        (running.count() == 8).then_some(())
    })
    .await;
    running.signal(rustix::process::Signal::INT);
    let answer = running.end().await;
    assert_eq!(answer.code, Some(130), "{answer}");
    is_as_before(&stack, &first, load, &answer).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_database_is_only_replaced_with_leave_and_keeps_its_data() {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let file = StackFile::shipped().with("services.db.environment.TZ", "UTC");
    let refused = stack.call_by(&file.path(), &["up"]).ends_with(2).await;
    refused.says(&["db would be recreated", "--allow-recreate db"]);
    let plan = stack.call_by(&file.path(), &["plan"]).ends_with(0).await;
    assert!(plan.stdout.contains("refused: db keeps data"), "{plan}");
    let after = stack
        .call_by(&file.path(), &["up", "--allow-recreate", "db"])
        .json()
        .await;
    assert_ne!(each(&after, "db", "name"), each(&first, "db", "name"));
    let url = format!("{}/api/health/ready", text(&after["url"]));
    let report: Value = eventually("the replicas are ready again", async || {
        let answer = get(&url).await.ok()?;
        (answer.status() == 200).then_some(())?;
        answer.json().await.ok()
    })
    .await;
    // The volume stayed: nothing had to be migrated.
    assert_eq!(report["migrations"]["pending"], 0);
}
