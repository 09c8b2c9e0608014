//! The estimates of the dry run against the server: what is predicted is accepted, and anything
//! better is refused. A wrong line in the table of `src/impact` fails here.

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use sysndd_migrator::{Algorithm, Gaps, Impact, Lock, plan};

use crate::support::{Database, files, with_database};

/// The server's answers that mean "not that way".
const REFUSALS: [u16; 2] = [1845, 1846];

const OTHER: &str = "CREATE TABLE other (id INT PRIMARY KEY) ENGINE=InnoDB";
const TABLES: [&str; 5] = [
    "CREATE TABLE p (id INT NOT NULL, a INT) ENGINE=InnoDB PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (10), PARTITION high VALUES LESS THAN MAXVALUE)",
    "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT NOT NULL, b VARCHAR(20) NULL, c VARCHAR(60) NULL, \
     d ENUM('x', 'y') NULL, e SET('x', 'y') NULL, o INT NULL, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) STORED, \
     g GEOMETRY NOT NULL SRID 0, n INT NULL, w VARCHAR(20) CHARACTER SET ascii NULL, m VARCHAR(20) CHARACTER SET utf8mb3 NULL, KEY by_a (a), KEY by_b (b), \
     CONSTRAINT to_other FOREIGN KEY (o) REFERENCES other (id), CONSTRAINT positive CHECK (a > 0)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
    "CREATE TABLE k (id INT NOT NULL, a INT NULL) ENGINE=InnoDB",
    "CREATE TABLE f (id INT NOT NULL PRIMARY KEY, a VARCHAR(50), b VARCHAR(50), FULLTEXT KEY (a)) ENGINE=InnoDB",
    "CREATE TABLE z (id INT NOT NULL PRIMARY KEY, a INT) ENGINE=InnoDB ROW_FORMAT=COMPRESSED",
];

/// The table that the statement is about, as it is at the begin of each case.
async fn fresh_table(conn: &mut Conn, statement: &str) {
    let name = statement.split(' ').nth(2).expect("ALTER TABLE name");
    let table = TABLES
        .iter()
        .find(|table| table.starts_with(&format!("CREATE TABLE {name} ")))
        .expect("a table of that name");
    let row = match name {
        "t" => {
            "INSERT INTO t (id, a, b, c, o, g, n) VALUES (1, 1, 'b', 'c', 1, ST_GeomFromText('POINT(1 1)', 0), 1)"
        }
        "f" => "INSERT INTO f VALUES (1, 'a', 'b')",
        "k" => "INSERT INTO k VALUES (1, 1)",
        "p" => "INSERT INTO p VALUES (1, 1), (30, 1)",
        _ => "INSERT INTO z VALUES (1, 1)",
    };
    for statement in [&format!("DROP TABLE IF EXISTS {name}, t2"), *table, row] {
        conn.query_drop(statement).await.expect("runs");
    }
}

/// Changes with every rebuild.
async fn table_id(conn: &mut Conn, statement: &str) -> Option<u64> {
    let name = statement.split(' ').nth(2).expect("ALTER TABLE name");
    let query = format!(
        "SELECT TABLE_ID FROM information_schema.INNODB_TABLES WHERE NAME = CONCAT(DATABASE(), '/{name}')"
    );
    conn.query_first(query).await.expect("read")
}

async fn estimate(conn: &mut Conn, statement: &str) -> Impact {
    let set = files(&[("1_a.sql", statement)]);
    let plan = plan(conn, &set, Gaps::Allow).await.expect("planned");
    plan.files[0].statements[0]
        .impact
        .clone()
        .expect("an estimate")
}

fn clause(algorithm: Algorithm, lock: Lock) -> String {
    // INSTANT takes no LOCK.
    match algorithm {
        Algorithm::Instant => ", ALGORITHM=INSTANT".to_owned(),
        _ => format!(", ALGORITHM={}, LOCK={}", algorithm.as_str(), lock.as_str()),
    }
}

/// What would be better than the estimate, and so must be refused.
fn better(found: &Impact) -> Vec<String> {
    match (found.algorithm, found.lock) {
        (Algorithm::Copy, _) => vec![
            clause(Algorithm::Inplace, Lock::Shared),
            clause(Algorithm::Copy, Lock::None),
        ],
        (Algorithm::Inplace, Lock::Shared) => vec![
            clause(Algorithm::Instant, Lock::None),
            clause(Algorithm::Inplace, Lock::None),
        ],
        (Algorithm::Inplace, _) => vec![clause(Algorithm::Instant, Lock::None)],
        _ => vec![],
    }
}

