//! A changed stack: only what changed is replaced.

use serde_json::Value;

use super::harness::{Deployment, StackFile, each, text};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_changed_value_replaces_its_service_and_nothing_else() {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let [db, web] = ["db", "web"].map(|service| each(&first, service, "name").remove(0));
    let old = each(&first, "api", "name");
    stack
        .engine
        .exec(&old[0], &["sh", "-c", "echo kept > /app/data/kept"])
        .await;
    let before = stack.engine.lives(&stack.project).await;

    let changed = StackFile::shipped().with("services.api.environment.SYSNDD_MIGRATE_WAIT", "600s");
    let plan = stack
        .call_by(
            &changed.path(),
            &["plan", "--exit-code", "--format", "json"],
        )
        .ends_with(10)
        .await
        .json();
    assert_eq!(plan["schema"], "sysndd-deploy/plan/1");
    let mut actions: Vec<&str> = Vec::new();
    for operation in plan["operations"].as_array().expect("operations") {
        let (action, subject) = (text(&operation["action"]), text(&operation["subject"]));
        let of_api = subject.starts_with(&format!("{}-api-", stack.project));
        assert!(
            of_api
                || (["reload", "drain"].contains(&action.as_str()) && subject == web)
                || (action == "run" && subject == "backup"),
            "{operation}"
        );
        assert!(!text(&operation["cause"]).is_empty());
        actions.push(operation["action"].as_str().expect("an action"));
    }
    for action in ["stop", "remove", "create", "start", "await ready", "soak"] {
        assert_eq!(
            actions.iter().filter(|found| **found == action).count(),
            4,
            "{action}: {plan:#}"
        );
    }
    assert_start_first(&plan);
    // A plan changes nothing, nor does a dry run; for people it is text with the cause of each step.
    let dry = stack
        .call_by(&changed.path(), &["up", "--dry-run"])
        .ends_with(0)
        .await;
    assert!(
        dry.stdout.contains("its configuration or image changed"),
        "{dry}"
    );
    assert_eq!(stack.engine.lives(&stack.project).await, before);

    let up = stack
        .call_by(&changed.path(), &["up", "--format", "json"])
        .ends_with(0)
        .await;
    let up = up.json();
    assert_eq!(up["changed"], true);
    assert_ne!(up["release"], first["release"]);
    let after = stack.engine.lives(&stack.project).await;
    assert_eq!(after.len(), 7, "{after:?}");
    assert_eq!(after[&db], before[&db], "the database was touched");
    assert_eq!(after[&web], before[&web], "the web server was touched");
    let new = each(&up, "api", "name");
    for (old, new) in old.iter().zip(&new) {
        assert!(!after.contains_key(old));
        assert!(new.contains(&text(&up["release"])), "{new}");
        let environment = stack
            .engine
            .inspect(new)
            .await
            .config
            .and_then(|config| config.env);
        assert!(
            environment
                .expect("variables")
                .contains(&"SYSNDD_MIGRATE_WAIT=600s".to_owned())
        );
    }
    assert_eq!(
        stack.engine.exec(&new[0], &["cat", "/app/data/kept"]).await,
        (0, "kept\n".to_owned())
    );

    let report = stack.call_by(&changed.path(), &["verify"]).report().await;
    assert_eq!(
        report.passes().check("migration.fast-path")["verdict"],
        "pass"
    );
    // By the file as it is shipped it is the other way round again.
    stack.call(&["plan", "--exit-code"]).ends_with(10).await;
    stack
        .call_by(&changed.path(), &["plan", "--exit-code"])
        .ends_with(0)
        .await;
}

/// Nothing old is stopped before all that is new is ready and stays so.
fn assert_start_first(plan: &Value) {
    let operations = plan["operations"].as_array().expect("operations");
    let ids = |action: &str| -> Vec<u64> {
        let of_action = operations
            .iter()
            .filter(|operation| operation["action"] == action);
        of_action
            .filter_map(|operation| operation["id"].as_u64())
            .collect()
    };
    let proven = ids("soak").into_iter().chain(ids("reload")).max();
    assert!(ids("stop").into_iter().min() > proven, "{plan:#}");
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn force_makes_a_new_release_of_an_unchanged_stack_and_keeps_its_data() {
    let stack = Deployment::shipped();
    let first = stack.call(&["up"]).json().await;
    let forced = stack.call(&["up", "--force", "--no-build"]).json().await;
    assert_ne!(forced["release"], first["release"]);
    // What keeps data, and what holds the port, is spared.
    for service in ["db", "listener"] {
        assert_eq!(
            each(&forced, service, "name"),
            each(&first, service, "name")
        );
    }
    for service in ["api", "web"] {
        for name in each(&forced, service, "name") {
            assert!(name.contains(&text(&forced["release"])), "{name}");
        }
    }
    assert_eq!(stack.engine.containers(&stack.project).await.len(), 7);
    let report = stack.call(&["verify"]).report().await;
    // The ledger still names the replica of the first release: it is the same database.
    report
        .passes()
        .naming("migration.single-applier", &text(&first["release"]));
}
