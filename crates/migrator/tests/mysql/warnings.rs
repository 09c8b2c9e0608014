//! What the server remarks is logged, and asking for it changes nothing.

use std::cell::RefCell;
use std::io::Write;

use crate::support::{files, started, with_database};

thread_local! {
    /// What was logged on this thread, on which all of a test runs.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the log of the thread.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn warnings_are_logged_with_their_texts_and_places() {
    // For the whole process: what a thread without a subscriber logs first would be taken for unwanted
    // by all, and other tests run on other threads.
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(|| Log)
        .init();
    with_database(|db| async move {
        let set = files(&[
            (
                "001_a.sql",
                "CREATE TABLE a (id INT PRIMARY KEY, n INT);\nDROP TABLE IF EXISTS nothing_here;\n\n\
                 INSERT INTO a SELECT 1, 2;\nINSERT IGNORE INTO a VALUES (1, 3), (2, 4);\n",
            ),
            // Between these two nothing may be asked.
            (
                "002_b.sql",
                "CREATE TABLE b (n INT);\nINSERT IGNORE INTO a VALUES (1, 5), (3, 6);\nINSERT INTO b SELECT ROW_COUNT();",
            ),
        ]);
        started(&db, &set, "api-1").await;
        assert_eq!(db.one::<i64>("SELECT n FROM b").await, 1);
    })
    .await;
    let text = LOG.take();
    let text = String::from_utf8(text).expect("UTF-8");
    let line = |part: &str| {
        text.lines()
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("{part} is not in {text}"))
    };
    assert!(line("001_a.sql:2: Unknown table").contains("INFO"));
    let warning = line("001_a.sql:5: Duplicate entry '1'");
    assert!(
        warning.contains("WARN") && warning.contains("code=1062"),
        "{warning}"
    );
    assert!(line("002_b.sql:2: 1 more warnings").contains("WARN"));
}
