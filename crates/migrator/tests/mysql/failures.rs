//! Files that fail: what is said, what stands afterwards, what the next start does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Opts, OptsBuilder};
use sysndd_migrator::{MigrateError, Settings, State, migrate};
use sysndd_protocol::Event;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{DEADLINE, Events, files, refused, settings, start, started, with_database};

const GOOD: (&str, &str) = (
    "001_a.sql",
    "CREATE TABLE a (id INT PRIMARY KEY);\nINSERT INTO a VALUES (1);",
);

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_bad_statement_is_named_and_everything_before_it_stands() {
    with_database(|db| async move {
        let bad = "INSERT INTO a VALUES (2);\n\nCREATE TABLE b (id INT PRIMARY KEY);\nINSERT INTO a\n  VALUES (1);\nINSERT INTO a VALUES (3);";
        let (error, events) = refused(&db, &files(&[GOOD, ("002_b.sql", bad)]), "api-1").await;
        assert_eq!(events.names(), ["pending", "lock_acquired", "applied", "failed"]);
        let MigrateError::Statement(found) = &error else { panic!("{error}") };
        assert_eq!((found.file.as_str(), found.line, found.statement, found.statements), ("002_b.sql", 4, 3, 4));
        assert_eq!((found.text.as_str(), found.code), ("INSERT INTO a VALUES (1)", Some(1062)));
        assert!(!error.is_transient());
        assert!(matches!(events.all().last(), Some(Event::MigrationFailed { file: Some(_), statement: Some(3), code: Some(1062), .. })));

        assert_eq!(db.row("001_a.sql").await.state, State::Applied);
        let row = db.row("002_b.sql").await;
        assert_eq!((row.state, row.statements_done, row.in_doubt), (State::Failed, 2, None));
        assert!(row.error.expect("an error").contains("1062"));
        assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM a").await, 2);

        // Mended, it goes on where it stopped.
        let mended = bad.replace("VALUES (1)", "VALUES (9)");
        let (_, events) = started(&db, &files(&[GOOD, ("002_b.sql", &mended)]), "api-1").await;
        assert_eq!(events.names(), ["pending", "lock_acquired", "resumed", "applied", "complete"]);
        assert!(events.all().contains(&Event::MigrationResumed { version: 2, from_statement: 3 }));
        assert_eq!(db.one::<i64>("SELECT SUM(id) FROM a").await, 1 + 2 + 9 + 3);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_failure_inside_a_transaction_leaves_nothing_of_it() {
    with_database(|db| async move {
        let bad =
            "START TRANSACTION;\nINSERT INTO a VALUES (2);\nINSERT INTO a VALUES (1);\nCOMMIT;";
        refused(&db, &files(&[GOOD, ("002_b.sql", bad)]), "api-1").await;
        assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM a").await, 1);
        assert_eq!(db.row("002_b.sql").await.statements_done, 0);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_transaction_left_open_is_refused() {
    with_database(|db| async move {
        let (error, _) = refused(
            &db,
            &files(&[GOOD, ("002_b.sql", "BEGIN;\nINSERT INTO a VALUES (2);")]),
            "api-1",
        )
        .await;
        assert!(
            error.to_string().contains("leaves a transaction open"),
            "{error}"
        );
        assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM a").await, 1);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_post_condition_that_does_not_hold_fails_the_file_and_only_the_check_is_repeated() {
    with_database(|db| async move {
        let set = files(&[
            GOOD,
            (
                "002_b.sql",
                "-- verify: SELECT COUNT(*) > 5 FROM a\nINSERT INTO a VALUES (2);",
            ),
        ]);
        let (error, _) = refused(&db, &set, "api-1").await;
        let MigrateError::Statement(found) = &error else {
            panic!("{error}")
        };
        assert_eq!(
            (found.line, found.statement, found.text.as_str()),
            (1, 0, "SELECT COUNT(*) > 5 FROM a")
        );
        assert_eq!(db.row("002_b.sql").await.state, State::Failed);

        db.run("INSERT INTO a VALUES (3), (4), (5), (6)").await;
        started(&db, &set, "api-1").await;
        assert_eq!(db.row("002_b.sql").await.state, State::Applied);
        assert_eq!(db.one::<i64>("SELECT COUNT(*) FROM a").await, 6);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn those_who_waited_for_a_failing_file_do_not_try_it_again() {
    with_database(|db| async move {
        let set = Arc::new(files(&[
            GOOD,
            ("002_b.sql", "DO SLEEP(1);\nINSERT INTO a VALUES (1);"),
        ]));
        let starts: Vec<_> = (0..4)
            .map(|n| {
                let (db, set) = (db.clone(), Arc::clone(&set));
                tokio::spawn(async move { start(&db, &set, &format!("api-{n}")).await })
            })
            .collect();
        let mut acquired = 0;
        let mut elsewhere = 0;
        for start in starts {
            let (result, events) = start.await.expect("no panic");
            let error = result.expect_err("fails");
            assert_eq!(error.file(), Some("002_b.sql"), "{error}");
            acquired += events
                .names()
                .iter()
                .filter(|name| **name == "lock_acquired")
                .count();
            elsewhere += usize::from(matches!(error, MigrateError::FailedElsewhere { .. }));
        }
        assert_eq!((acquired, elsewhere), (1, 3));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_database_that_is_not_there_yet_is_told_from_a_wrong_password() {
    with_database(|db| async move {
        let set = files(&[GOOD]);
        let quick = Settings {
            connect_timeout: Duration::from_secs(20),
            ..settings("api-1")
        };
        let events = Events::default();
        let nobody = OptsBuilder::from_opts(db.opts()).tcp_port(1);
        let error = migrate(nobody.into(), &set, &quick, &events)
            .await
            .expect_err("nobody answers");
        assert!(
            error.is_transient() && matches!(error, MigrateError::Connect { .. }),
            "{error}"
        );
        let wrong = OptsBuilder::from_opts(db.opts()).pass(Some("not the password"));
        let error = migrate(wrong.into(), &set, &quick, &events)
            .await
            .expect_err("wrong password");
        assert!(
            !error.is_transient() && error.code() == Some(1045),
            "{error}"
        );
        assert_eq!(events.all(), [], "trying again is the caller's");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_server_that_accepts_and_says_nothing_does_not_hang_the_start() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .db_name(Some("a"));
    let quick = Settings {
        connect_timeout: Duration::from_millis(200),
        ..settings("api-1")
    };
    let error = migrate(opts.into(), &files(&[GOOD]), &quick, &Events::default())
        .await
        .expect_err("times out");
    assert!(
        error.is_transient() && matches!(error, MigrateError::Timeout { .. }),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_server_that_falls_silent_under_a_statement_does_not_hang_the_applier() {
    with_database(|db| async move {
        let wire = Wire::to(&db.opts()).await;
        let opts = OptsBuilder::from_opts(db.opts())
            .ip_or_hostname("127.0.0.1")
            .tcp_port(wire.port);
        let set = files(&[GOOD, ("002_b.sql", "DO SLEEP(120);")]);
        let quick = Settings {
            connect_timeout: Duration::from_secs(3),
            watch_interval: Duration::from_millis(100),
            query_timeout: Duration::from_secs(3),
            ..settings("api-1")
        };
        let start =
            tokio::spawn(
                async move { migrate(opts.into(), &set, &quick, &Events::default()).await },
            );
        // Long enough for several looks that find the server at work.
        let connection = db.wait_for_statement("SLEEP(120)").await;
        wire.looks_at_least(4).await;
        assert!(!start.is_finished());
        wire.cut.store(true, Ordering::Relaxed);
        let error = start
            .await
            .expect("no panic")
            .expect_err("the server is gone");
        assert!(error.is_transient(), "{error}");
        assert_eq!(
            (error.file(), error.statement()),
            (Some("002_b.sql"), Some(1))
        );
        db.run(&format!("KILL {connection}")).await;
    })
    .await;
}

/// A wire to the server that can fall silent without closing.
struct Wire {
    port: u16,
    cut: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

impl Wire {
    async fn to(server: &Opts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let target = (server.ip_or_hostname().to_owned(), server.tcp_port());
        let cut = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicUsize::new(0));
        let (its_cut, its_count) = (Arc::clone(&cut), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                its_count.fetch_add(1, Ordering::Relaxed);
                let far = TcpStream::connect(&target)
                    .await
                    .expect("the test server answers");
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, Arc::clone(&its_cut)));
                tokio::spawn(carry(far_in, near_out, Arc::clone(&its_cut)));
            }
        });
        Self {
            port,
            cut,
            connections,
        }
    }

    async fn looks_at_least(&self, count: usize) {
        let wait = async {
            while self.connections.load(Ordering::Relaxed) < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, wait)
            .await
            .expect("the statement is looked after");
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<AtomicBool>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if cut.load(Ordering::Relaxed) {
            // Both ends stay open, and nothing comes any more.
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn row_changes_that_lose_in_a_deadlock_are_made_again() {
    with_database(|db| async move {
        db.run("CREATE TABLE a (id INT PRIMARY KEY, n INT NOT NULL)").await;
        db.run("INSERT INTO a VALUES (1, 0), (2, 0)").await;
        let mut other = db.connect().await;
        // The server undoes the one that changed fewer rows.
        let more = (10..60).map(|id| format!("({id}, 0)")).collect::<Vec<_>>().join(", ");
        other.query_drop("BEGIN").await.expect("runs");
        other.query_drop(format!("INSERT INTO a VALUES {more}")).await.expect("runs");
        other.query_drop("UPDATE a SET n = n + 10 WHERE id = 2").await.expect("runs");
        let set = files(&[(
            "001_a.sql",
            "START TRANSACTION;\nUPDATE a SET n = n + 1 WHERE id = 1;\nUPDATE a SET n = n + 1 /* second */ WHERE id = 2;\nCOMMIT;",
        )]);
        let its_db = db.clone();
        let start = tokio::spawn(async move { started(&its_db, &set, "api-1").await });
        db.wait_for_statement("second").await;
        other.query_drop("UPDATE a SET n = n + 10 WHERE id = 1").await.expect("wins");
        other.query_drop("COMMIT").await.expect("runs");
        start.await.expect("no panic");
        assert_eq!(db.one::<(i64, i64)>("SELECT MIN(n), MAX(n) FROM a WHERE id < 3").await, (11, 11));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn what_is_not_the_files_fault_comes_with_its_own_remedy() {
    with_database(|db| async move {
        started(&db, &files(&[GOOD]), "api-1").await;
        // May read and write rows, no more.
        let opts = db
            .as_user_with(&[&format!("SELECT, INSERT, UPDATE ON {}.*", db.name())])
            .await;
        let set = files(&[GOOD, ("002_b.sql", "CREATE TABLE b (id INT PRIMARY KEY);")]);
        let error = migrate(opts, &set, &settings("api-1"), &Events::default())
            .await
            .expect_err("may not");
        let text = error.to_string();
        assert!(
            text.contains("002_b.sql:1: statement 1 of 1 (`CREATE TABLE b (id INT PRIMARY KEY)`)")
                && text.contains("1142")
                && text.contains("Grant the database user what it lacks and start again"),
            "{text}"
        );
    })
    .await;
}
