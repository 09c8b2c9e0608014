//! Appliers that die at random moments: the end is the same as without a death.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use sysndd_migrator::{MigrationSet, State};

use crate::support::{Database, files, start, with_database};

/// In one round.
const MOST_DEATHS: usize = 20;
/// Fresh databases, unless `SYSNDD_TEST_ROUNDS` says another number.
const ROUNDS: usize = 5;

/// Every kind of unit, and nothing that may end in doubt. The keys are written out: numbers that
/// `InnoDB` gave to an insert which was undone stay used up.
pub(crate) fn all_kinds() -> MigrationSet {
    files(&[
        (
            "001_tables.sql",
            "CREATE TABLE a (id INT PRIMARY KEY, n INT NOT NULL);\n\
             INSERT INTO a (id, n) VALUES (1, 1), (2, 2), (3, 3);\nUPDATE a SET n = n * 10;\nALTER TABLE a ADD COLUMN m INT NOT NULL DEFAULT 7;\n\
             CREATE INDEX by_n ON a (n);\nINSERT INTO a (id, n) SELECT id + 10, n + 1 FROM (SELECT id, n FROM a) b;",
        ),
        (
            "002_transaction.sql",
            "START TRANSACTION;\nINSERT INTO a (id, n, m) VALUES (20, 100, 1);\nUPDATE a SET m = m + 1;\nDELETE FROM a WHERE n = 10;\nCOMMIT;\n\
             CREATE TABLE b LIKE a;\nINSERT INTO b SELECT * FROM a;\nRENAME TABLE b TO c;\nDROP INDEX by_n ON c;",
        ),
        (
            "003_procedure.sql",
            "-- resume: rerun\nDROP PROCEDURE IF EXISTS widen;\nDELIMITER //\nCREATE PROCEDURE widen()\nBEGIN\n\
             IF NOT EXISTS (SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'a' AND COLUMN_NAME = 'w')\n\
             THEN ALTER TABLE a ADD COLUMN w INT; END IF;\nIF NOT EXISTS (SELECT 1 FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'c' AND COLUMN_NAME = 'w')\nTHEN ALTER TABLE c ADD COLUMN w INT; END IF;\n\
             UPDATE a SET w = n + m;\nEND//\nCALL widen()//\nDROP PROCEDURE IF EXISTS widen//\n",
        ),
        (
            "004_guarded.sql",
            "SET @note = 'x';\nCREATE TABLE IF NOT EXISTS d (id INT PRIMARY KEY);\nCREATE OR REPLACE VIEW v AS SELECT SUM(n) AS s FROM a;\n\
             DROP TABLE IF EXISTS nothing;",
        ),
        (
            "005_last.sql",
            "-- verify: SELECT COUNT(*) = 6 FROM a\nINSERT INTO d VALUES (1);\nALTER TABLE d ADD COLUMN e INT NOT NULL DEFAULT 1;\nINSERT INTO d VALUES (2, 2);\n\
             CREATE TRIGGER t BEFORE INSERT ON d FOR EACH ROW SET NEW.e = NEW.e + 1;\nINSERT INTO d VALUES (3, 3);",
        ),
        (
            "006_together.sql",
            "CREATE TABLE e (id INT PRIMARY KEY);\nCREATE TABLE f (id INT PRIMARY KEY, e INT, FOREIGN KEY (e) REFERENCES e (id));\n\
             CREATE VIEW w AS SELECT id FROM f;\nCREATE TRIGGER u BEFORE INSERT ON f FOR EACH ROW SET NEW.e = NEW.id;\n\
             INSERT INTO e VALUES (1);\nCREATE TABLE g (id INT PRIMARY KEY);\nCREATE TABLE IF NOT EXISTS h (id INT PRIMARY KEY);\nINSERT INTO f (id) VALUES (1);",
        ),
    ])
}

/// Definitions and rows of everything but the ledger.
pub(crate) async fn picture(db: &Database) -> Vec<String> {
    let mut conn = db.connect().await;
    let tables: Vec<String> = conn
        .query("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'schema_version' ORDER BY 1")
        .await
        .expect("runs");
    let mut picture = Vec::new();
    for table in tables {
        picture.extend(texts(&mut conn, &format!("SHOW CREATE TABLE `{table}`")).await);
        picture.extend(texts(&mut conn, &format!("SELECT * FROM `{table}` ORDER BY 1")).await);
    }
    picture.extend(texts(&mut conn, "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()").await);
    picture.extend(texts(&mut conn, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()").await);
    picture
}

pub(crate) async fn texts(conn: &mut Conn, query: &str) -> Vec<String> {
    let rows: Vec<mysql_async::Row> = conn.query(query).await.expect("runs");
    let text = |row: mysql_async::Row| {
        let values = row.unwrap().into_iter();
        values
            .map(|value| value.as_sql(false))
            .collect::<Vec<_>>()
            .join(", ")
    };
    rows.into_iter().map(text).collect()
}

/// A small generator, so that a run can be repeated from its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

pub(crate) fn rounds() -> usize {
    std::env::var("SYSNDD_TEST_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS)
}

/// `SYSNDD_TEST_SEED`, or another one every time.
pub(crate) fn seed() -> u64 {
    std::env::var("SYSNDD_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| {
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .expect("after 1970");
            u64::from(now.subsec_nanos()) | 1
        })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn however_often_the_applier_dies_schema_and_rows_end_the_same() {
    let seed = seed();
    with_database(move |undisturbed| async move {
        start(&undisturbed, &all_kinds(), "calm")
            .await
            .0
            .expect("migrates");
        let expected = Arc::new(picture(&undisturbed).await);
        let mut random = Random(seed);
        for round in 0..rounds() {
            let expected = Arc::clone(&expected);
            let mut random = Random(random.below(u64::MAX) | 1);
            with_database(move |db| async move {
                let deaths = die_often(&db, &mut random).await;
                let context = format!("seed {seed}, round {round}, after {deaths} deaths");
                start(&db, &Arc::new(all_kinds()), "last")
                    .await
                    .0
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(picture(&db).await, *expected, "{context}");
                assert!(
                    db.ledger()
                        .await
                        .iter()
                        .all(|row| row.state == State::Applied),
                    "{context}"
                );
            })
            .await;
        }
    })
    .await;
}

/// Starts replicas that die within milliseconds, until one gets through; how many died.
async fn die_often(db: &Database, random: &mut Random) -> usize {
    let set = Arc::new(all_kinds());
    for death in 0..MOST_DEATHS {
        let (its_db, its_set) = (db.clone(), Arc::clone(&set));
        let applier =
            tokio::spawn(async move { start(&its_db, &its_set, &format!("api-{death}")).await.0 });
        tokio::time::sleep(Duration::from_micros(random.below(40_000))).await;
        if random.below(2) == 0 {
            // As kill -9 does it: the connection ends, what runs in the server runs on.
            applier.abort();
        } else {
            kill_appliers(db).await;
        }
        match applier.await {
            Ok(Err(error)) => assert!(error.is_transient(), "death {death}: {error}"),
            Ok(Ok(_)) => return death,
            Err(aborted) => assert!(aborted.is_cancelled(), "death {death}: {aborted}"),
        }
    }
    MOST_DEATHS
}

async fn kill_appliers(db: &Database) {
    let mut conn = db.connect().await;
    let query = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND ID <> CONNECTION_ID()",
        db.name()
    );
    for id in conn.query::<u64, _>(query).await.expect("runs") {
        // It may have ended by itself.
        let _ = conn.query_drop(format!("KILL {id}")).await;
    }
}
