//! What every test here uses: a database of its own, files, and a sink that keeps events.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, Opts, OptsBuilder};
use sysndd_migrator::{
    EventSink, LedgerRow, MigrateError, MigrationSet, Outcome, Settings, migrate, read_ledger,
};
use sysndd_protocol::{Event, Level, ReplicaName};

/// How long anything that a test waits for may take.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

fn server() -> Opts {
    let url = std::env::var("SYSNDD_TEST_MYSQL").unwrap_or_else(|_| {
        panic!(
            "SYSNDD_TEST_MYSQL is not set: give the URL of a MySQL on which databases may be made, \
             like mysql://root:PASSWORD@127.0.0.1:3306, or leave the ignored tests out"
        )
    });
    Opts::from_url(&url).expect("SYSNDD_TEST_MYSQL is a MySQL URL")
}

/// A database that only one test knows.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    name: String,
    opts: Opts,
}

/// Runs a test in a fresh database and drops it, also when the test panics.
pub(crate) async fn with_database<F, T>(test: F)
where
    F: FnOnce(Database) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!(
        "mig_test_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let mut admin = Conn::new(server()).await.expect("the test server answers");
    admin
        .query_drop(format!("DROP DATABASE IF EXISTS {name}"))
        .await
        .expect("dropped");
    admin
        .query_drop(format!("CREATE DATABASE {name}"))
        .await
        .expect("made");
    let opts = OptsBuilder::from_opts(server()).db_name(Some(&name)).into();
    let ended = tokio::spawn(test(Database {
        name: name.clone(),
        opts,
    }))
    .await;
    // A test that failed may have left locks: they end with their connections.
    let mut admin = Conn::new(server()).await.expect("the test server answers");
    let users: Vec<String> = admin
        .query(format!("SELECT user FROM mysql.user WHERE user = '{name}'"))
        .await
        .expect("read");
    for user in users {
        admin
            .query_drop(format!("DROP USER '{user}'"))
            .await
            .expect("dropped");
    }
    admin
        .query_drop("SET SESSION lock_wait_timeout = 20")
        .await
        .expect("set");
    admin
        .query_drop(format!("DROP DATABASE {name}"))
        .await
        .expect("dropped");
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}

impl Database {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn opts(&self) -> Opts {
        self.opts.clone()
    }

    pub(crate) async fn connect(&self) -> Conn {
        Conn::new(self.opts())
            .await
            .expect("the test server answers")
    }

    /// Connects as a user that has these privileges on the ledger's database and no others.
    pub(crate) async fn as_user_with(&self, grants: &[&str]) -> Opts {
        let mut conn = self.connect().await;
        let user = &self.name;
        conn.query_drop(format!("CREATE USER '{user}' IDENTIFIED BY 'test'"))
            .await
            .expect("made");
        for grant in grants {
            conn.query_drop(format!("GRANT {grant} TO '{user}'"))
                .await
                .expect("granted");
        }
        OptsBuilder::from_opts(self.opts())
            .user(Some(user))
            .pass(Some("test"))
            .into()
    }

    pub(crate) async fn run(&self, statement: &str) {
        self.connect()
            .await
            .query_drop(statement)
            .await
            .expect("runs");
    }

    pub(crate) async fn one<T: FromRow + Send + 'static>(&self, query: &str) -> T {
        self.connect()
            .await
            .query_first(query)
            .await
            .expect("runs")
            .expect("one row")
    }

    pub(crate) async fn ledger(&self) -> Vec<LedgerRow> {
        read_ledger(&mut self.connect().await)
            .await
            .expect("the ledger is read")
    }

    pub(crate) async fn row(&self, filename: &str) -> LedgerRow {
        self.ledger()
            .await
            .into_iter()
            .find(|row| row.filename == filename)
            .expect("the ledger has the file")
    }

    /// Waits until the query's answer is true.
    pub(crate) async fn wait_until(&self, query: &str) {
        let mut conn = self.connect().await;
        let begin = Instant::now();
        loop {
            let answer: Option<Option<i64>> = conn.query_first(query).await.expect("runs");
            if answer.flatten() == Some(1) {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "never true: {query}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a statement that contains `part` runs in this database; its connection.
    pub(crate) async fn wait_for_statement(&self, part: &str) -> u64 {
        let query = format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO LIKE '%{part}%' AND INFO NOT LIKE 'CREATE%' AND ID <> CONNECTION_ID()",
            self.name
        );
        let mut conn = self.connect().await;
        let begin = Instant::now();
        loop {
            if let Some(id) = conn.query_first::<u64, _>(&query).await.expect("runs") {
                return id;
            }
            assert!(begin.elapsed() < DEADLINE, "no statement has {part}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A set of files out of names and texts.
pub(crate) fn files(files: &[(&str, &str)]) -> MigrationSet {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    MigrationSet::load(dir.path()).expect("the files load")
}

/// Keeps what was emitted.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<(Level, Event)>>);

impl EventSink for Events {
    fn emit(&self, level: Level, event: Event) {
        self.0.lock().expect("no panic before").push((level, event));
    }
}

impl Events {
    pub(crate) fn all(&self) -> Vec<Event> {
        self.0
            .lock()
            .expect("no panic before")
            .iter()
            .map(|(_, event)| event.clone())
            .collect()
    }

    /// The events' names, in order.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.all().iter().map(name).collect()
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::MigrationFastPath { .. } => "fast_path",
        Event::MigrationPending { .. } => "pending",
        Event::MigrationLockWait { .. } => "lock_wait",
        Event::MigrationLockAcquired { .. } => "lock_acquired",
        Event::MigrationApplied { .. } => "applied",
        Event::MigrationResumed { .. } => "resumed",
        Event::MigrationObserved { .. } => "observed",
        Event::MigrationComplete { .. } => "complete",
        Event::MigrationFailed { .. } => "failed",
        _ => "other",
    }
}

pub(crate) fn settings(replica: &str) -> Settings {
    Settings {
        wait_budget: DEADLINE,
        ..Settings::new(ReplicaName::new(replica))
    }
}

/// One start of one replica.
pub(crate) async fn start(
    database: &Database,
    set: &MigrationSet,
    replica: &str,
) -> (Result<Outcome, MigrateError>, Events) {
    let events = Events::default();
    let result = migrate(database.opts(), set, &settings(replica), &events).await;
    (result, events)
}

/// One start that must succeed.
pub(crate) async fn started(
    database: &Database,
    set: &MigrationSet,
    replica: &str,
) -> (Outcome, Events) {
    let (result, events) = start(database, set, replica).await;
    (
        result.unwrap_or_else(|error| panic!("{replica}: {error}")),
        events,
    )
}

/// One start that must not.
pub(crate) async fn refused(
    database: &Database,
    set: &MigrationSet,
    replica: &str,
) -> (MigrateError, Events) {
    let (result, events) = start(database, set, replica).await;
    (result.expect_err("the start must be refused"), events)
}
