//! Jobs as part of a deployment: hooks before and after, a backup and its way back.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::harness::{Deployment, Load, StackFile, each, eventually, text};

/// A small stack with these jobs, each a script in a container like those of the API.
fn with_jobs(jobs: &[(&str, &str)]) -> StackFile {
    let file = StackFile::shipped()
        .without("deploy.pre_deploy_backup")
        .without("deploy.restore_backup")
        .with("services.api.replicas", 2)
        .with("deploy.soak", "200ms");
    jobs.iter().fold(file, |file, (name, script)| {
        // A dollar sign of the shell's own.
        let script = script.replace('$', "$$");
        let words: Vec<String> = ["sh", "-c", &script, "sh"].map(str::to_owned).into();
        file.with(&format!("jobs.{name}.service"), "api")
            .with(&format!("jobs.{name}.entrypoint"), words)
    })
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The same with the API changed.
fn changed(file: StackFile, value: &str) -> StackFile {
    file.with("services.api.environment.SYSNDD_MIGRATE_WAIT", value)
}

async fn job_containers(stack: &Deployment, job: &str) -> usize {
    let containers = stack.engine.containers(&stack.project).await;
    let begins = format!("{}-{job}-", stack.project);
    containers
        .keys()
        .filter(|name| name.starts_with(&begins))
        .count()
}

/// What the jobs of the newest release printed.
async fn jobs(stack: &Deployment, file: &StackFile, release: &Value) -> Vec<Value> {
    let shown = stack
        .call_by(&file.path(), &["releases", "show", &text(release)])
        .json()
        .await;
    shown["jobs"].as_array().expect("jobs").clone()
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn hooks_run_with_what_is_deployed_and_only_then_and_their_output_is_kept() {
    let before = "echo before $SYSNDD_RELEASE; echo password $SYSNDD_DATABASE_URL; echo ran >> /app/data/hooks";
    let hooked = with_jobs(&[("before", before), ("after", "echo after; echo aside >&2")])
        .with("hooks.pre_deploy", names(&["before"]))
        .with("hooks.post_deploy", names(&["after"]));
    let stack = Deployment::of(hooked);
    let plan = stack.call(&["plan"]).ends_with(0).await;
    for part in [
        "run before, pre: `sh -c echo before",
        "[hooks] pre_deploy",
        "[hooks] post_deploy",
    ] {
        assert!(plan.stdout.contains(part), "{plan}");
    }
    // On a fresh stack: the database, which its service depends on, comes first.
    let up = stack.call(&["up", "--format", "json"]).ends_with(0).await;
    up.says(&["before | before r", "after | after", "after | aside"]);
    assert!(
        !up.stderr.contains("for-tests-only"),
        "a password is shown: {up}"
    );
    let up = up.json();
    let file = with_jobs(&[]);
    let ran = jobs(&stack, &file, &up["release"]).await;
    assert_eq!(ran.len(), 2, "{ran:#?}");
    assert_eq!(
        ran[0]["output"][0],
        format!("before {}", text(&up["release"]))
    );
    assert!(text(&ran[0]["output"][1]).contains("***"), "{ran:#?}");
    assert_eq!(
        (&ran[1]["stage"], &ran[1]["exit_code"]),
        (&json!("post"), &json!(0))
    );
    let api = each(&up, "api", "name");
    let seen = stack
        .engine
        .exec(&api[0], &["cat", "/app/data/hooks"])
        .await;
    assert_eq!(seen, (0, "ran\n".to_owned()));
    assert_eq!(stack.engine.containers(&stack.project).await.len(), 5);

    // Nothing to deploy, nothing to run; scaling deploys nothing.
    assert_eq!(stack.call(&["up"]).json().await["changed"], false);
    stack.call(&["plan", "--exit-code"]).ends_with(0).await;
    stack.call(&["scale", "api=3"]).ends_with(0).await;
    let seen = stack
        .engine
        .exec(&api[0], &["cat", "/app/data/hooks"])
        .await;
    assert_eq!(seen, (0, "ran\n".to_owned()));
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_hook_that_fails_before_leaves_everything_untouched_and_one_after_undoes_the_release() {
    let stack = Deployment::of(with_jobs(&[]));
    let first = stack.call(&["up"]).json().await;
    let lives = stack.engine.lives(&stack.project).await;
    let load = Load::on(&text(&first["url"]), &["/api/health/ready", "/"]);

    let failing = [("bad", "echo the reason is this; exit 3")];
    let before = changed(with_jobs(&failing), "601s").with("hooks.pre_deploy", names(&["bad"]));
    let answer = stack.call_by(&before.path(), &["up"]).ends_with(4).await;
    answer.says(&["run bad: it ended with exit code 3", "| the reason is this"]);
    assert_eq!(stack.engine.lives(&stack.project).await, lives);

    // The new web server serves by then, and knows the new replicas only.
    let after = changed(with_jobs(&failing), "601s")
        .with("services.web.environment.CHANGED", "1")
        .with("hooks.post_deploy", names(&["bad"]));
    let answer = stack.call_by(&after.path(), &["up"]).ends_with(4).await;
    answer.says(&[
        "run bad: it ended with exit code 3",
        "undone: everything is as it was before",
    ]);
    assert_eq!(stack.engine.lives(&stack.project).await, lives);

    let slow = changed(with_jobs(&[("slow", "echo begun; sleep 600")]), "601s")
        .with("jobs.slow.timeout", "8s")
        .with("services.api.stop_grace_period", "1s")
        .with("hooks.pre_deploy", names(&["slow"]));
    let answer = stack.call_by(&slow.path(), &["up"]).ends_with(4).await;
    answer.says(&["it did not end within 8s and was stopped", "| begun"]);
    assert_eq!(stack.engine.lives(&stack.project).await, lives);
    load.more(20).await;
    load.was_answered().await;
    stack.call(&["plan", "--exit-code"]).ends_with(0).await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_run_that_is_killed_in_a_hook_is_taken_up_by_the_next_which_leaves_no_container_of_it() {
    let stack = Deployment::of(with_jobs(&[]));
    stack.call(&["up"]).ends_with(0).await;
    let hooked = |script| {
        changed(with_jobs(&[("hook", script)]), "601s")
            .with("services.api.stop_grace_period", "1s")
            .with("hooks.pre_deploy", names(&["hook"]))
    };
    let slow = hooked("sleep 600");
    let running = stack.call_by(&slow.path(), &["up"]).start();
    eventually("the hook runs", async || {
        (job_containers(&stack, "hook").await == 1).then_some(())
    })
    .await;
    running.signal(Signal::KILL);
    running.end().await;
    assert_eq!(job_containers(&stack, "hook").await, 1);

    let quick = hooked("echo quick");
    let up = stack
        .call_by(&quick.path(), &["up", "--format", "json"])
        .ends_with(0)
        .await;
    up.says(&["was cut off", "under way: run hook", "hook | quick"]);
    assert_eq!(job_containers(&stack, "hook").await, 0);
    assert_eq!(stack.engine.containers(&stack.project).await.len(), 5);
    // Ctrl-C stops it and takes it away.
    let slow = changed(slow, "602s");
    let running = stack.call_by(&slow.path(), &["up"]).start();
    eventually("the hook runs", async || {
        (job_containers(&stack, "hook").await == 1).then_some(())
    })
    .await;
    running.signal(Signal::INT);
    assert_eq!(running.end().await.code, Some(130));
    assert_eq!(job_containers(&stack, "hook").await, 0);
    stack
        .call_by(&quick.path(), &["plan", "--exit-code"])
        .ends_with(0)
        .await;
}

const BACKUP: &str = r#"cp /app/data/content /app/data/backup-$SYSNDD_RELEASE && echo "{\"filename\":\"backup-$SYSNDD_RELEASE\"}""#;
const RESTORE: &str = r#"cp "/app/data/$1" /app/data/content"#;

fn with_backup(value: &str) -> StackFile {
    changed(
        with_jobs(&[("save", BACKUP), ("bring-back", RESTORE)]),
        value,
    )
    .with("deploy.pre_deploy_backup", "save")
    .with("deploy.restore_backup", "bring-back")
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_backup_is_made_before_the_data_may_change_and_a_rollback_can_bring_it_back() {
    let stack = Deployment::of(with_backup("600s"));
    // There is nothing to save yet.
    let first = stack.call(&["up"]).json().await;
    let write = |content: &str| {
        let script = format!("echo {content} > /app/data/content");
        ["sh".to_owned(), "-c".to_owned(), script]
    };
    let exec = async |status: &Value, words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        stack
            .engine
            .exec(&each(status, "api", "name")[0], &words)
            .await
    };
    assert_eq!(exec(&first, &write("old")).await.0, 0);
    let none = stack
        .call(&["rollback", &text(&first["release"]), "--restore-backup"])
        .ends_with(6)
        .await;
    none.says(&["has no restore point", "hint: "]);

    // Another service is no danger to the data.
    let web = with_backup("600s").with("services.web.environment.CHANGED", "1");
    let plan = stack.call_by(&web.path(), &["plan"]).ends_with(0).await;
    assert!(!plan.stdout.contains("run save"), "{plan}");

    let second = with_backup("601s");
    let up = stack.call_by(&second.path(), &["up"]).json().await;
    let shown = stack
        .call_by(&second.path(), &["releases", "show", &text(&up["release"])])
        .json()
        .await;
    let point = format!("backup-{}", text(&up["release"]));
    assert_eq!(shown["manifest"]["restore_point"]["backup"], point);
    assert_eq!(exec(&up, &write("new")).await.0, 0);

    // Without a backup there is no deployment.
    let broken = changed(second, "602s").with(
        "jobs.save.entrypoint",
        ["sh", "-c", "echo done"].map(str::to_owned).to_vec(),
    );
    let answer = stack.call_by(&broken.path(), &["up"]).ends_with(4).await;
    answer.says(&[
        "run save: its last line on stdout does not tell the backup's name",
        "hint: nothing was replaced",
        "`--no-backup`",
    ]);
    let plan = stack.call_by(&broken.path(), &["plan", "--no-backup"]);
    assert!(!plan.ends_with(0).await.stdout.contains("run save"));

    let back = stack
        .call_by(
            &with_backup("601s").path(),
            &[
                "rollback",
                &text(&first["release"]),
                "--restore-backup",
                "--format",
                "json",
            ],
        )
        .ends_with(0)
        .await;
    back.says(&[
        "with the data of backup-",
        "is away while the backup is brought back",
    ]);
    let content = ["cat".to_owned(), "/app/data/content".to_owned()];
    assert_eq!(exec(&back.json(), &content).await, (0, "old\n".to_owned()));
}
