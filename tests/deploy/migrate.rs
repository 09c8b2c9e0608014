//! `migrate`: looking after the schema from outside the stack, straight and through a tunnel.

use std::path::Path;

use serde_json::Value;

use super::harness::{Call, Deployment, StackFile, each, eventually, program, root};

/// A stack whose migrations lie in a directory of their own, which a test may change.
struct Copy {
    file: StackFile,
    files: tempfile::TempDir,
}

impl Copy {
    fn of_shipped() -> Self {
        let files = tempfile::tempdir().expect("a directory");
        for entry in std::fs::read_dir(root().join("migrations")).expect("migrations") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "sql") {
                let name = path.file_name().expect("a name");
                std::fs::copy(&path, files.path().join(name)).expect("copied");
            }
        }
        let dir = files.path().display().to_string();
        Self {
            file: StackFile::shipped().with("migrations.dir", dir),
            files,
        }
    }

    fn files(&self) -> &Path {
        self.files.path()
    }
}

/// The file that comes after those that are shipped.
fn next(name: &str) -> String {
    let files = std::fs::read_dir(root().join("migrations")).expect("migrations");
    let names = files.map(|entry| entry.expect("an entry").file_name());
    let numbers = names.filter_map(|name| name.to_str()?.get(..3)?.parse::<u32>().ok());
    format!("{:03}_{name}.sql", numbers.max().expect("some") + 1)
}

/// A call that can have no engine and no secret.
fn bare(copy: &Copy, arguments: &[&str]) -> Call {
    let config = copy.file.path().display().to_string();
    program(&[
        "--config",
        &config,
        "--host",
        "unix:///nonexistent",
        "migrate",
    ])
    .without_env("DB_PASSWORD")
    .without_env("DB_RESTORE_PASSWORD")
    .without_env("DB_ROOT_PASSWORD")
    .without_env("SECRET_KEY")
    .with(arguments)
}

#[tokio::test]
async fn lint_and_new_need_neither_an_engine_nor_secrets_and_findings_end_with_1() {
    let copy = Copy::of_shipped();
    let made = bare(&copy, &["new", "Add a note"]).json().await;
    let note = next("add_a_note");
    assert_eq!(made["file"], note.as_str());
    let path = copy.files().join(&note);
    let text = std::fs::read_to_string(&path).expect("it was written");
    assert!(text.starts_with("-- description: add a note\n"), "{text}");
    bare(&copy, &["new", "42"])
        .ends_with(2)
        .await
        .says(&["it has no letter"]);

    std::fs::write(
        &path,
        "CREATE TABLE note (id INT PRIMARY KEY) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\nSELECT '",
    )
    .expect("written");
    let answer = bare(&copy, &["lint"]).ends_with(1).await;
    assert!(answer.stdout.contains(&format!("{note}:2")), "{answer}");
    let report = bare(&copy, &["lint", "--format", "json"])
        .ends_with(1)
        .await
        .json();
    assert_eq!(report["schema"], "sysndd-migrate/lint/1");
    let mut files = report["findings"].as_array().expect("a list").iter();
    assert!(
        files.any(|finding| finding["file"] == note.as_str()),
        "{report}"
    );

    // What needs the engine looks for it.
    copy_with_secrets(&copy, &["status"])
        .ends_with(3)
        .await
        .says(&["no Docker Engine answers"]);
}

