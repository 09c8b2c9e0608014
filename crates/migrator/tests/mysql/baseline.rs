//! A ledger for a schema that was made before there was one.

use sysndd_migrator::{MigrateError, MigrationSet, Refusal, State, Upto, baseline};

use crate::support::{Database, files, refused, settings, started, with_database};

/// Files that would fail if they ran on a database that has `a` and `b`.
fn set() -> MigrationSet {
    files(&[
        (
            "001_a.sql",
            "-- verify: SELECT COUNT(*) = 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'a'\n\
             CREATE TABLE a (id INT PRIMARY KEY);",
        ),
        (
            "002_b.sql",
            "-- verify: SELECT COUNT(*) FROM b\nCREATE TABLE b (id INT PRIMARY KEY);\nINSERT INTO b VALUES (1);",
        ),
        ("003_c.sql", "CREATE TABLE c (id INT PRIMARY KEY);"),
    ])
}

async fn refusal(db: &Database, set: &MigrationSet, upto: &Upto) -> String {
    let error = baseline(db.opts(), set, &settings("person"), upto, false)
        .await
        .expect_err("refused");
    assert!(matches!(error, MigrateError::NoBaseline { .. }), "{error}");
    error.to_string()
}

async fn has_ledger(db: &Database) -> bool {
    let query = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'schema_version'";
    db.one::<i64>(query).await == 1
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn files_of_a_schema_without_a_ledger_are_recorded_and_not_run() {
    with_database(|db| async move {
        db.run("CREATE TABLE a (id INT PRIMARY KEY)").await;
        db.run("CREATE TABLE b (id INT PRIMARY KEY)").await;
        db.run("INSERT INTO b VALUES (7)").await;
        let (set, upto) = (set(), Upto::File("002_b.sql".to_owned()));
        let made = baseline(db.opts(), &set, &settings("person"), &upto, false).await.expect("a baseline");
        assert_eq!(made.recorded, ["001_a.sql", "002_b.sql"]);
        assert_eq!(made.pending, ["003_c.sql"]);
        assert!(made.conditions.iter().all(sysndd_migrator::Condition::holds), "{made}");
        for (file, row) in set.files().iter().zip(db.ledger().await) {
            assert_eq!((row.filename.as_str(), row.state), (file.name(), State::Adopted));
            assert_eq!(row.checksum.as_deref(), Some(file.checksum()));
            assert_eq!((row.applied_by.as_deref(), row.run_id), (Some("person"), None));
            assert_eq!((row.statements_done, row.statements_total), (file.statements().len(), file.statements().len()));
        }
        let (outcome, _) = started(&db, &set, "api-1").await;
        assert_eq!(outcome.applied, ["003_c.sql"]);
        assert_eq!(db.one::<i64>("SELECT SUM(id) FROM b").await, 7);

        // Their checksums are known, so they are held to them from now on.
        let changed = files(&[("001_a.sql", "CREATE TABLE a (id BIGINT);"), ("003_c.sql", "CREATE TABLE c (id INT PRIMARY KEY);")]);
        let (error, _) = refused(&db, &changed, "api-2").await;
        let MigrateError::Refused(refusals) = &error else { panic!("{error}") };
        assert!(
            matches!(&refusals[..], [Refusal::Changed { file, .. }, Refusal::Missing { file: missing, .. }]
                if file == "001_a.sql" && missing == "002_b.sql"),
            "{refusals:?}"
        );
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn an_empty_database_and_one_with_a_ledger_get_no_baseline() {
    with_database(|db| async move {
        let set = set();
        let said = refusal(&db, &set, &Upto::All).await;
        assert!(
            said.contains("has no table. Let a start apply the files"),
            "{said}"
        );
        assert!(!has_ledger(&db).await);
        let said = refusal(&db, &set, &Upto::File("004".to_owned())).await;
        assert!(said.contains("no file in"), "{said}");

        started(&db, &set, "api-1").await;
        let before = db.ledger().await;
        let said = refusal(&db, &set, &Upto::All).await;
        assert!(said.contains("has 3 rows already"), "{said}");
        assert_eq!(db.ledger().await, before);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_post_condition_that_does_not_hold_stops_a_baseline_unless_it_is_forced() {
    with_database(|db| async move {
        db.run("CREATE TABLE a (id INT PRIMARY KEY)").await;
        let set = set();
        let said = refusal(&db, &set, &Upto::All).await;
        assert!(
            said.contains("ERROR  002_b.sql:1") && said.contains("--force"),
            "{said}"
        );
        assert!(!has_ledger(&db).await);
        db.run("CREATE TABLE b (id INT PRIMARY KEY)").await;
        let said = refusal(&db, &set, &Upto::File("2".to_owned())).await;
        assert!(said.contains("FALSE  002_b.sql:1"), "{said}");
        assert!(!has_ledger(&db).await);

        let made = baseline(db.opts(), &set, &settings("person"), &Upto::All, true)
            .await
            .expect("forced");
        assert_eq!(made.recorded.len(), 3);
        assert_eq!(
            made.conditions
                .iter()
                .filter(|condition| !condition.holds())
                .count(),
            1
        );
        assert_eq!(db.ledger().await.len(), 3);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_baseline_does_not_get_in_between_an_applier() {
    with_database(|db| async move {
        db.run("CREATE TABLE a (id INT PRIMARY KEY)").await;
        let mut holder = db.connect().await;
        let name = format!("schema-migration:{}:0", db.name());
        let taken: Option<i64> = mysql_async::prelude::Queryable::query_first(
            &mut holder,
            format!("SELECT GET_LOCK('{name}', 0)"),
        )
        .await
        .expect("asked");
        assert_eq!(taken, Some(1));
        let said = refusal(&db, &set(), &Upto::File("1".to_owned())).await;
        assert!(
            said.contains("holds the migration lock and is at work"),
            "{said}"
        );
        assert!(!has_ledger(&db).await);
    })
    .await;
}
