//! The `mysql` client as the judge: the same script through it and through the migrator ends with
//! the same schema and the same rows, and what it refuses is refused.
//!
//! Known to differ, and not asked for here: the client takes `delimiter ` for its command in the
//! middle of a line as well, where it may be a column; and with the delimiter `//` it cuts `*///`
//! behind the star. The migrator reads both as meant.
//!
//! `SYSNDD_TEST_MYSQL_CLIENT` is the client as a command that only lacks the database's name.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use sysndd_migrator::{MigrationSet, migrate};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::chaos::{Random, picture, rounds, seed, texts};
use crate::support::{Database, Events, settings, with_database};

/// Generated scripts for each of the suite's rounds.
const SCRIPTS_A_ROUND: usize = 12;

/// Scripts as people write them, and some that nobody should.
const SCRIPTS: [(&str, &str); 30] = [
    (
        "plain",
        "CREATE TABLE a (id INT PRIMARY KEY, t VARCHAR(99));\nINSERT INTO a VALUES (1, 'x');",
    ),
    (
        "no last delimiter",
        "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1)",
    ),
    (
        "several on a line",
        "CREATE TABLE a (id INT);INSERT INTO a VALUES (1);;; INSERT INTO a VALUES (2) ;",
    ),
    ("nothing", ""),
    ("only comments", "-- nothing;\n# at; all\n/* here; */\n"),
    (
        "quotes",
        r#"CREATE TABLE a (t VARCHAR(99)); INSERT INTO a VALUES ('a;b'), ("c;'d"), ('it''s; \'x\''), ("e""f;"), ('-- no'), ('/* no */'), ('#no');"#,
    ),
    (
        "backslashes",
        r#"CREATE TABLE a (t VARCHAR(99)); INSERT INTO a VALUES ('\\'), ('\n'), ("\";"), ('a\\\';b');"#,
    ),
    (
        "back quotes",
        "CREATE TABLE `a;b` (`c``;d` INT, `e\\` INT);\nINSERT INTO `a;b` VALUES (1, 2);",
    ),
    (
        "strings over lines",
        "CREATE TABLE a (t VARCHAR(99));\nINSERT INTO a VALUES ('one;\n-- two\nDELIMITER //\n# three');",
    ),
    (
        "windows",
        "CREATE TABLE a (t VARCHAR(99));\r\nINSERT INTO a VALUES ('one\r\ntwo');\r\nDELIMITER //\r\nCREATE PROCEDURE p()\r\nBEGIN\r\n  SELECT 1;\r\nEND//\r\nDELIMITER ;\r\nCALL p();\r\n",
    ),
    ("byte order mark", "\u{feff}CREATE TABLE a (id INT);"),
    (
        "dashes",
        "CREATE TABLE a (id INT); -- one\n--\n--\tthree\nINSERT INTO a SELECT 5--1;\nINSERT INTO a SELECT 5 -- 1;\n;",
    ),
    (
        "dashes without a space at the begin",
        "--one;\n-----------\nCREATE TABLE a (id INT);--two;\n  --three\nINSERT INTO a VALUES (1);",
    ),
    (
        "dashes without a space inside",
        "CREATE TABLE a (id INT);\nINSERT INTO a SELECT 1\n--2;",
    ),
    (
        "comments inside",
        "CREATE /* one; */ TABLE a ( # two;\n id INT -- three;\n);\nINSERT INTO a /* 'four */ VALUES (1) /* \" */;",
    ),
    (
        "comment marks in comments",
        "/* -- */ CREATE TABLE a (id INT); -- /*\nINSERT INTO a VALUES (1); # /*\n/* # */ INSERT INTO a VALUES (2);",
    ),
    (
        "executable comments",
        "/*! CREATE TABLE a (id INT) */;\n/*!80000 INSERT INTO a VALUES (1) */;\n/*!99999 INSERT INTO a VALUES (2) */;\nINSERT INTO a /*!80000 VALUES (3) */;",
    ),
    (
        "delimiter in an executable comment",
        "/*!80000 CREATE TABLE a (t VARCHAR(9) DEFAULT ';') */;\n/*!80000 INSERT INTO a VALUES ('x;') */;",
    ),
    (
        "two statements in an executable comment",
        "CREATE TABLE a (id INT);\n/*!80000 INSERT INTO a VALUES (1); INSERT INTO a VALUES (2) */;",
    ),
    (
        "hints",
        "CREATE TABLE a (id INT);\nINSERT /*+ SET_VAR(sort_buffer_size = 16M) */ INTO a SELECT /*+ MAX_EXECUTION_TIME(1000) ; ' */ 1;",
    ),
    (
        "a procedure",
        "CREATE TABLE a (id INT);\nDELIMITER $$\nCREATE PROCEDURE p(n INT)\nBEGIN\n  -- inside;\n  DECLARE i INT DEFAULT 0;\n  WHILE i < n DO\n    INSERT INTO a VALUES (i);\n    SET i = i + 1;\n  END WHILE;\n  SELECT * FROM a;\nEND$$\nDELIMITER ;\nCALL p(3);\nCALL p(2);",
    ),
    (
        "a trigger",
        "CREATE TABLE a (id INT);\ndelimiter //\nCREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.id = NEW.id + 1; SET NEW.id = NEW.id * 2; END //\ndelimiter ;\nINSERT INTO a VALUES (1), (2);",
    ),
    (
        "a delimiter that is never reset",
        "DELIMITER ;;\nCREATE FUNCTION f() RETURNS INT DETERMINISTIC BEGIN RETURN 1; END;;\nCREATE TABLE a (id INT);;\nINSERT INTO a VALUES (f());;",
    ),
    (
        "odd delimiters",
        "DELIMITER go\nCREATE TABLE a (id INT) go\nDELIMITER |\nINSERT INTO a VALUES (1)|INSERT INTO a VALUES (2)|\n  DELIMITER ;\nINSERT INTO a VALUES (3);",
    ),
    (
        "a quoted delimiter",
        "DELIMITER '//'\nCREATE TABLE a (id INT)//\nINSERT INTO a VALUES (1)//",
    ),
    (
        "dynamic",
        "CREATE TABLE a (id INT);\nSET @q = 'INSERT INTO a VALUES (7)';\nPREPARE s FROM @q;\nEXECUTE s;\nEXECUTE s;\nDEALLOCATE PREPARE s;",
    ),
    (
        "an open string",
        "CREATE TABLE a (id INT);\nINSERT INTO a VALUES ('x);",
    ),
    (
        "an open comment",
        "CREATE TABLE a (id INT);\nINSERT INTO a /* VALUES (1);",
    ),
    (
        "a mistake",
        "CREATE TABLE a (id INT);\nINSRT INTO a VALUES (1);",
    ),
    (
        "a null byte",
        "CREATE TABLE a (id INT);\nINSERT INTO a VALUES ('\0');",
    ),
];

