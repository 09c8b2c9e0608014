//! Ledgers that are older, changed, ahead or closed.

use mysql_async::Conn;
use sysndd_migrator::{MigrateError, Refusal, State, migrate, read_ledger};

use crate::support::{Events, files, refused, settings, started, with_database};

const OLDER: &str = "CREATE TABLE schema_version (filename VARCHAR(255) PRIMARY KEY, \
     applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL DEFAULT TRUE)";

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn the_older_ledger_is_adopted_without_losing_a_row_or_running_a_file_again() {
    with_database(|db| async move {
        db.run(OLDER).await;
        db.run("INSERT INTO schema_version (filename) VALUES ('001_a.sql'), ('002_one.sql'), ('002_two.sql'), ('003_gone.sql')").await;
        // These would fail if they ran, and 002 is there twice, as in the original.
        let set = files(&[
            ("001_a.sql", "RUNS AGAIN"),
            ("002_one.sql", "RUNS AGAIN"),
            ("002_two.sql", "RUNS AGAIN"),
            ("004_new.sql", "CREATE TABLE a (id INT PRIMARY KEY);"),
        ]);
        let (outcome, _) = started(&db, &set, "api-1").await;
        assert_eq!(outcome.applied, ["004_new.sql"]);
        let states: Vec<_> = db.ledger().await.into_iter().map(|row| (row.filename, row.state)).collect();
        assert_eq!(
            states,
            [
                ("001_a.sql".to_owned(), State::Adopted),
                ("002_one.sql".to_owned(), State::Adopted),
                ("002_two.sql".to_owned(), State::Adopted),
                ("003_gone.sql".to_owned(), State::Adopted),
                ("004_new.sql".to_owned(), State::Applied),
            ]
        );
        // An older writer still works beside it, and reads what is applied.
        db.run("INSERT INTO schema_version (filename, success) VALUES ('005_older.sql', 1)").await;
        assert_eq!(db.row("005_older.sql").await.state, State::Adopted);
        assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM schema_version WHERE success = 1").await, 6);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn an_older_ledger_with_nothing_pending_is_left_as_it_is() {
    with_database(|db| async move {
        db.run(OLDER).await;
        db.run("INSERT INTO schema_version (filename) VALUES ('001_a.sql')").await;
        let (_, events) = started(&db, &files(&[("001_a.sql", "RUNS AGAIN")]), "api-1").await;
        assert_eq!(events.names(), ["fast_path"]);
        let columns = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'schema_version'";
        assert_eq!(db.one::<i64>(columns).await, 3);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_failure_in_the_older_ledger_is_in_doubt_and_not_run_again() {
    with_database(|db| async move {
        db.run(OLDER).await;
        db.run("INSERT INTO schema_version (filename, success) VALUES ('001_a.sql', 0)")
            .await;
        let (error, _) = refused(
            &db,
            &files(&[("001_a.sql", "CREATE TABLE a (id INT);")]),
            "api-1",
        )
        .await;
        assert!(
            matches!(&error, MigrateError::InDoubt { file, .. } if file == "001_a.sql"),
            "{error}"
        );
        assert_eq!(db.row("001_a.sql").await.state, State::InDoubt);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn changed_missing_and_breaking_files_are_refused_all_at_once() {
    with_database(|db| async move {
        let before = files(&[
            ("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY);"),
            ("002_b.sql", "CREATE TABLE b (id INT PRIMARY KEY);"),
            ("003_c.sql", "CREATE TABLE c (id INT PRIMARY KEY);"),
            ("004_d.sql", "-- compat: breaking\nDROP TABLE b;"),
        ]);
        started(&db, &before, "api-1").await;
        let after = files(&[
            ("001_a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY);"),
            ("003_c.sql", "CREATE TABLE c (id INT PRIMARY KEY);"),
        ]);
        let (error, events) = refused(&db, &after, "api-2").await;
        let MigrateError::Refused(refusals) = &error else {
            panic!("{error}")
        };
        assert!(
            matches!(&refusals[..], [
            Refusal::Changed { file: changed, .. },
            Refusal::Missing { file: missing, .. },
            Refusal::AheadBreaking { file: breaking, .. },
        ] if changed == "001_a.sql" && missing == "002_b.sql" && breaking == "004_d.sql"),
            "{refusals:?}"
        );
        assert_eq!(events.names(), ["failed"]);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_database_ahead_by_backward_files_is_served() {
    with_database(|db| async move {
        let old = ("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY);");
        started(
            &db,
            &files(&[old, ("002_b.sql", "CREATE TABLE b (id INT PRIMARY KEY);")]),
            "api-1",
        )
        .await;
        let (outcome, events) = started(&db, &files(&[old]), "api-2").await;
        assert_eq!(events.names(), ["fast_path"]);
        assert_eq!(outcome.ahead, ["002_b.sql"]);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_ledger_that_may_not_be_read_is_an_error_and_never_all_pending() {
    with_database(|db| async move {
        let set = files(&[("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY);")]);
        started(&db, &set, "api-1").await;
        // May do everything to one other table, and nothing to the ledger.
        let opts = db.as_user_with(&[&format!("ALL ON {}.a", db.name())]).await;
        let events = Events::default();
        let error = migrate(opts.clone(), &set, &settings("api-2"), &events)
            .await
            .expect_err("cannot read");
        assert!(
            matches!(error, MigrateError::Ledger { doing: "read", .. }),
            "{error}"
        );
        assert_eq!((error.code(), error.is_transient()), (Some(1142), false));
        assert_eq!(events.names(), ["failed"]);
        assert!(
            read_ledger(&mut Conn::new(opts).await.expect("connects"))
                .await
                .is_err()
        );
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_table_of_that_name_that_is_no_ledger_is_refused() {
    with_database(|db| async move {
        let set = files(&[("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY);")]);
        db.run("CREATE TABLE schema_version (version INT, applied_at TIMESTAMP)")
            .await;
        let (error, _) = refused(&db, &set, "api-1").await;
        assert!(matches!(error, MigrateError::NotALedger { .. }), "{error}");
        db.run("DROP TABLE schema_version").await;
        db.run("CREATE TABLE schema_version (version INT)").await;
        let (error, _) = refused(&db, &set, "api-1").await;
        assert!(matches!(error, MigrateError::NotALedger { .. }), "{error}");
    })
    .await;
}