const COPY: (Algorithm, bool, Lock) = (Algorithm::Copy, true, Lock::Shared);
const REBUILD: (Algorithm, bool, Lock) = (Algorithm::Inplace, true, Lock::None);
const LIGHT: (Algorithm, bool, Lock) = (Algorithm::Inplace, false, Lock::None);
const INSTANT: (Algorithm, bool, Lock) = (Algorithm::Instant, false, Lock::None);

const CASES: &[(&str, (Algorithm, bool, Lock))] = &[
    // Columns
    ("ALTER TABLE t ADD COLUMN x INT", INSTANT),
    (
        "ALTER TABLE t ADD x INT NOT NULL DEFAULT 5 AFTER id",
        INSTANT,
    ),
    (
        "ALTER TABLE t ADD x DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP",
        INSTANT,
    ),
    (
        "ALTER TABLE t ADD x VARCHAR(36) NOT NULL DEFAULT (CONCAT('a', 'b'))",
        COPY,
    ),
    ("ALTER TABLE t ADD x INT AS (a * 2) VIRTUAL", INSTANT),
    ("ALTER TABLE t ADD x INT AS (a * 2) STORED", COPY),
    (
        "ALTER TABLE k ADD x INT NOT NULL AUTO_INCREMENT PRIMARY KEY",
        (Algorithm::Inplace, true, Lock::Shared),
    ),
    ("ALTER TABLE t ADD x INT UNIQUE", REBUILD),
    ("ALTER TABLE t ADD x INT, ADD KEY (n)", REBUILD),
    ("ALTER TABLE t ADD x INT CHECK (x > 0)", COPY),
    ("ALTER TABLE z ADD x INT", REBUILD),
    ("ALTER TABLE f ADD x INT", COPY),
    ("ALTER TABLE t DROP COLUMN n", INSTANT),
    ("ALTER TABLE t DROP b", REBUILD),
    ("ALTER TABLE t DROP v", INSTANT),
    ("ALTER TABLE t DROP s", INSTANT),
    ("ALTER TABLE t RENAME COLUMN n TO nn", INSTANT),
    ("ALTER TABLE t CHANGE n nn INT NULL", INSTANT),
    ("ALTER TABLE t MODIFY n INT NULL DEFAULT 7", INSTANT),
    ("ALTER TABLE t MODIFY n INT NULL COMMENT 'new'", INSTANT),
    ("ALTER TABLE t MODIFY n INT NULL FIRST", REBUILD),
    ("ALTER TABLE t MODIFY n INT NOT NULL", REBUILD),
    ("ALTER TABLE t MODIFY n BIGINT NULL", COPY),
    ("ALTER TABLE t MODIFY n INT UNSIGNED NULL", COPY),
    ("ALTER TABLE t MODIFY b VARCHAR(30) NULL", LIGHT),
    ("ALTER TABLE t MODIFY b VARCHAR(63) NULL", LIGHT),
    ("ALTER TABLE t MODIFY b VARCHAR(64) NULL", COPY),
    ("ALTER TABLE t MODIFY b VARCHAR(10) NULL", COPY),
    (
        "ALTER TABLE t MODIFY w VARCHAR(255) CHARACTER SET ascii NULL",
        LIGHT,
    ),
    (
        "ALTER TABLE t MODIFY w VARCHAR(256) CHARACTER SET ascii NULL",
        COPY,
    ),
    ("ALTER TABLE t MODIFY w VARCHAR(20) NULL", COPY),
    ("ALTER TABLE t MODIFY c TEXT NULL", COPY),
    ("ALTER TABLE t MODIFY d ENUM('x', 'y', 'z') NULL", INSTANT),
    ("ALTER TABLE t MODIFY d ENUM('z', 'x', 'y') NULL", COPY),
    ("ALTER TABLE t MODIFY e SET('x', 'y', 'z') NULL", INSTANT),
    ("ALTER TABLE t ALTER COLUMN n SET DEFAULT 3", INSTANT),
    ("ALTER TABLE t ALTER COLUMN n DROP DEFAULT", INSTANT),
    ("ALTER TABLE t ALTER COLUMN n SET INVISIBLE", INSTANT),
    // Keys
    ("ALTER TABLE t ADD INDEX by_n (n)", LIGHT),
    ("ALTER TABLE t ADD UNIQUE KEY (n)", LIGHT),
    ("ALTER TABLE t DROP INDEX by_a", LIGHT),
    ("ALTER TABLE t RENAME INDEX by_a TO by_aa", LIGHT),
    ("ALTER TABLE t ALTER INDEX by_a INVISIBLE", LIGHT),
    (
        "ALTER TABLE t ADD SPATIAL INDEX (g)",
        (Algorithm::Inplace, false, Lock::Shared),
    ),
    (
        "ALTER TABLE t ADD FULLTEXT INDEX (b)",
        (Algorithm::Inplace, true, Lock::Shared),
    ),
    (
        "ALTER TABLE f ADD FULLTEXT INDEX (b)",
        (Algorithm::Inplace, false, Lock::Shared),
    ),
    ("ALTER TABLE k ADD PRIMARY KEY (id)", REBUILD),
    ("ALTER TABLE z DROP PRIMARY KEY", COPY),
    (
        "ALTER TABLE z DROP PRIMARY KEY, ADD PRIMARY KEY (id, a)",
        REBUILD,
    ),
    // Constraints
    (
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES other (id)",
        COPY,
    ),
    ("ALTER TABLE t DROP FOREIGN KEY to_other", LIGHT),
    ("ALTER TABLE t ADD CHECK (n > 0)", COPY),
    ("ALTER TABLE t ADD CHECK (n > 0) NOT ENFORCED", INSTANT),
    ("ALTER TABLE t DROP CHECK positive", INSTANT),
    ("ALTER TABLE t ALTER CHECK positive NOT ENFORCED", INSTANT),
    // Several at once
    ("ALTER TABLE t ADD x INT, DROP COLUMN n", INSTANT),
    (
        "ALTER TABLE t ADD x INT, ALTER COLUMN n SET DEFAULT 3",
        INSTANT,
    ),
    (
        "ALTER TABLE t ADD x INT, ADD CHECK (n > 0) NOT ENFORCED",
        INSTANT,
    ),
    ("ALTER TABLE t ADD x INT AS (a) VIRTUAL, ADD y INT", INSTANT),
    (
        "ALTER TABLE t ADD x INT AS (a) VIRTUAL, ADD KEY (x)",
        (Algorithm::Inplace, false, Lock::Shared),
    ),
    ("ALTER TABLE t DROP v, ADD KEY (n)", LIGHT),
    ("ALTER TABLE t DROP n, ADD KEY (c)", REBUILD),
    ("ALTER TABLE t RENAME COLUMN n TO nn, ADD KEY (nn)", LIGHT),
    ("ALTER TABLE t ADD KEY (n), DROP KEY by_a", LIGHT),
    (
        "ALTER TABLE t MODIFY n INT NULL COMMENT 'x', ADD KEY (n)",
        LIGHT,
    ),
    (
        "ALTER TABLE t MODIFY d ENUM('x', 'y', 'z') NULL, ADD KEY (n)",
        LIGHT,
    ),
    (
        "ALTER TABLE t ALTER COLUMN n SET INVISIBLE, ADD KEY (n)",
        LIGHT,
    ),
    ("ALTER TABLE t CHANGE b bb VARCHAR(30) NULL", LIGHT),
    ("ALTER TABLE t ADD KEY (n), ADD CHECK (n > 0)", COPY),
    ("ALTER TABLE t ADD KEY (n), RENAME TO t2", LIGHT),
    ("ALTER TABLE t RENAME COLUMN o TO p", INSTANT),
    (
        "ALTER TABLE t ADD x INT NOT NULL, ADD y JSON, ADD z TEXT NOT NULL, ADD u TIMESTAMP NULL",
        INSTANT,
    ),
    (
        "ALTER TABLE t MODIFY b VARCHAR(20) COLLATE utf8mb4_bin NULL",
        COPY,
    ),
    (
        "ALTER TABLE t MODIFY c VARCHAR(60) COLLATE utf8mb4_bin NULL",
        LIGHT,
    ),
    (
        "ALTER TABLE t MODIFY w VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NULL",
        LIGHT,
    ),
    ("ALTER TABLE t MODIFY c CHAR(60) NULL", COPY),
    ("ALTER TABLE t MODIFY n INT NULL INVISIBLE", INSTANT),
    ("ALTER TABLE t MODIFY b VARCHAR(30) NOT NULL", REBUILD),
    (
        "ALTER TABLE t MODIFY m VARCHAR(20) CHARACTER SET utf8mb4 NULL",
        LIGHT,
    ),
    (
        "ALTER TABLE t MODIFY d ENUM('x', 'y') COLLATE utf8mb4_bin NULL",
        INSTANT,
    ),
    (
        "ALTER TABLE t MODIFY c VARCHAR(63) COLLATE utf8mb4_bin NULL",
        LIGHT,
    ),
    (
        "ALTER TABLE t MODIFY m VARCHAR(64) CHARACTER SET utf8mb4 NULL",
        COPY,
    ),
    // Partitions
    ("ALTER TABLE p ADD x INT", INSTANT),
    ("ALTER TABLE p ADD KEY (a)", LIGHT),
    (
        "ALTER TABLE p REORGANIZE PARTITION high INTO (PARTITION mid VALUES LESS THAN (20), PARTITION high VALUES LESS THAN MAXVALUE)",
        (Algorithm::Inplace, true, Lock::Shared),
    ),
    ("ALTER TABLE p REMOVE PARTITIONING", COPY),
    // The table
    ("ALTER TABLE t ENGINE=InnoDB", REBUILD),
    ("ALTER TABLE t FORCE", REBUILD),
    ("ALTER TABLE f DROP b", COPY),
    ("ALTER TABLE f MODIFY b VARCHAR(50) NOT NULL", COPY),
    ("ALTER TABLE f ADD KEY (b)", LIGHT),
    ("ALTER TABLE f FORCE", COPY),
    ("ALTER TABLE t ROW_FORMAT=COMPACT", REBUILD),
    ("ALTER TABLE t COMMENT='new'", LIGHT),
    ("ALTER TABLE t STATS_PERSISTENT=0", LIGHT),
    ("ALTER TABLE t AUTO_INCREMENT=100", LIGHT),
    ("ALTER TABLE t DEFAULT CHARACTER SET latin1", LIGHT),
    ("ALTER TABLE t CONVERT TO CHARACTER SET latin1", COPY),
    ("ALTER TABLE t RENAME TO t2", INSTANT),
    ("ALTER TABLE k PARTITION BY HASH (id) PARTITIONS 2", COPY),
    ("ALTER TABLE k ORDER BY a", COPY),
];