/// Runs a script through the client; whether it was content.
async fn by_client(db: &Database, script: &str) -> Result<(), String> {
    let client = std::env::var("SYSNDD_TEST_MYSQL_CLIENT").unwrap_or_else(|_| {
        panic!(
            "SYSNDD_TEST_MYSQL_CLIENT is not set: give the mysql client and its options as one line, like \
             `docker exec -i -e MYSQL_PWD=… CONTAINER mysql --host 127.0.0.1 --user root`, or leave these tests out with --skip client"
        )
    });
    let mut words = client.split_whitespace();
    let mut child = Command::new(words.next().expect("a program"))
        .args(words)
        // What a routine's comments say is part of its definition.
        .args(["--comments", "--default-character-set=utf8mb4", db.name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the client starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A client that gave up reads no more.
    let _ = stdin.write_all(script.as_bytes()).await;
    drop(stdin);
    let ended = child.wait_with_output().await.expect("the client ends");
    if ended.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&ended.stderr).into_owned())
    }
}

async fn by_migrator(db: &Database, script: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("001_script.sql"), script).expect("written");
    let set = MigrationSet::load(dir.path()).map_err(|error| error.to_string())?;
    migrate(db.opts(), &set, &settings("judged"), &Events::default())
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Everything in the database but the ledger, bodies included.
async fn everything(db: &Database) -> Vec<String> {
    let mut all = picture(db).await;
    let mut conn = db.connect().await;
    for (kind, query) in [
        (
            "PROCEDURE",
            "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE = 'PROCEDURE' ORDER BY 1",
        ),
        (
            "FUNCTION",
            "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE = 'FUNCTION' ORDER BY 1",
        ),
    ] {
        let names: Vec<String> = conn.query(query).await.expect("runs");
        for name in names {
            all.extend(texts(&mut conn, &format!("SHOW CREATE {kind} `{name}`")).await);
        }
    }
    all.extend(triggers(&mut conn).await);
    all
}

async fn triggers(conn: &mut Conn) -> Vec<String> {
    texts(conn, "SELECT TRIGGER_NAME, ACTION_STATEMENT, SQL_MODE, COLLATION_CONNECTION FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1").await
}

/// What differs between client and migrator.
type Differences = Arc<Mutex<Vec<String>>>;

