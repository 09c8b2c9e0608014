//! The other roles of the program.

use std::process::ExitStatus;

use mysql_async::prelude::Queryable as _;
use sysndd_protocol::{HealthReport, ReadyStatus};

use crate::support::{ADMIN_CREATE, Launch, migrations, shipped_migrations, with_database};

#[tokio::test]
async fn a_wrong_configuration_is_told_in_full_with_exit_code_2() {
    let (status, stdout, stderr) = Launch::new(&["serve"])
        .set("SYSNDD_DATABASE_URL", "postgres://sysndd:canary@db/sysndd")
        .set("SYSNDD_BIND", "canary")
        .set("SYSNDD_MIGRATE", "canary")
        .set("SYSNDD_SECRET_KEY", "canary")
        .start()
        .end()
        .await;
    assert_eq!(status.code(), Some(2));
    assert!(stderr.contains("4 faults in the configuration"), "{stderr}");
    for variable in [
        "SYSNDD_DATABASE_URL",
        "SYSNDD_BIND",
        "SYSNDD_MIGRATE",
        "SYSNDD_SECRET_KEY",
    ] {
        assert!(
            stderr.contains(&format!("\n  {variable}: ")),
            "{variable} is not in {stderr}"
        );
    }
    assert!(!stderr.contains("canary"), "{stderr}");
    assert_eq!(stdout, [""; 0]);
}

