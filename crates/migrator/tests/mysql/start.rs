//! Starts that go well: who applies, who observes, who needs no lock.

use std::sync::Arc;

use sysndd_migrator::{MigrationSet, Mode, Settings, State, migrate, status};
use sysndd_protocol::{Event, MigrationPath, ReleaseId};

use crate::support::{Events, files, settings, started, with_database};

fn three_files() -> MigrationSet {
    files(&[
        (
            "001_a.sql",
            "CREATE TABLE a (id INT PRIMARY KEY, n INT NOT NULL);\nINSERT INTO a VALUES (1, 10), (2, 20);",
        ),
        (
            "002_b.sql",
            "-- verify: SELECT COUNT(*) = 2 FROM a WHERE b = 0\nALTER TABLE a ADD COLUMN b INT NOT NULL DEFAULT 0;",
        ),
        (
            "003_c.sql",
            "BEGIN;\nUPDATE a SET n = n + 1;\nUPDATE a SET n = n * 2;\nCOMMIT;\nCREATE VIEW v AS SELECT SUM(n) AS s FROM a;",
        ),
    ])
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_fresh_database_gets_everything_and_the_ledger_says_so() {
    with_database(|db| async move {
        let set = three_files();
        let events = Events::default();
        let settings = Settings {
            release: Some(ReleaseId::new("r1")),
            ..settings("api-1")
        };
        let outcome = migrate(db.opts(), &set, &settings, &events)
            .await
            .expect("migrates");

        assert_eq!(
            events.names(),
            [
                "pending",
                "lock_acquired",
                "applied",
                "applied",
                "applied",
                "complete"
            ]
        );
        assert_eq!(outcome.startup.path, MigrationPath::Applied);
        assert!(outcome.startup.lock_acquired);
        assert_eq!(outcome.head.as_deref(), Some("003_c.sql"));
        assert_eq!(db.one::<i64>("SELECT s FROM v").await, 2 * 11 + 2 * 21);

        let run_id = events.all().into_iter().find_map(|event| match event {
            Event::MigrationLockAcquired { run_id, .. } => run_id,
            _ => None,
        });
        assert!(run_id.is_some());
        let ledger = db.ledger().await;
        assert_eq!(ledger.len(), 3);
        for (row, file) in ledger.iter().zip(set.files()) {
            assert_eq!(
                (row.filename.as_str(), row.version),
                (file.name(), Some(file.version()))
            );
            assert_eq!(
                (row.state, row.checksum.as_deref()),
                (State::Applied, Some(file.checksum()))
            );
            assert_eq!(
                (row.statements_done, row.statements_total),
                (file.statements().len(), file.statements().len())
            );
            assert_eq!(
                (
                    row.applied_by.as_deref(),
                    row.release.as_deref(),
                    row.run_id.clone()
                ),
                (Some("api-1"), Some("r1"), run_id.clone())
            );
            assert!(
                row.applied_at.is_some()
                    && row.duration_ms.is_some()
                    && row.in_doubt.is_none()
                    && row.error.is_none()
            );
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_second_start_takes_the_fast_path_even_while_another_holds_the_lock() {
    with_database(|db| async move {
        let set = three_files();
        started(&db, &set, "api-1").await;
        let _holder = crate::lock::hold(&db).await;
        let (outcome, events) = started(&db, &set, "api-2").await;
        assert_eq!(
            events.all(),
            [Event::MigrationFastPath {
                head: Some("003_c.sql".into())
            }]
        );
        assert_eq!(outcome.startup.path, MigrationPath::FastPath);
        assert!(!outcome.startup.lock_acquired);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn an_empty_directory_needs_no_ledger() {
    with_database(|db| async move {
        let (_, events) = started(&db, &files(&[]), "api-1").await;
        assert_eq!(events.all(), [Event::MigrationFastPath { head: None }]);
        assert_eq!(
            db.one::<i64>(
                "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
            )
            .await,
            0
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn of_sixteen_starters_on_a_fresh_database_exactly_one_applies() {
    const STARTERS: usize = 16;
    for round in 0..8 {
        with_database(move |db| async move {
            let set = Arc::new(three_files());
            let starts: Vec<_> = (0..STARTERS)
                .map(|n| {
                    let (db, set) = (db.clone(), Arc::clone(&set));
                    tokio::spawn(async move { started(&db, &set, &format!("api-{n}")).await })
                })
                .collect();
            let mut names = Vec::new();
            let mut appliers = Vec::new();
            for (n, start) in starts.into_iter().enumerate() {
                let (outcome, events) = start.await.expect("no panic");
                if outcome.startup.path == MigrationPath::Applied {
                    appliers.push((n, outcome.run_id.clone()));
                }
                let last = *events.names().last().expect("an event");
                assert!(
                    ["complete", "observed", "fast_path"].contains(&last),
                    "round {round}: {:?}",
                    events.names()
                );
                names.extend(events.names());
            }
            let count = |name: &str| names.iter().filter(|found| **found == name).count();
            assert_eq!(
                (count("lock_acquired"), count("applied"), count("complete")),
                (1, 3, 1),
                "round {round}"
            );
            let [(applier, run_id)] = &appliers[..] else {
                panic!("round {round}: {} appliers", appliers.len());
            };
            for row in db.ledger().await {
                assert_eq!(row.applied_by, Some(format!("api-{applier}")));
                assert_eq!(&row.run_id, run_id);
            }
            assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM a").await, 2);
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn procedures_guards_and_result_sets_run_as_in_the_client() {
    with_database(|db| async move {
        let set = files(&[
            ("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY); INSERT INTO a VALUES (1), (2);"),
            (
                "002_guarded.sql",
                "-- resume: rerun\nDROP PROCEDURE IF EXISTS add_note;\nDELIMITER //\nCREATE PROCEDURE add_note()\nBEGIN\n  \
                 IF NOT EXISTS (SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
                 AND TABLE_NAME = 'a' AND COLUMN_NAME = 'note') THEN\n    ALTER TABLE a ADD COLUMN note VARCHAR(20);\n  END IF;\n  \
                 SELECT * FROM a;\n  SELECT COUNT(*) FROM a;\nEND//\nCALL add_note()//\nCALL add_note()//\nDROP PROCEDURE add_note//\n",
            ),
            (
                "003_dynamic.sql",
                "SET @q = 'SELECT id, note FROM a';\nPREPARE s FROM @q;\nEXECUTE s;\nEXECUTE s;\nDEALLOCATE PREPARE s;\n\
                 SET SESSION sql_mode = 'ANSI_QUOTES';\nINSERT INTO a VALUES (3, 'x');\nSELECT 1;",
            ),
            // The session of the file before is gone: no variable, no mode, no other database.
            ("004_clean.sql", "CREATE TABLE seen AS SELECT 1 AS one;\nINSERT INTO a (id, note) VALUES (4, IFNULL(@q, \"none\"));"),
        ]);
        let (outcome, events) = started(&db, &set, "api-1").await;
        assert_eq!(outcome.startup.applied, 4, "{:?}", events.names());
        assert_eq!(db.one::<String>("SELECT note FROM a WHERE id = 4").await, "none");
        assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM a").await, 4);
        let mut conn = db.connect().await;
        assert!(!status(&mut conn, &set).await.expect("status").lock.held, "the lock is free again");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn in_check_mode_a_replica_waits_for_another_and_applies_nothing() {
    with_database(|db| async move {
        let set = Arc::new(three_files());
        let (its_db, its_set) = (db.clone(), Arc::clone(&set));
        let check = tokio::spawn(async move {
            let events = Events::default();
            let settings = Settings {
                mode: Mode::Check,
                ..settings("checker")
            };
            let outcome = migrate(its_db.opts(), &its_set, &settings, &events)
                .await
                .expect("observes");
            (outcome, events)
        });
        started(&db, &set, "api-1").await;
        let (outcome, events) = check.await.expect("no panic");
        assert!(!events.names().contains(&"lock_acquired") && !events.names().contains(&"applied"));
        assert_ne!(outcome.startup.path, MigrationPath::Applied);

        let off = Settings {
            mode: Mode::Off,
            ..settings("off")
        };
        let events = Events::default();
        migrate(
            db.opts(),
            &files(&[("009_new.sql", "SELECT 1")]),
            &off,
            &events,
        )
        .await
        .expect("ignores");
        assert_eq!(events.all(), []);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn status_is_live() {
    with_database(|db| async move {
        let set = three_files();
        let mut conn = db.connect().await;
        let before = status(&mut conn, &set).await.expect("status of a database without a ledger");
        assert_eq!((before.head, before.applied, before.pending.len(), before.ahead.len()), (None, 0, 3, 0));
        started(&db, &set, "api-1").await;
        let after = status(&mut conn, &set).await.expect("status");
        assert_eq!((after.head.as_deref(), after.applied, after.pending.len()), (Some("003_c.sql"), 3, 0));
        assert_eq!((after.rows.len(), after.problems.len(), after.lock.held), (3, 0, false));
        let older = files(&[("001_a.sql", "CREATE TABLE a (id INT PRIMARY KEY, n INT NOT NULL);\nINSERT INTO a VALUES (1, 10), (2, 20);")]);
        let ahead = status(&mut conn, &older).await.expect("status");
        assert_eq!((ahead.applied, ahead.pending.len(), ahead.ahead), (1, 0, vec!["002_b.sql".to_owned(), "003_c.sql".to_owned()]));
    })
    .await;
}
