//! The other roles of the program.

use std::process::ExitStatus;

use sysndd_protocol::{HealthReport, ReadyStatus};

use crate::support::{Launch, shipped_migrations, with_database};

#[tokio::test]
async fn a_wrong_configuration_is_told_in_full_with_exit_code_2() {
    let (status, stdout, stderr) = Launch::new(&["serve"])
        .set("SYSNDD_DATABASE_URL", "postgres://sysndd:canary@db/sysndd")
        .set("SYSNDD_BIND", "canary")
        .set("SYSNDD_MIGRATE", "canary")
        .start()
        .end()
        .await;
    assert_eq!(status.code(), Some(2));
    assert!(stderr.contains("3 faults in the configuration"), "{stderr}");
    for variable in ["SYSNDD_DATABASE_URL", "SYSNDD_BIND", "SYSNDD_MIGRATE"] {
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

        let before = status().await;
        assert_eq!(before["pending"].as_array().expect("a list").len(), 5);
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
            (&serde_json::json!([]), &5.into())
        );

        let (code, text, _) = migrate(&["status"]).await;
        assert!(code.success());
        assert_eq!(
            text,
            [
                "head     005_reference_data.sql",
                "applied  5",
                "pending  0",
                "lock     free"
            ]
        );
    })
    .await;
}
