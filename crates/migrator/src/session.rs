//! One database session: connecting, preparing it for migrating, and running one statement on it
//! without a bound in time and yet without hanging on a server that is gone.

use std::future::Future;
use std::time::Duration;

use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, Row};

use crate::error::MigrateError;
use crate::holder::REPLICA_ATTRIBUTE;
use crate::settings::Settings;

/// A session that does nothing for so long is ended by the server, which frees its lock: an
/// applier that hangs outside the database does not hold everyone up.
const IDLE_LIMIT_S: u32 = 30;
/// TCP keep-alive: a peer that vanished without a word is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// So many looks in a row may fail before the server counts as gone.
const WATCH_FAILURES: u32 = 3;
/// How long an answer may take that must already be on its way.
const LAST_WORD: Duration = Duration::from_millis(100);
/// The client's bound on a packet; the server's own is what counts.
const MAX_PACKET: usize = 1 << 30;

/// How a session reaches the server, and its time-outs.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    opts: Opts,
    database: String,
    address: String,
    connect_timeout: Duration,
    query_timeout: Duration,
    watch_interval: Duration,
    table_wait: Duration,
}

impl Dialer {
    pub(crate) fn new(opts: Opts, settings: &Settings) -> Result<Self, MigrateError> {
        let database = opts
            .db_name()
            .filter(|name| !name.is_empty())
            .ok_or(MigrateError::NoDatabase)?
            .to_owned();
        let address = format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port());
        // Without these three the driver asks the server for them: a round trip more.
        let opts = OptsBuilder::from_opts(opts)
            .prefer_socket(false)
            .max_allowed_packet(Some(MAX_PACKET))
            .wait_timeout(Some(IDLE_LIMIT_S as usize))
            .tcp_keepalive(Some(KEEP_ALIVE))
            .connect_attribute(REPLICA_ATTRIBUTE, settings.replica.as_str())
            .into();
        Ok(Self {
            opts,
            database,
            address,
            connect_timeout: settings.connect_timeout,
            query_timeout: settings.query_timeout,
            watch_interval: settings.watch_interval,
            table_wait: settings.table_wait,
        })
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(crate) async fn connect(&self) -> Result<Conn, MigrateError> {
        match tokio::time::timeout(self.connect_timeout, Conn::new(self.opts.clone())).await {
            Ok(connected) => connected.map_err(|source| MigrateError::Connect {
                address: self.address.clone(),
                source,
            }),
            Err(_) => Err(MigrateError::Timeout {
                address: self.address.clone(),
                doing: "connecting",
                limit: self.connect_timeout,
            }),
        }
    }

    /// Makes a fresh session one that migrations run on, alike on every server: what the `mysql`
    /// client would have, and bounds on waiting.
    pub(crate) async fn prepare(&self, conn: &mut Conn) -> Result<(), MigrateError> {
        let settings = format!(
            "SET SESSION wait_timeout = {IDLE_LIMIT_S}, lock_wait_timeout = {}, autocommit = 1",
            self.table_wait.as_secs().max(1)
        );
        let work = async {
            conn.query_drop(settings).await?;
            conn.query_drop("SET NAMES utf8mb4").await
        };
        let prepared = self
            .bounded("preparing the session", async { Ok(work.await) })
            .await?;
        prepared.map_err(|source| MigrateError::Session { source })
    }

    /// Bounds a query of this crate's own.
    pub(crate) async fn bounded<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, MigrateError>>,
    ) -> Result<T, MigrateError> {
        match tokio::time::timeout(self.query_timeout, work).await {
            Ok(result) => result,
            Err(_) => Err(MigrateError::Timeout {
                address: self.address.clone(),
                doing,
                limit: self.query_timeout,
            }),
        }
    }

    /// Runs one statement of a migration to its end and drains what it returns, result set after
    /// result set.
    pub(crate) async fn run(&self, conn: &mut Conn, statement: &str) -> Result<Ran, RunError> {
        let connection = conn.id();
        let work = async {
            conn.query_iter(statement).await?.drop_result().await?;
            Ok(Ran {
                warnings: conn.get_warnings(),
                in_transaction: conn.last_ok_packet().is_some_and(|ok| {
                    ok.status_flags()
                        .contains(StatusFlags::SERVER_STATUS_IN_TRANS)
                }),
            })
        };
        self.watched(connection, work).await
    }

    /// Runs a query of a migration and returns the rows of its first result set.
    pub(crate) async fn rows(&self, conn: &mut Conn, query: &str) -> Result<Vec<Row>, RunError> {
        let connection = conn.id();
        self.watched(connection, conn.query(query)).await
    }

    /// The warnings of the statement before: level, code, text. What cannot be had is left out.
    pub(crate) async fn warnings(&self, conn: &mut Conn) -> Vec<(String, u16, String)> {
        let asked = async { Ok(conn.query("SHOW WARNINGS").await) };
        let answer = self.bounded("reading warnings", asked).await;
        answer.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Waits for the work on `connection`, however long it takes, while a second connection
    /// looks now and then whether the server still has it.
    async fn watched<T>(
        &self,
        connection: u32,
        work: impl Future<Output = mysql_async::Result<T>>,
    ) -> Result<T, RunError> {
        tokio::pin!(work);
        let mut failures = 0;
        loop {
            tokio::select! {
                ended = &mut work => return ended.map_err(RunError::Statement),
                () = tokio::time::sleep(self.watch_interval) => {}
            }
            match self.sees(connection).await {
                Sight::Alive => failures = 0,
                Sight::Unknown(_) if failures + 1 < WATCH_FAILURES => failures += 1,
                Sight::Unknown(reason) => return Err(RunError::Lost(reason)),
                Sight::Gone => {
                    // The answer may have come while the server was asked.
                    return match tokio::time::timeout(LAST_WORD, &mut work).await {
                        Ok(ended) => ended.map_err(RunError::Statement),
                        Err(_) => Err(RunError::Lost(
                            "the server no longer knows the connection".to_owned(),
                        )),
                    };
                }
            }
        }
    }

    /// Whether the server still has this connection.
    async fn sees(&self, connection: u32) -> Sight {
        let mut conn = match self.connect().await {
            Ok(conn) => conn,
            // A server that refuses a connection is there.
            Err(error) if error.code().is_some() => return Sight::Alive,
            Err(error) => return Sight::Unknown(error.to_string()),
        };
        let query =
            format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {connection}");
        let sight =
            match tokio::time::timeout(self.query_timeout, conn.query_first::<u64, _>(query)).await
            {
                Ok(Ok(Some(0))) => Sight::Gone,
                Ok(Ok(_) | Err(mysql_async::Error::Server(_))) => Sight::Alive,
                Ok(Err(error)) => Sight::Unknown(error.to_string()),
                Err(_) => Sight::Unknown("the server does not answer".to_owned()),
            };
        close(conn);
        sight
    }
}

/// Ends a session without waiting for it: nothing depends on the goodbye.
pub(crate) fn close(conn: Conn) {
    tokio::spawn(
        async move { tokio::time::timeout(Duration::from_secs(2), conn.disconnect()).await },
    );
}

/// What a statement left behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    pub(crate) warnings: u16,
    pub(crate) in_transaction: bool,
}

/// Why a statement did not end well.
#[derive(Debug)]
pub(crate) enum RunError {
    Statement(mysql_async::Error),
    Lost(String),
}

enum Sight {
    Alive,
    Gone,
    Unknown(String),
}