fn copy_with_secrets(copy: &Copy, arguments: &[&str]) -> Call {
    bare(copy, arguments)
        .env("DB_PASSWORD", "for-tests-only")
        .env("DB_RESTORE_PASSWORD", "for-tests-only")
        .env("DB_ROOT_PASSWORD", "for-tests-only")
        .env("SECRET_KEY", "for-tests-only")
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_schema_is_looked_after_straight_and_through_a_tunnel() {
    let stack = Deployment::shipped();
    let up = stack.call(&["up"]).json().await;
    let names = each(&up, "api", "name");
    let copy = Copy::of_shipped();
    bare(&copy, &["new", "later"]).ends_with(0).await;

    for way in ["auto", "inside"] {
        let migrate = |arguments: &[&str]| {
            stack
                .call(&["migrate"])
                .with(arguments)
                .env("SYSNDD_DEPLOY_PROBE", way)
        };
        let of_copy = |arguments: &[&str]| {
            stack
                .call_by(&copy.file.path(), &["migrate"])
                .with(arguments)
                .env("SYSNDD_DEPLOY_PROBE", way)
        };
        let status = migrate(&["status"]).json().await;
        assert_eq!(status["schema"], "sysndd-migrate/status/1");
        assert_eq!(status["pending"], serde_json::json!([]), "{status}");
        assert_eq!(status["lock"]["held"], false);
        let rows = status["rows"].as_array().expect("rows");
        assert_eq!(
            Some(rows.len()),
            status["applied"]
                .as_u64()
                .map(|n| usize::try_from(n).expect("few"))
        );
        let text = migrate(&["status"]).ends_with(0).await.stdout;
        for row in rows {
            let (file, by) = (row["filename"].as_str(), row["applied_by"].as_str());
            let (file, by) = (file.expect("a name"), by.expect("an applier"));
            assert!(names.iter().any(|name| name == by), "{by}");
            let line = text.lines().find(|line| line.starts_with(file));
            let line = line.unwrap_or_else(|| panic!("no line of {file}: {text}"));
            assert!(line.contains("applied") && line.ends_with(by), "{line}");
        }

        let plan = migrate(&["plan", "--exit-code"]).ends_with(0).await;
        assert!(!plan.stdout.is_empty());
        let plan = of_copy(&["plan", "--exit-code", "--format", "json"])
            .ends_with(10)
            .await
            .json();
        assert_eq!(plan["files"][0]["name"], next("later"), "{plan}");
        of_copy(&["plan"]).ends_with(0).await;

        let verified = migrate(&["verify"]).json().await;
        assert_eq!(verified["holds"], true, "{verified}");
        migrate(&["resolve", "001_x.sql", "--retry"])
            .ends_with(1)
            .await
            .says(&["001_x.sql is not in doubt: there is no such file"]);
        migrate(&["baseline", "--all"])
            .ends_with(1)
            .await
            .says(&["the ledger (table schema_version) has"]);
    }

    // A file that was changed after it was applied.
    let head = up_to_date_head(&stack).await;
    let path = copy.files().join(&head);
    let text = std::fs::read_to_string(&path).expect("the newest file");
    std::fs::write(&path, text + "\nSELECT 1;\n").expect("written");
    let changed = stack.call_by(&copy.file.path(), &["migrate", "verify"]);
    let changed = changed.ends_with(1).await;
    assert!(
        changed
            .stdout
            .contains(&format!("{head} was changed after it was applied")),
        "{changed}"
    );

    // Who holds the lock is told by the container's name.
    let slow = format!(
        "cp -r /app/migrations /tmp/m && echo 'DO SLEEP(20);' > /tmp/m/{} && \
         exec sysndd-api migrate up --dir /tmp/m",
        next("slow")
    );
    let command = ["sh", "-c", &slow];
    let applying = stack.engine.exec(&names[1], &command);
    let seen = eventually("the lock is held", async || {
        let status = stack.call(&["migrate", "status"]).json().await;
        (status["lock"]["held"] == true).then_some(status)
    });
    let ((code, told), seen): ((i64, String), Value) = tokio::join!(applying, seen);
    assert_eq!(code, 0, "{told}");
    assert_eq!(seen["lock"]["container"], names[1].as_str(), "{seen}");
    let status = stack.call(&["migrate", "status"]).json().await;
    assert_eq!(status["ahead"], serde_json::json!([next("slow")]));

    let database = each(&up, "db", "name").remove(0);
    stack.engine.stop(&database).await;
    stack
        .call(&["migrate", "status"])
        .ends_with(1)
        .await
        .says(&[
            "db, the stack's database, does not run",
            "`sysndd-deploy up`",
        ]);
}

async fn up_to_date_head(stack: &Deployment) -> String {
    let status = stack.call(&["migrate", "status"]).json().await;
    status["head"].as_str().expect("a head").to_owned()
}
