//! Appliers that die: the next one carries on from what is certain, or asks.

use std::sync::Arc;

use sysndd_migrator::{Decision, MigrateError, MigrationSet, State, resolve};
use sysndd_protocol::Event;

use crate::support::{Database, files, refused, settings, start, started, with_database};

/// Starts, waits until a statement with `part` runs, and kills its connection in the server.
async fn killed_at(db: &Database, set: &Arc<MigrationSet>, part: &str) -> MigrateError {
    let (dying, its) = (db.clone(), Arc::clone(set));
    let start = tokio::spawn(async move { start(&dying, &its, "dying").await });
    let connection = db.wait_for_statement(part).await;
    db.run(&format!("KILL {connection}")).await;
    start
        .await
        .expect("no panic")
        .0
        .expect_err("the connection was killed")
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn row_changes_happen_exactly_once_however_the_applier_dies() {
    with_database(|db| async move {
        let set = Arc::new(files(&[(
            "001_a.sql",
            "CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, n INT);\nINSERT INTO a (n) VALUES (1);\n\
             INSERT INTO a (n) SELECT 2 + SLEEP(30);\nINSERT INTO a (n) VALUES (3);",
        )]));
        let error = killed_at(&db, &set, "SLEEP(30)").await;
        assert!(error.is_transient(), "{error}");
        let row = db.row("001_a.sql").await;
        assert_eq!((row.state, row.statements_done), (State::Running, 2));

        // The same file without the sleep would be another one: shorten it from outside.
        let quick = files(&[(
            "001_a.sql",
            "CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, n INT);\nINSERT INTO a (n) VALUES (1);\n\
             INSERT INTO a (n) SELECT 2;\nINSERT INTO a (n) VALUES (3);",
        )]);
        let (_, events) = started(&db, &quick, "next").await;
        assert!(events.all().contains(&Event::MigrationResumed { version: 1, from_statement: 3 }));
        assert_eq!(db.one::<String>("SELECT GROUP_CONCAT(n ORDER BY n) FROM a").await, "1,2,3");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_definition_that_ran_before_the_crash_is_not_run_again() {
    with_database(|db| async move {
        let set = files(&[("001_a.sql", "CREATE TABLE a (id INT);\nALTER TABLE a ADD b INT;\nALTER TABLE a ADD c INT;")]);
        // As a dying applier leaves it: statement 2 begun, and done or not.
        for ran in [false, true] {
            db.run("DROP TABLE IF EXISTS a, schema_version").await;
            let before = hash_of_table_a_without_b(&db).await;
            let broken = files(&[("001_a.sql", "CREATE TABLE a (id INT);\nALTER TABLE a ADD b INT;\nALTER TABLE missing ADD c INT;")]);
            refused(&db, &broken, "dying").await;
            let row = db.row("001_a.sql").await;
            assert_eq!((row.state, row.statements_done), (State::Failed, 2));
            if !ran {
                db.run("ALTER TABLE a DROP b").await;
            }
            db.run(&format!(
                "UPDATE schema_version SET state = 'running', statements_done = 1, in_doubt = 2, before_hash = '{before}', \
                 checksum = '{}', done_hash = '{}'",
                set.files()[0].checksum(),
                first_statement_hash(),
            ))
            .await;
            let (_, events) = started(&db, &set, "next").await;
            let from_statement = if ran { 3 } else { 2 };
            assert!(events.all().contains(&Event::MigrationResumed { version: 1, from_statement }), "{:?}", events.all());
            let columns = "SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION) FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'a'";
            assert_eq!(db.one::<String>(columns).await, "id,b,c");
        }
    })
    .await;
}

/// What the ledger notes before `ALTER TABLE a ADD b INT`. Makes the table and drops it.
async fn hash_of_table_a_without_b(db: &Database) -> String {
    db.run("CREATE TABLE a (id INT)").await;
    let (name, definition): (String, String) = db.one("SHOW CREATE TABLE a").await;
    db.run("DROP TABLE a").await;
    hash(&format!("{name}\u{1f}{definition}\0"))
}

fn first_statement_hash() -> String {
    hash("CREATE TABLE a (id INT)\0")
}

fn hash(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    use std::fmt::Write as _;
    Sha256::digest(text)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_call_that_died_is_in_doubt_until_someone_decides() {
    with_database(|db| async move {
        let script = "CREATE TABLE a (n INT);\nDELIMITER //\nCREATE PROCEDURE p()\nBEGIN\n  INSERT INTO a VALUES (1);\n  \
             DO SLEEP(30);\n  INSERT INTO a VALUES (2);\nEND//\nCALL p()//\nINSERT INTO a VALUES (3)//\n";
        let set = Arc::new(files(&[("001_a.sql", script)]));
        killed_at(&db, &set, "SLEEP(30)").await;
        assert_eq!(db.row("001_a.sql").await.state, State::Running);

        for replica in ["next", "after"] {
            let (error, _) = refused(&db, &set, replica).await;
            let MigrateError::InDoubt { file, statement: 3, .. } = &error else { panic!("{error}") };
            assert_eq!(file, "001_a.sql");
            for part in ["migrate resolve 001_a.sql --retry", "statements 3 to 4 are one step"] {
                assert!(error.to_string().contains(part), "{error}");
            }
            assert_eq!(db.row("001_a.sql").await.state, State::InDoubt);
        }

        // What the procedure would have done is done by hand.
        db.run("INSERT INTO a VALUES (2), (3)").await;
        let next = resolve(db.opts(), &set, &settings("person"), "001_a.sql", Decision::Done).await.expect("decides");
        assert_eq!(next, 5);
        started(&db, &set, "next").await;
        assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM a").await, 3);
        let again = resolve(db.opts(), &set, &settings("person"), "001_a.sql", Decision::Done).await.expect_err("done");
        assert!(matches!(again, MigrateError::NothingToResolve { .. }), "{again}");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_file_that_promises_it_may_run_again_does() {
    with_database(|db| async move {
        let script = "-- resume: rerun\nCREATE TABLE IF NOT EXISTS a (n INT PRIMARY KEY);\nSET @s = (SELECT IF(COUNT(*) = 0, 30, 0) FROM a);\n\
             INSERT IGNORE INTO a VALUES (1);\nDO SLEEP(@s);\nINSERT IGNORE INTO a VALUES (2);";
        let set = Arc::new(files(&[("001_a.sql", script)]));
        killed_at(&db, &set, "SLEEP(@s)").await;
        let (_, events) = started(&db, &set, "next").await;
        assert!(events.all().contains(&Event::MigrationResumed { version: 1, from_statement: 1 }));
        assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM a").await, 2);
    })
    .await;
}
