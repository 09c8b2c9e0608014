//! From the first line to ready.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mysql_async::prelude::Queryable as _;
use rustix::process::Signal;
use sysndd_protocol::{Event, MigrationPath, ReadyStatus};

use crate::support::{
    GATE, Launch, Replica, SECRET_KEY, eventually, migrations, shipped_migrations, shut_gate,
    with_database,
};

fn applied(replicas: &[Replica]) -> Vec<String> {
    let events = replicas.iter().flat_map(Replica::events);
    events
        .filter_map(|event| match event.event {
            Event::MigrationApplied { file, .. } => Some(file),
            _ => None,
        })
        .collect()
}

fn names(replica: &Replica) -> Vec<String> {
    let name = |line: String| {
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        line["event"].as_str().expect("text").to_owned()
    };
    replica
        .events()
        .iter()
        .map(|event| name(event.to_line()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn of_four_replicas_on_an_empty_database_one_applies_and_all_become_ready() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let launch =
            |name: &str| Launch::serve(name, &db.url(), data.path(), shipped_migrations()).start();
        let replicas = ["api-1", "api-2", "api-3", "api-4"].map(launch);
        for replica in &replicas {
            replica.is_ready().await;
        }

        let locks = replicas
            .iter()
            .flat_map(names)
            .filter(|name| name == "migration.lock_acquired");
        assert_eq!(locks.count(), 1, "one replica finds work under the lock");
        let mut shipped: Vec<String> = std::fs::read_dir(shipped_migrations())
            .expect("readable")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .filter(|name| {
                Path::new(name)
                    .extension()
                    .is_some_and(|extension| extension == "sql")
            })
            .collect();
        shipped.sort();
        assert_eq!(
            applied(&replicas),
            shipped,
            "each file is applied once, in order"
        );

        let mut paths = Vec::new();
        for replica in &replicas {
            // Workers look for jobs now and then, with a connection of the pool.
            let answer = eventually("a pool at rest", async || {
                let answer = replica.get("/api/health/ready").await;
                (answer.report().database.pool.in_use == 0).then_some(answer)
            })
            .await;
            let report = answer.report();
            assert_eq!(
                (answer.status, report.status, &report.reason),
                (200, ReadyStatus::Ready, &None)
            );
            assert_eq!(report.release.expect("a release").as_str(), "r-test");
            assert_eq!(report.migrations.head.as_ref(), shipped.last());
            assert_eq!(report.migrations.applied, Some(shipped.len()));
            assert_eq!(
                (report.migrations.pending, report.migrations.ahead),
                (Some(0), Some(0))
            );
            assert!(!report.migrations.lock.held);
            assert!(report.data_dir.writable);
            assert!(report.database.latency_ms.expect("measured") > 0.0);
            assert_eq!(report.database.pool.max, 8);
            assert!(report.database.pool.idle >= 1, "the pool is warm");
            paths.push(report.migrations.startup.expect("it is over"));
        }
        let appliers: Vec<_> = paths
            .iter()
            .filter(|startup| startup.path == MigrationPath::Applied)
            .collect();
        assert_eq!(appliers.len(), 1);
        assert!(appliers[0].lock_acquired);
        assert_eq!(appliers[0].applied, shipped.len());

        let late = launch("api-5");
        late.is_ready().await;
        assert_eq!(
            names(&late),
            [
                "startup.begin",
                "data_dir.writable",
                "db.connected",
                "migration.fast_path",
                "startup.ready"
            ]
        );
        assert_eq!(
            std::fs::read_dir(data.path()).expect("readable").count(),
            0,
            "probes leave nothing"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn what_is_pending_can_be_seen_while_it_is_applied() {
    with_database(|db| async move {
        let mut conn = db.connect().await;
        shut_gate(&mut conn).await;
        let files = migrations(&[
            ("001_first.sql", "CREATE TABLE first (id INT PRIMARY KEY);"),
            GATE,
        ]);
        let data = tempfile::tempdir().expect("a directory");
        let replica =
            Launch::serve("api-1", &db.url(), data.path(), files.path().to_owned()).start();

        let report = replica
            .becomes("one file applied", |report| {
                report.migrations.applied == Some(1)
            })
            .await;
        assert_eq!(report.status, ReadyStatus::Starting);
        assert_eq!(report.migrations.pending, Some(1));
        assert_eq!(report.migrations.startup, None);
        assert!(report.migrations.lock.held);
        let holder = report.migrations.lock.holder.expect("a holder");
        assert!(holder.contains("api-1"), "{holder}");

        conn.query_drop("UNLOCK TABLES").await.expect("opened");
        let report = replica
            .becomes("ready", |report| report.status == ReadyStatus::Ready)
            .await;
        assert_eq!(
            (report.migrations.applied, report.migrations.pending),
            (Some(2), Some(0))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_ready_replica_that_falls_behind_its_files_says_so() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let replica = Launch::serve("api-1", &db.url(), data.path(), shipped_migrations()).start();
        replica.is_ready().await;
        let mut conn = db.connect().await;
        conn.query_drop("DELETE FROM schema_version WHERE version = 5")
            .await
            .expect("deleted");
        let answer = replica.get("/health/ready").await;
        let report = answer.report();
        assert_eq!(
            (answer.status, report.status),
            (503, ReadyStatus::Unavailable)
        );
        assert_eq!(report.migrations.pending, Some(1));
        assert_eq!(report.reason.as_deref(), Some("1 migration pending"));

        conn.query_drop("DROP TABLE schema_version")
            .await
            .expect("dropped");
        conn.query_drop("CREATE TABLE schema_version (id INT)")
            .await
            .expect("made");
        let report = replica.get("/health/ready").await.report();
        assert_eq!(
            report.migrations.pending, None,
            "nothing is claimed about a ledger that cannot be read"
        );
        assert_eq!(report.status, ReadyStatus::Unavailable);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_migration_that_fails_ends_the_replica_with_the_statement_in_the_event() {
    with_database(|db| async move {
        let files = migrations(&[("001_wrong.sql", "SELECT 1;\nSELECT * FROM nowhere;")]);
        let data = tempfile::tempdir().expect("a directory");
        let replica =
            Launch::serve("api-1", &db.url(), data.path(), files.path().to_owned()).start();
        let failed = replica
            .event("migration.failed", |event| match event {
                Event::MigrationFailed {
                    file,
                    statement,
                    code,
                    ..
                } => Some((file.clone(), *statement, *code)),
                _ => None,
            })
            .await;
        assert_eq!(
            failed,
            (Some("001_wrong.sql".to_owned()), Some(2), Some(1146))
        );
        let (status, _, stderr) = replica.end().await;
        assert_eq!(status.code(), Some(1));
        assert!(stderr.contains("001_wrong.sql:2"), "{stderr}");
    })
    .await;
}

#[tokio::test]
async fn a_data_directory_of_another_owner_is_refused_by_name() {
    const STRANGER: u32 = 12_345;
    let root = rustix::process::geteuid().is_root();
    let home = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).expect("opened");
    let data = home.path().join("data");
    std::fs::create_dir(&data).expect("made");
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o555)).expect("shut");
    // The program may lie where only this user can reach it.
    let program = home.path().join("sysndd-api");
    std::fs::copy(env!("CARGO_BIN_EXE_sysndd-api"), &program).expect("copied");
    let files = home.path().join("migrations");
    std::fs::create_dir(&files).expect("made");

    let launch = Launch::of(&program, &["serve"])
        .set(
            "SYSNDD_DATABASE_URL",
            "mysql://nobody:canary-for-tests@127.0.0.1:1/none",
        )
        .set("SYSNDD_SECRET_KEY", SECRET_KEY)
        .set("SYSNDD_MIGRATIONS_DIR", &files)
        .set("SYSNDD_DATA_DIR", &data);
    let launch = if root { launch.uid(STRANGER) } else { launch };
    let (status, stdout, stderr) = launch.start().end().await;

    let uid = if root {
        STRANGER
    } else {
        rustix::process::geteuid().as_raw()
    };
    let owner = rustix::process::geteuid().as_raw();
    assert_eq!(status.code(), Some(1), "{stderr}");
    for part in [
        format!("the data directory {} as UID {uid}", data.display()),
        format!("it belongs to UID {owner} "),
        "chown".to_owned(),
    ] {
        assert!(stderr.contains(&part), "{part:?} is not in {stderr}");
    }
    assert!(
        stdout
            .iter()
            .any(|line| line.contains("\"ERROR\"") && line.contains("data directory"))
    );
    assert!(!(stdout.join("\n") + &stderr).contains("canary"));
}

#[tokio::test]
async fn while_the_database_is_not_there_a_replica_lives_and_is_starting_until_it_is_told_to_end() {
    let data = tempfile::tempdir().expect("a directory");
    let files = migrations(&[]);
    let nobody = "mysql://nobody:canary-for-tests@127.0.0.1:1/none";
    let replica = Launch::serve("api-1", nobody, data.path(), files.path().to_owned()).start();
    assert_eq!(replica.get("/health").await.status, 200);
    let answer = replica.get("/health/ready").await;
    assert_eq!(
        (answer.status, answer.report().status),
        (503, ReadyStatus::Starting)
    );
    replica.signal(Signal::TERM);
    let (status, stdout, stderr) = replica.end().await;
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(
        stdout
            .last()
            .expect("output")
            .contains("\"shutdown.drained\""),
        "{stdout:?}"
    );
    assert!(!stdout.join("\n").contains("canary"));
}

#[tokio::test]
async fn a_database_that_never_comes_ends_the_replica() {
    let data = tempfile::tempdir().expect("a directory");
    let files = migrations(&[]);
    let nobody = "mysql://nobody:canary-for-tests@127.0.0.1:1/none";
    let (status, stdout, stderr) =
        Launch::serve("api-1", nobody, data.path(), files.path().to_owned())
            .set("SYSNDD_DB_CONNECT_WAIT", "300ms")
            .start()
            .end()
            .await;
    assert_eq!(status.code(), Some(1));
    assert!(
        stderr.contains("connecting to mysql://nobody@127.0.0.1:1/none: "),
        "{stderr}"
    );
    assert!(!(stdout.join("\n") + &stderr).contains("canary"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_database_whose_certificate_another_authority_signed_is_told_nothing() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let authority =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/another_authority.pem");
        let (status, stdout, stderr) =
            Launch::serve("api-1", &db.url(), data.path(), shipped_migrations())
                .set("SYSNDD_DB_CA", authority)
                .set("SYSNDD_DB_CONNECT_WAIT", "1s")
                .start()
                .end()
                .await;
        assert_eq!(status.code(), Some(1), "{stdout:?}");
        assert!(stderr.contains("certificate"), "{stderr}");
        assert!(stderr.contains("SYSNDD_DB_CA"), "{stderr}");
        let mut conn = db.connect().await;
        let tables: Vec<String> = conn.query("SHOW TABLES").await.expect("asked");
        assert!(tables.is_empty(), "{tables:?}");
        conn.disconnect().await.expect("closed");
    })
    .await;
}