#[tokio::test]
async fn healthcheck_fails_where_nobody_listens() {
    let (status, _, stderr) = Launch::new(&["healthcheck"])
        .set("SYSNDD_BIND", "127.0.0.1:1")
        .start()
        .end()
        .await;
    assert_eq!(status.code(), Some(1));
    assert!(
        stderr.contains("asking http://127.0.0.1:1/health/ready"),
        "{stderr}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn healthcheck_says_what_the_server_says() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let replica = Launch::serve("api-1", &db.url(), data.path(), shipped_migrations()).start();
        replica.is_ready().await;
        let address = replica.address().await.to_string();
        let check = async || {
            let (status, stdout, _) = Launch::new(&["healthcheck", "--print"])
                .set("SYSNDD_BIND", &address)
                .start()
                .end()
                .await;
            (
                status.code(),
                serde_json::from_str::<HealthReport>(&stdout.concat()).expect("a report"),
            )
        };
        let (code, report) = check().await;
        assert_eq!((code, report.status), (Some(0), ReadyStatus::Ready));

        std::fs::remove_dir(data.path()).expect("removed");
        let (code, report) = check().await;
        assert_eq!((code, report.status), (Some(1), ReadyStatus::Unavailable));
        assert!(!report.data_dir.writable);
        assert!(
            report
                .reason
                .expect("a reason")
                .contains("it does not exist")
        );
        std::fs::create_dir(data.path()).expect("made again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn an_administrator_is_not_made_with_a_password_that_everybody_tries_first_or_without_an_address()
 {
    with_database(|db| async move {
        let dir = shipped_migrations();
        let (dir, url) = (dir.to_str().expect("UTF-8"), db.url());
        let up = ["migrate", "up", "--dir", dir, "--database-url", &url];
        assert!(Launch::new(&up).start().end().await.0.success());
        let create_with = async |arguments: &[&str], password: &str| {
            Launch::new(arguments)
                .set("SYSNDD_DATABASE_URL", &url)
                .set("SYSNDD_ADMIN_PASSWORD", password)
                .start()
                .end()
                .await
        };
        let create = async |arguments: &[&str], password: &str| {
            create_with(&[&ADMIN_CREATE, arguments].concat(), password).await
        };
        let no_address = [&ADMIN_CREATE[..5], &["marie"]].concat();
        let (status, _, stderr) = create_with(&no_address, "correct horse battery").await;
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("--email must be an address"), "{stderr}");
        let weak = "change-me-please";
        let (status, _, stderr) = create(&[], weak).await;
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("SYSNDD_ADMIN_PASSWORD is one of"),
            "{stderr}"
        );
        assert!(!stderr.contains(weak), "{stderr}");
        for (arguments, password) in [(&[][..], "correct horse battery"), (&["--if-none"], weak)] {
            let (status, _, stderr) = create(arguments, password).await;
            assert!(status.success(), "{stderr}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn migrate_works_on_any_folder_and_any_database_with_no_other_configuration() {
    with_database(|db| async move {
        let dir = shipped_migrations();
        let dir = dir.to_str().expect("UTF-8");
        let url = db.url();
        let migrate = async |arguments: &[&str]| -> (ExitStatus, Vec<String>, String) {
            let arguments = [
                &["migrate"],
                arguments,
                &["--dir", dir, "--database-url", &url],
            ]
            .concat();
            Launch::new(&arguments).start().end().await
        };
        let status = async || -> serde_json::Value {
            let (code, stdout, stderr) = migrate(&["status", "--format", "json"]).await;
            assert!(code.success(), "{stderr}");
            serde_json::from_str(&stdout.concat()).expect("one JSON document")
        };

        let shipped = std::fs::read_dir(dir).expect("there").filter(|entry| {
            let name = entry.as_ref().expect("readable").file_name();
            name.to_string_lossy().ends_with(".sql")
        });
        let before = status().await;
        let pending = before["pending"].as_array().expect("a list");
        let shipped = shipped.count();
        assert_eq!(pending.len(), shipped);
        let (first, second) = tokio::join!(migrate(&["up"]), migrate(&["up"]));
        assert!(
            first.0.success() && second.0.success(),
            "{} {}",
            first.2,
            second.2
        );
        let events = [first.1, second.1].concat();
        let acquired = events
            .iter()
            .filter(|line| line.contains("\"migration.lock_acquired\""));
        assert_eq!(acquired.count(), 1, "{events:?}");
        let after = status().await;
        assert_eq!(
            (&after["pending"], &after["applied"]),
            (&serde_json::json!([]), &shipped.into())
        );

        let (code, text, _) = migrate(&["status"]).await;
        assert!(code.success());
        assert_eq!(
            text[..5],
            [
                format!("head     {}", after["head"].as_str().expect("text")),
                format!("applied  {shipped}"),
                "pending  0".to_owned(),
                "lock     free".to_owned(),
                String::new(),
            ],
            "{text:?}"
        );
        // The widths follow from what stands below.
        let columns: Vec<&str> = text[5].split_whitespace().collect();
        assert_eq!(columns, ["FILE", "STATE", "WHEN", "TOOK", "BY"]);
        assert_eq!(text.len(), shipped + 6, "a line a file: {text:?}");

        let (code, text, stderr) = migrate(&["plan", "--exit-code"]).await;
        assert_eq!(code.code(), Some(0), "{text:?} {stderr}");
        let (code, text, stderr) = migrate(&["verify"]).await;
        assert_eq!(code.code(), Some(0), "{text:?} {stderr}");
    })
    .await;
}

#[tokio::test]
async fn lint_and_new_need_neither_a_database_nor_any_other_configuration() {
    let dir = migrations(&[(
        "001_a.sql",
        "CREATE TABLE a (id INT PRIMARY KEY) ENGINE=InnoDB;",
    )]);
    let folder = dir.path().to_str().expect("UTF-8");
    let migrate = async |arguments: &[&str]| {
        let arguments = [&["migrate"], arguments, &["--dir", folder]].concat();
        Launch::new(&arguments).start().end().await
    };
    let (code, stdout, stderr) = migrate(&["new", "Add", "a note", "--format", "json"]).await;
    assert!(code.success(), "{stderr}");
    let made: serde_json::Value = serde_json::from_str(&stdout.concat()).expect("JSON");
    assert_eq!(made["file"], "002_add_a_note.sql");
    assert!(dir.path().join("002_add_a_note.sql").is_file());
    let (code, _, stderr) = migrate(&["new", "../evil"]).await;
    assert_eq!(code.code(), Some(1));
    assert!(stderr.contains("it is a path"), "{stderr}");

    std::fs::write(
        dir.path().join("002_twice.sql"),
        "CREATE TABLE b (id INT PRIMARY KEY);",
    )
    .expect("written");
    let (code, stdout, stderr) = migrate(&["lint"]).await;
    assert_eq!(code.code(), Some(1), "{stderr}");
    assert!(stdout.concat().contains("002_"), "{stdout:?}");
    let (code, stdout, _) = migrate(&["lint", "--format", "json"]).await;
    assert_eq!(code.code(), Some(1));
    let found: serde_json::Value = serde_json::from_str(&stdout.concat()).expect("JSON");
    assert_eq!(found["schema"], "sysndd-migrate/lint/1");
    assert!(!found["findings"].as_array().expect("a list").is_empty());

    // What does need a database says so.
    let (code, _, stderr) = migrate(&["status"]).await;
    assert_eq!(code.code(), Some(2));
    assert!(
        stderr.contains("SYSNDD_DATABASE_URL: is not set"),
        "{stderr}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_schema_without_a_ledger_is_baselined_and_the_rest_applied() {
    with_database(|db| async move {
        let mut conn = db.connect().await;
        conn.query_drop("CREATE TABLE a (id INT PRIMARY KEY)")
            .await
            .expect("made");
        let dir = migrations(&[
            (
                "001_a.sql",
                "-- verify: SELECT COUNT(*) = 0 FROM a\nCREATE TABLE a (id INT PRIMARY KEY);",
            ),
            ("002_b.sql", "CREATE TABLE b (id INT PRIMARY KEY);"),
        ]);
        let folder = dir.path().to_str().expect("UTF-8");
        let url_file = dir.path().join("url");
        std::fs::write(&url_file, db.url() + "\n").expect("written");
        let migrate = async |arguments: &[&str]| {
            let arguments = [&["migrate"], arguments, &["--dir", folder]].concat();
            let launch = Launch::new(&arguments).set("SYSNDD_DATABASE_URL_FILE", &url_file);
            launch.set("SYSNDD_REPLICA", "person").start().end().await
        };
        let (code, stdout, stderr) = migrate(&["baseline", "--upto", "1"]).await;
        assert!(code.success(), "{stderr}");
        assert!(
            stdout.contains(&"recorded  001_a.sql".to_owned()),
            "{stdout:?}"
        );
        let (code, _, stderr) = migrate(&["baseline", "--all"]).await;
        assert_eq!(code.code(), Some(1));
        assert!(stderr.contains("has 1 rows already"), "{stderr}");

        let (code, stdout, _) = migrate(&["plan", "--exit-code"]).await;
        assert_eq!(code.code(), Some(10), "{stdout:?}");
        let (code, _, stderr) = migrate(&["up"]).await;
        assert!(code.success(), "{stderr}");
        let (code, stdout, _) = migrate(&["status"]).await;
        assert!(code.success());
        assert!(
            stdout
                .iter()
                .any(|line| line.starts_with("001_a.sql  adopted") && line.ends_with("person")),
            "{stdout:?}"
        );

        conn.query_drop("INSERT INTO a VALUES (1)")
            .await
            .expect("written");
        let (code, stdout, _) = migrate(&["verify", "--format", "json"]).await;
        assert_eq!(code.code(), Some(1));
        let report: serde_json::Value = serde_json::from_str(&stdout.concat()).expect("JSON");
        assert_eq!(
            (&report["holds"], &report["conditions"][0]["verdict"]),
            (&false.into(), &"false".into())
        );

        let (code, _, stderr) = migrate(&["resolve", "001_a.sql", "--done"]).await;
        assert_eq!(code.code(), Some(1));
        assert!(stderr.contains("it is adopted"), "{stderr}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_start_refuses_gaps_where_it_is_told_to() {
    with_database(|db| async move {
        let dir = migrations(&[
            ("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY);"),
            ("003_c.sql", "CREATE TABLE c (id INT PRIMARY KEY);"),
        ]);
        let folder = dir.path().to_str().expect("UTF-8");
        let up = async |gaps: &str| {
            Launch::new(&["migrate", "up", "--dir", folder])
                .set("SYSNDD_DATABASE_URL", db.url())
                .set("SYSNDD_MIGRATE_GAPS", gaps)
                .start()
                .end()
                .await
        };
        let (code, _, stderr) = up("deny").await;
        assert_eq!(code.code(), Some(1));
        assert!(
            stderr.contains("a number is left out between 001_a.sql and 003_c.sql"),
            "{stderr}"
        );
        let (code, _, stderr) = up("allow").await;
        assert!(code.success(), "{stderr}");
    })
    .await;
}