async fn compare(name: String, script: String, differences: &Differences) {
    let found = Arc::clone(differences);
    with_database(move |first| async move {
        with_database(move |second| async move {
            let client = by_client(&first, &script).await;
            let ours = by_migrator(&second, &script).await;
            if client.is_ok() != ours.is_ok() {
                let difference = format!(
                    "{name}: the client says {client:?}, the migrator {ours:?}, to\n{script}"
                );
                found.lock().expect("no panic before").push(difference);
            } else if client.is_ok() {
                let (client, ours) = (everything(&first).await, everything(&second).await);
                if client != ours {
                    let difference = format!(
                        "{name}: the client makes {client:?}, the migrator {ours:?}, of\n{script}"
                    );
                    found.lock().expect("no panic before").push(difference);
                }
            }
        })
        .await;
    })
    .await;
}

fn none(differences: &Differences) {
    let found = differences.lock().expect("no panic before");
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL and SYSNDD_TEST_MYSQL_CLIENT"]
async fn client_and_migrator_end_the_same_with_every_script() {
    let differences = Differences::default();
    for (name, script) in SCRIPTS {
        compare(name.to_owned(), script.to_owned(), &differences).await;
    }
    none(&differences);
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL and SYSNDD_TEST_MYSQL_CLIENT"]
async fn client_and_migrator_end_the_same_with_generated_scripts() {
    let seed = seed();
    let mut random = Random(seed);
    let differences = Differences::default();
    for round in 0..rounds() * SCRIPTS_A_ROUND {
        let name = format!("seed {seed}, script {round}");
        compare(name, generated(&mut random), &differences).await;
    }
    none(&differences);
}

/// A script that most often is valid, full of what separates and hides.
fn generated(random: &mut Random) -> String {
    const VALUES: [&str; 12] = [
        "'a;b'",
        "\"c;d\"",
        "'it''s'",
        "'\\';'",
        "\"\"\"\"",
        "'-- x'",
        "'/* x'",
        "'x */'",
        "'# x'",
        "'//'",
        "'two\nlines;'",
        "CONCAT('$', '$')",
    ];
    const GAPS: [&str; 11] = [
        " ",
        "\n",
        "  \t",
        " -- ;\n",
        " # ' ;\n",
        " /* ; */ ",
        " /*'*/ ",
        "\r\n",
        " /*! */ ",
        " --\n",
        "\n-- DELIMITER //\n",
    ];
    const BETWEEN: [&str; 6] = ["\n", " ", "", "\n-- x;\n", "\n# '\n", "\n/* \" ; */\n"];
    const DELIMITERS: [&str; 5] = [";", "//", "$$", ";;", "|"];
    let mut pick = |choices: &[&str]| {
        let at = random.below(choices.len() as u64);
        choices[usize::try_from(at).expect("small")].to_owned()
    };
    let mut script = format!(
        "CREATE{}TABLE a (t VARCHAR(99)){};",
        pick(&GAPS),
        pick(&GAPS)
    );
    let mut delimiter = ";".to_owned();
    // Whether a comment stands behind the last statement.
    let mut commented = false;
    for n in 0..8 {
        let between = pick(&BETWEEN);
        let comment = !between.trim().is_empty();
        script += &between;
        match pick(&["rows", "rows", "rows", "delimiter", "routine", "executable"]).as_str() {
            "rows" => {
                script += &format!(
                    "INSERT{}INTO a{}VALUES{}({}),{}({})",
                    pick(&GAPS),
                    pick(&GAPS),
                    pick(&GAPS),
                    pick(&VALUES),
                    pick(&GAPS),
                    pick(&VALUES)
                );
                script += &format!("{}{delimiter}", pick(&[" ", "", "\n", " /* x */ "]));
            }
            "executable" => {
                script += &format!(
                    "/*!80000 INSERT INTO a VALUES ({}) */ {delimiter}",
                    pick(&VALUES)
                );
            }
            "routine" if delimiter != ";" && delimiter != ";;" => {
                script += &format!(
                    "CREATE PROCEDURE p{n}(){}BEGIN{}SELECT {};{}SELECT 2; END {delimiter}",
                    pick(&GAPS),
                    pick(&GAPS),
                    pick(&VALUES),
                    pick(&GAPS)
                );
            }
            // A client that keeps comments may take the command behind one for a part of a statement.
            "delimiter" if !comment && !commented => {
                delimiter = pick(&DELIMITERS);
                script += &format!(
                    "\n{}{delimiter}{}\n",
                    pick(&["DELIMITER ", "delimiter ", "  DELIMITER\t"]),
                    pick(&["", " ", " rest of the line"])
                );
            }
            _ => {
                commented |= comment;
                continue;
            }
        }
        commented = false;
    }
    script
}
