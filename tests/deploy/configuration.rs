//! The command line without a stack: what is wrong is told before anything is touched. Needs no
//! engine.

use std::fs;

use super::harness::{Deployment, StackFile, program};

const FAULTY: &str = r#"project = "faulty"

[services.api]
base = "nowhere"
replicas = "four"
depends_on = ["db"]

[services.web]
imagge = "nginx"
ports = ["80:99999"]

[services.web.environment]
TOKEN = "${MISSING_TOKEN:?ask the operator for it}"
"#;

#[tokio::test]
async fn all_faults_of_a_file_come_at_once_with_their_places() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sysndd.toml");
    fs::write(&file, FAULTY).expect("a file");
    // The engine is not even looked for.
    for command in [
        ["up"].as_slice(),
        &["config", "check"],
        &["verify"],
        &["down"],
    ] {
        let answer = program(command)
            .with(&["--host", "unix:///nonexistent.sock"])
            .in_directory(directory.path())
            .without_env("MISSING_TOKEN")
            .ends_with(2)
            .await;
        answer.says(&[
            "sysndd.toml:4:8",
            "nowhere",
            "sysndd.toml:5:12",
            "four",
            "sysndd.toml:6:15",
            "db",
            "sysndd.toml:8:11",
            "no image",
            "sysndd.toml:9:1",
            "imagge",
            "sysndd.toml:10:10",
            "99999",
            "sysndd.toml:13:10",
            "ask the operator for it",
            "7 errors in the configuration; nothing was touched",
        ]);
        assert_eq!(answer.stdout, "");
        assert!(
            !answer.stderr.contains('\u{1b}'),
            "escape codes in a pipe: {answer}"
        );
    }
    let answer = program(&["config", "check", "--format", "json"])
        .in_directory(directory.path())
        .without_env("MISSING_TOKEN")
        .ends_with(2)
        .await;
    assert!(!answer.stdout.contains('\u{1b}'));
    let faults = answer.json();
    assert_eq!(faults["schema"], "sysndd-deploy/config-check/1");
    let faults = faults["faults"].as_array().expect("a list");
    assert_eq!(faults.len(), 7);
    assert_eq!(
        (&faults[0]["line"], &faults[0]["column"]),
        (&4.into(), &8.into())
    );
    assert_eq!(faults[6]["hint"], "ask the operator for it");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_exit_code_3_with_a_hint() {
    let stack = StackFile::shipped();
    for command in [
        ["up"].as_slice(),
        &["status"],
        &["verify"],
        &["plan"],
        &["down"],
        &["logs"],
    ] {
        let answer = program(&["--config", &stack.path().display().to_string()])
            .with(command)
            .env("DB_PASSWORD", "x")
            .env("DB_RESTORE_PASSWORD", "r")
            .env("DB_ROOT_PASSWORD", "y")
            .env("SECRET_KEY", "z")
            .with(&["-H", "unix:///nonexistent.sock"])
            .ends_with(3)
            .await;
        answer.says(&[
            "no Docker Engine answers at unix:///nonexistent.sock",
            "hint: ",
            "of --host",
        ]);
        assert_eq!(answer.stdout, "");
    }
}

#[tokio::test]
async fn what_is_wrong_on_the_command_line_is_exit_code_2() {
    let stack = StackFile::shipped();
    let path = stack.path().display().to_string();
    let answer = program(&["--config", &path, "verify", "--check", "replicas.cuont"])
        .ends_with(2)
        .await;
    answer.says(&["replicas.cuont", "no such check", "verify --list"]);
    program(&["frobnicate"])
        .ends_with(2)
        .await
        .says(&["frobnicate"]);
    program(&["--config", "/nonexistent/sysndd.toml", "up"])
        .ends_with(2)
        .await
        .says(&["/nonexistent/sysndd.toml"]);
    let empty = tempfile::tempdir().expect("a directory");
    let answer = program(&["status"])
        .in_directory(empty.path())
        .ends_with(2)
        .await;
    answer.says(&[
        "there is no sysndd.toml here or in a directory above",
        "--config",
    ]);
    let answer = program(&["--config", &path, "status"])
        .without_env("DB_PASSWORD")
        .without_env("DB_RESTORE_PASSWORD")
        .without_env("DB_ROOT_PASSWORD")
        .without_env("SECRET_KEY")
        .ends_with(2)
        .await;
    answer.says(&[
        "DB_PASSWORD",
        "DB_RESTORE_PASSWORD",
        "DB_ROOT_PASSWORD",
        "SECRET_KEY",
        "quickstart",
    ]);
    let listed = program(&["verify", "--list"]).ends_with(0).await.stdout;
    assert!(
        listed.lines().any(|id| id == "migration.single-applier"),
        "{listed}"
    );
}

#[tokio::test]
async fn completions_are_a_script_and_the_schema_is_json() {
    let bash = program(&["completions", "bash"]).ends_with(0).await.stdout;
    assert!(
        bash.contains("quickstart") && bash.contains("complete -F"),
        "{bash}"
    );
    for shell in ["zsh", "fish"] {
        assert!(
            program(&["completions", shell])
                .ends_with(0)
                .await
                .stdout
                .contains("quickstart")
        );
    }
    let schema = program(&["config", "schema"]).ends_with(0).await.json();
    assert!(schema["properties"]["services"].is_object(), "{schema}");
}

#[tokio::test]
async fn the_stack_is_shown_without_its_secrets() {
    let stack = StackFile::shipped();
    for format in ["human", "json"] {
        let answer = program(&[
            "--config",
            &stack.path().display().to_string(),
            "config",
            "show",
        ])
        .with(&["--format", format])
        .env("DB_PASSWORD", "hunter2-of-the-user")
        .env("DB_RESTORE_PASSWORD", "hunter2-of-restoring")
        .env("DB_ROOT_PASSWORD", "hunter2-of-root")
        .env("SECRET_KEY", "hunter2-of-the-api")
        .ends_with(0)
        .await;
        assert!(answer.stdout.contains("MYSQL_ROOT_PASSWORD"), "{answer}");
        assert!(!answer.stdout.contains("hunter2"), "{answer}");
        assert!(!answer.stderr.contains("hunter2"), "{answer}");
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn what_is_piped_has_no_escape_codes() {
    let stack = Deployment::shipped();
    for arguments in [
        ["plan"].as_slice(),
        &["up"],
        &["status"],
        &["verify"],
        &["logs"],
        &["doctor"],
        &["up"],
        &["down"],
    ] {
        let call = stack.call(arguments);
        let answer = if *arguments == ["verify"] {
            // Checks of how quick something is may fail on a busy machine, and are printed as well.
            call.run().await
        } else {
            call.ends_with(0).await
        };
        assert!(!answer.stdout.is_empty(), "{answer}");
        for text in [&answer.stdout, &answer.stderr] {
            assert!(!text.contains('\u{1b}'), "{answer}");
        }
    }
}