async fn check(conn: &mut Conn, statement: &str, expected: (Algorithm, bool, Lock)) -> Vec<String> {
    let mut wrong = Vec::new();
    fresh_table(conn, statement).await;
    let found = estimate(conn, statement).await;
    let seen = (found.algorithm, found.rebuilds_table, found.lock);
    if seen != expected {
        wrong.push(format!("{statement}: estimated {seen:?} ({})", found.why));
    }
    for refused in better(&found) {
        let tried = place(statement, &refused);
        match conn.query_drop(&tried).await {
            Err(mysql_async::Error::Server(error)) if REFUSALS.contains(&error.code) => {}
            Ok(()) => {
                wrong.push(format!("{tried}: the server does better than {seen:?}"));
                fresh_table(conn, statement).await;
            }
            Err(error) => wrong.push(format!("{tried}: {error}")),
        }
    }
    let predicted = place(statement, &clause(found.algorithm, found.lock));
    let before = table_id(conn, statement).await;
    if let Err(error) = conn.query_drop(&predicted).await {
        wrong.push(format!("{predicted}: {error}"));
    }
    let after = table_id(conn, statement).await;
    // A renamed table is not found any more.
    if after.is_some() && (before != after) != found.rebuilds_table {
        wrong.push(format!("{statement}: rebuilt is {}", before != after));
    }
    wrong
}

/// The clause goes to the end, but before what takes the rest of the statement.
fn place(statement: &str, clause: &str) -> String {
    for tail in [" PARTITION BY", " ORDER BY", " REORGANIZE", " REMOVE"] {
        if let Some(at) = statement.find(tail) {
            let (head, rest) = statement.split_at(at);
            let clause = clause.trim_start_matches(", ");
            let comma = if matches!(tail, " PARTITION BY" | " REMOVE") {
                ""
            } else {
                ","
            };
            return format!("{head} {clause}{comma}{rest}");
        }
    }
    format!("{statement}{clause}")
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn the_server_accepts_what_is_estimated_and_refuses_anything_better() {
    with_database(|database: Database| async move {
        let mut conn = database.connect().await;
        conn.query_drop(OTHER).await.expect("made");
        conn.query_drop("INSERT INTO other VALUES (1)")
            .await
            .expect("inserted");
        let mut wrong = Vec::new();
        for (statement, expected) in CASES {
            wrong.extend(check(&mut conn, statement, *expected).await);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}
