//! The lock while someone else has it.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use sysndd_migrator::{MigrateError, MigrationSet, Settings, lock_holder, migrate, status};
use sysndd_protocol::Event;

use crate::support::{Database, Events, files, settings, start, with_database};

fn one_file() -> MigrationSet {
    files(&[("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY);")])
}

/// A session named `stuck-replica` that holds the migration lock and does nothing.
pub(crate) async fn hold(db: &Database) -> Conn {
    hold_key(db, 0).await
}

async fn hold_key(db: &Database, key: u8) -> Conn {
    let opts = OptsBuilder::from_opts(db.opts()).connect_attribute("replica", "stuck-replica");
    let mut conn = Conn::new(opts).await.expect("the test server answers");
    let query = format!("SELECT GET_LOCK('schema-migration:{}:{key}', 0)", db.name());
    assert_eq!(
        conn.query_first::<i64, _>(query).await.expect("runs"),
        Some(1)
    );
    conn
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_lock_that_is_never_freed_ends_in_an_error_that_names_its_holder() {
    with_database(|db| async move {
        for key in [0, 1] {
            let holder = hold_key(&db, key).await;
            let settings = Settings {
                wait_budget: Duration::from_millis(300),
                ..settings("api-1")
            };
            let events = Events::default();
            let error = migrate(db.opts(), &one_file(), &settings, &events)
                .await
                .expect_err("runs out of patience");
            let MigrateError::WaitedTooLong {
                holder: Some(named),
                pending,
                ..
            } = &error
            else {
                panic!("{error}");
            };
            assert!(
                named.contains("stuck-replica") && named.contains(&holder.id().to_string()),
                "{named}"
            );
            assert_eq!(pending, &["001_a.sql"]);
            assert_eq!(events.names(), ["pending", "lock_wait", "failed"]);
            assert!(!error.is_transient());
            holder.disconnect().await.expect("ends");
            db.wait_until(&format!(
                "SELECT IS_FREE_LOCK('schema-migration:{}:{key}')",
                db.name()
            ))
            .await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_waiter_goes_on_when_the_holder_dies() {
    with_database(|db| async move {
        let holder = hold(&db).await;
        let waiter = db.clone();
        let waiting = tokio::spawn(async move { start(&waiter, &one_file(), "api-1").await });
        db.run(&format!("KILL {}", holder.id())).await;
        let (result, events) = waiting.await.expect("no panic");
        result.expect("migrates");
        assert!(
            events
                .names()
                .ends_with(&["lock_acquired", "applied", "complete"]),
            "{:?}",
            events.names()
        );
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn status_names_the_holder_also_to_a_user_with_few_rights() {
    with_database(|db| async move {
        let set = one_file();
        let holder = hold(&db).await;
        let seen = status(&mut db.connect().await, &set)
            .await
            .expect("status")
            .lock;
        assert!(
            seen.held
                && seen
                    .holder
                    .expect("a holder")
                    .starts_with("replica stuck-replica (connection ")
        );
        assert!(
            lock_holder(&mut db.connect().await)
                .await
                .expect("asked")
                .is_some()
        );

        let few = db
            .as_user_with(&[&format!("SELECT ON {}.*", db.name())])
            .await;
        let seen = status(&mut Conn::new(few).await.expect("connects"), &set)
            .await
            .expect("status")
            .lock;
        assert!(
            seen.held
                && seen
                    .holder
                    .expect("a holder")
                    .contains(&holder.id().to_string())
        );
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn waiters_never_get_in_between_two_sessions_of_one_pass() {
    with_database(|db| async move {
        // Each file makes its session dirty, so each is followed by a change of the session.
        let dirty: Vec<(String, String)> = (1..=12)
            .map(|n| {
                (
                    format!("{n:03}_f.sql"),
                    format!("SET @x = {n};\nCREATE TABLE t{n} (id INT);\nDO SLEEP(0.02);"),
                )
            })
            .collect();
        let dirty: Vec<(&str, &str)> = dirty
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let set = Arc::new(files(&dirty));
        let starts: Vec<_> = (0..8)
            .map(|n| {
                let (db, set) = (db.clone(), Arc::clone(&set));
                tokio::spawn(async move {
                    let events = Events::default();
                    // Waiters that look far more often than they ever would.
                    let settings = Settings {
                        poll_interval: Duration::from_millis(1),
                        ..settings(&format!("api-{n}"))
                    };
                    migrate(db.opts(), &set, &settings, &events)
                        .await
                        .expect("migrates");
                    events
                })
            })
            .collect();
        let mut all = Vec::new();
        for start in starts {
            let events = start.await.expect("no panic");
            let waits = events
                .names()
                .iter()
                .filter(|name| **name == "lock_wait")
                .count();
            assert!(
                waits <= 1,
                "a wait is told once a holder, not once a session: {:?}",
                events.all()
            );
            all.extend(events.all());
        }
        let acquired = all
            .iter()
            .filter(|event| matches!(event, Event::MigrationLockAcquired { .. }))
            .count();
        let applied = all
            .iter()
            .filter(|event| matches!(event, Event::MigrationApplied { .. }))
            .count();
        assert_eq!((acquired, applied), (1, 12));
    })
    .await;
}

/// The holders that a waiter named while it waited in vain, and what it said in the end.
async fn wait_in_vain(db: &Database) -> (Vec<String>, String) {
    let settings = Settings {
        wait_budget: Duration::from_millis(1900),
        wait_report: Duration::from_millis(400),
        ..settings("waiter")
    };
    let events = Events::default();
    let error = migrate(db.opts(), &one_file(), &settings, &events)
        .await
        .expect_err("runs out of patience");
    let holders = events.all().into_iter().filter_map(|event| match event {
        Event::MigrationLockWait { holder } => holder,
        _ => None,
    });
    (holders.collect(), error.to_string())
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn waiters_say_again_and_again_what_a_hung_holder_does() {
    with_database(|db| async move {
        // The lock's holder is an applier whose process is gone; the server is still at it.
        let its_db = db.clone();
        let hung = tokio::spawn(async move {
            let set = files(&[("001_a.sql", "DO /* long */ SLEEP(60);")]);
            start(&its_db, &set, "gone-replica").await
        });
        let connection = db.wait_for_statement("long").await;
        hung.abort();
        let (holders, error) = wait_in_vain(&db).await;
        assert!((2..=5).contains(&holders.len()), "{holders:?}");
        for told in holders.iter().chain([&error]) {
            assert!(
                told.contains(&format!(
                    "replica gone-replica (connection {connection} from "
                )) && told.contains("), which runs `DO /* long */ SLEEP(60)` for "),
                "{told}"
            );
        }
        db.run(&format!("KILL {connection}")).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_holder_without_a_name_is_known_by_the_file_that_is_under_way() {
    with_database(|db| async move {
        let other = files(&[("000_z.sql", "CREATE TABLE z (id INT PRIMARY KEY);")]);
        start(&db, &other, "api-9").await.0.expect("migrates");
        db.run("INSERT INTO schema_version (filename, version, state, checksum, applied_by) VALUES ('001_a.sql', 1, 'running', REPEAT('0', 64), 'api-7')")
            .await;
        let mut holder = db.connect().await;
        let query = format!("SELECT GET_LOCK('schema-migration:{}:0', 0)", db.name());
        assert_eq!(holder.query_first::<i64, _>(query).await.expect("runs"), Some(1));
        let set = files(&[
            ("000_z.sql", "CREATE TABLE z (id INT PRIMARY KEY);"),
            ("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY);"),
        ]);
        let seen = status(&mut db.connect().await, &set).await.expect("status").lock.holder.expect("a holder");
        assert!(
            seen.starts_with(&format!("connection {} from ", holder.id()))
                && seen.contains(" (replica api-7 began 001_a.sql)"),
            "{seen}"
        );
    })
    .await;
}
