//! Commands for what runs: more and fewer of it, anew, a look inside.

use super::harness::{DEADLINE, Deployment, Load, each, eventually, replicas_behind, text};

const PATHS: &[&str] = &["/api/health/ready", "/"];

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn scaling_keeps_the_release_until_up_returns_to_the_file() {
    let stack = Deployment::shipped();
    stack
        .call(&["scale", "api=2"])
        .ends_with(2)
        .await
        .says(&["is down", "sysndd-deploy up"]);
    let four = stack.call(&["up"]).json().await;
    let load = Load::on(&text(&four["url"]), PATHS);
    load.more(20).await;

    let plan = stack
        .call(&["scale", "api=6", "--dry-run"])
        .ends_with(0)
        .await;
    assert!(plan.stdout.contains("missing"), "{plan}");
    let answer = stack
        .call(&["scale", "api=6", "--format", "json"])
        .ends_with(0)
        .await;
    answer.says(&["sysndd.toml says api = 4"]);
    let six = answer.json();
    assert_eq!(six["release"], four["release"]);
    let names = each(&six, "api", "name");
    assert_eq!(names.len(), 6);
    assert_eq!(names[..4], each(&four, "api", "name")[..]);
    let behind = replicas_behind(&text(&four["url"]), 120).await;
    assert_eq!(behind, names.iter().cloned().collect());

    // Another service keeps what was asked for the first.
    let answer = stack
        .call(&["scale", "db=1", "--format", "json"])
        .ends_with(0)
        .await;
    assert_eq!(each(&answer.json(), "api", "name"), names);

    let two = stack.call(&["scale", "api=2"]).json().await;
    assert_eq!(each(&two, "api", "name"), names[..2]);
    let audit = stack.call(&["audit"]).json().await;
    let records = audit["records"].as_array().expect("records");
    let scaled = records
        .iter()
        .find(|record| text(&record["command"]) == "scale api=2");
    let scaled = scaled.expect("scaling is recorded");
    assert_eq!(scaled["result"], "done");
    assert!(scaled["run"].is_string(), "with its journal: {scaled}");

    let plan = stack.call(&["plan"]).ends_with(0).await;
    assert!(plan.stdout.contains("missing"), "{plan}");
    let back = stack.call(&["up"]).json().await;
    assert_eq!(each(&back, "api", "name"), each(&four, "api", "name"));
    assert_eq!(back["release"], four["release"]);
    load.was_answered().await;

    for (count, said) in [("api=0", "at least 1"), ("nothing=3", "no service nothing")] {
        let answer = stack.call(&["scale", count]).ends_with(2).await;
        answer.says(&[said]);
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_restart_of_the_replicas_loses_no_request() {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let before = stack.engine.lives(&stack.project).await;
    let load = Load::on(&text(&first["url"]), PATHS);
    load.more(50).await;

    let answer = stack.call(&["restart", "api"]).json().await;
    let names = each(&first, "api", "name");
    assert_eq!(answer["restarted"], serde_json::json!(names));
    load.more(50).await;
    let answered = load.was_answered().await;
    assert!(answered > 100, "only {answered} requests were sent");

    let after = stack.engine.lives(&stack.project).await;
    assert_eq!(after.len(), before.len());
    for (name, (id, started)) in &before {
        let (same, again) = &after[name];
        assert_eq!(id, same, "{name} is the container that it was");
        assert_eq!(names.contains(name), started != again, "{name}");
    }
    // The list is the one that `up` would write.
    stack.call(&["plan", "--exit-code"]).ends_with(0).await;
    stack.call(&["verify"]).report().await.passes();

    // The database only when it is named.
    let plan = stack.call(&["restart", "--dry-run"]).ends_with(0).await;
    assert!(!plan.stdout.contains("-db-"), "{plan}");
    assert!(!plan.stdout.contains("-listener-"), "{plan}");
    let plan = stack
        .call(&["restart", "listener", "--dry-run"])
        .ends_with(0)
        .await;
    assert!(plan.stdout.contains("-web-"), "the edge with it: {plan}");
    let plan = stack
        .call(&["restart", "db", "--dry-run"])
        .ends_with(0)
        .await;
    assert!(plan.stdout.contains("-db-"), "{plan}");
    stack
        .call(&["restart", "nothing"])
        .ends_with(2)
        .await
        .says(&["there is no service nothing", "api, db"]);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_command_runs_inside_and_its_end_is_ours() {
    let stack = Deployment::shipped();
    let up = stack.call(&["up"]).json().await;
    let names = each(&up, "api", "name");

    // In the replica that was named; both streams apart; the exit code as it is.
    let script = "hostname; echo aside >&2; exit 42";
    for (target, expected) in [("api.3", &names[2]), ("api-1", &names[0])] {
        let answer = stack
            .call(&["exec", target, "--", "sh", "-c", script])
            .ends_with(42)
            .await;
        assert_eq!(answer.stdout.trim(), expected);
        assert_eq!(answer.stderr.trim(), "aside");
    }
    stack
        .call(&["exec", "api.9", "--", "true"])
        .ends_with(4)
        .await
        .says(&["there is no replica api.9"]);
    stack
        .call(&["exec", "nothing", "--", "true"])
        .ends_with(2)
        .await
        .says(&["there is no service nothing"]);
    // The standard input is at its end here, so the shell ends too.
    stack.call(&["shell", "web"]).ends_with(0).await;

    let query = "SELECT CONCAT('rows: ', COUNT(*)) FROM schema_version";
    let answer = stack
        .call(&["db", "--", "--skip-column-names", "-e", query])
        .ends_with(0)
        .await;
    assert_eq!(answer.stdout.trim(), "rows: 5", "{answer}");
    assert_eq!(answer.stderr, "", "no warning of a password");
    stack
        .call(&["db", "--", "-e", "nonsense"])
        .ends_with(1)
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_command_runs_beside_the_services_and_leaves_nothing() {
    let stack = Deployment::shipped();
    stack.call(&["up"]).ends_with(0).await;
    let before = stack.engine.lives(&stack.project).await;

    // With the environment, the volumes, the network and the user of the service.
    let script = "test -n \"$SYSNDD_DATABASE_URL\" && echo $SYSNDD_REPLICA && id -u \
                  && touch /app/data/here && rm /app/data/here && exec 3<>/dev/tcp/db/3306 \
                  && exit 7";
    let answer = stack
        .call(&["run", "--entrypoint", "bash", "api", "--", "-c", script])
        .ends_with(7)
        .await;
    let (name, uid) = answer.stdout.trim().split_once('\n').expect("two lines");
    assert!(
        name.starts_with(&format!("{}-api-run-", stack.project)),
        "{name}"
    );
    assert_eq!(uid, "1000");
    assert_eq!(stack.engine.lives(&stack.project).await, before);

    // While one runs it is in nobody's way; Ctrl-C ends it.
    let running = stack
        .call(&["run", "--entrypoint", "sleep", "api", "--", "600"])
        .start();
    eventually("it runs", async || {
        let containers = stack.engine.containers(&stack.project).await;
        let mut ours = containers
            .iter()
            .filter(|(name, _)| name.contains("-api-run-"));
        ours.any(|(_, state)| state == "running").then_some(())
    })
    .await;
    stack.call(&["plan", "--exit-code"]).ends_with(0).await;
    stack.call(&["verify"]).report().await.passes();
    running.signal(rustix::process::Signal::INT);
    let answer = running.end().await;
    assert_eq!(answer.code, Some(130), "{answer}");
    assert_eq!(stack.engine.lives(&stack.project).await, before);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn status_goes_on_and_tells_each_change() {
    let stack = Deployment::shipped();
    let up = stack.call(&["up"]).json().await;
    let second = each(&up, "api", "name")[1].clone();
    let mut running = stack.call(&["status", "--watch"]).start();
    let mut lines = running.lines();
    let mut next = async |wanted: &str| {
        let read = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if line.contains(&second) && line.ends_with(wanted) {
                    return;
                }
            }
            panic!("it ended without `{wanted}`");
        };
        tokio::time::timeout(DEADLINE, read)
            .await
            .unwrap_or_else(|_| panic!("no `{wanted}` within {DEADLINE:?}"));
    };
    next("running, ready").await;
    stack.engine.stop(&second).await;
    next("exited, exit code 0").await;
    stack.engine.start(&second).await;
    next("running, ready").await;
    stack.call(&["scale", "api=1"]).ends_with(0).await;
    next("gone, it was removed").await;
    running.signal(rustix::process::Signal::INT);
    assert_eq!(running.end().await.code, Some(0));
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn what_prune_would_remove_is_told_and_stays() {
    let stack = Deployment::shipped();
    let up = stack.call(&["up"]).json().await;
    // The images belong to every project of this stack, so here nothing is removed in earnest.
    let told = stack.call(&["prune", "--dry-run"]).json().await;
    assert_eq!(told["schema"], "sysndd-deploy/prune/1");
    assert_eq!(told["dry_run"], true);
    let images = told["images"].as_array().expect("images");
    let used: Vec<String> = ["api", "db", "web"]
        .iter()
        .flat_map(|service| each(&up, service, "image"))
        .collect();
    for image in images {
        assert!(!used.contains(&text(&image["id"])), "{image}");
        assert!(image["size_bytes"].as_u64() > Some(0), "{image}");
    }
    let again = stack.call(&["prune", "--dry-run"]).json().await;
    assert_eq!(again["releases"], told["releases"]);
    stack.call(&["plan", "--exit-code"]).ends_with(0).await;
}
