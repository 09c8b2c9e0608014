//! Connections for requests and jobs: a bounded pool, and a bounded wait for one of them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use mysql_async::{Conn, DriverError, OptsBuilder, Pool, PoolConstraints, PoolOpts};

use crate::config::Database;

/// How long a connection above the minimum stays open unused.
const IDLE_TTL: Duration = Duration::from_mins(1);
const WARM_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// All connections are in use, or none can be opened.
    #[error("no connection within {0:?}")]
    NoConnection(Duration),
    /// There is one, and nothing comes back over it.
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    /// The driver or the server said no.
    #[error(transparent)]
    MySql(#[from] mysql_async::Error),
}

impl Error {
    /// Whether the database is out of reach, rather than the statement at fault.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::NoConnection(_) | Self::NoAnswer(_) => true,
            Self::MySql(error) => match error {
                mysql_async::Error::Io(_) => true,
                mysql_async::Error::Driver(error) => matches!(
                    error,
                    DriverError::ConnectionClosed | DriverError::PoolDisconnected
                ),
                mysql_async::Error::Server(error) => OUTAGES.contains(&error.code),
                _ => false,
            },
        }
    }

    /// Whether the server ended a statement that took longer than it may.
    pub(crate) fn is_overdue(&self) -> bool {
        matches!(self, Self::MySql(mysql_async::Error::Server(error)) if error.code == 3024)
    }

    /// Whether a row with the same unique key is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::MySql(mysql_async::Error::Server(error)) if error.code == 1062)
    }

    /// Whether the same transaction may succeed when it is tried again.
    pub(crate) fn is_contention(&self) -> bool {
        matches!(self, Self::MySql(mysql_async::Error::Server(error)) if CONTENTION.contains(&error.code))
    }
}

/// Too many connections (server, user), no memory for another, shutting down, read-only, killed.
const OUTAGES: [u16; 7] = [1040, 1203, 1226, 1053, 1290, 1836, 3169];
/// Lock wait time-out, deadlock.
const CONTENTION: [u16; 2] = [1205, 1213];

/// The connections of this replica.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pool: Pool,
    max: usize,
    min: usize,
    acquire_timeout: Duration,
    /// How often it was over before there was a connection.
    timeouts: Arc<AtomicU64>,
}

/// How many connections there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) max: usize,
    pub(crate) in_use: usize,
    pub(crate) idle: usize,
}

impl Db {
    /// Makes the pool; no connection is opened yet.
    pub(crate) fn new(config: &Database) -> Self {
        let constraints =
            PoolConstraints::new(config.pool_min, config.pool_max).unwrap_or_default();
        let opts = PoolOpts::default()
            .with_constraints(constraints)
            .with_inactive_connection_ttl(IDLE_TTL);
        Self {
            pool: Pool::new(OptsBuilder::from_opts(config.url.opts()).pool_opts(opts)),
            max: config.pool_max,
            min: config.pool_min,
            acquire_timeout: config.acquire_timeout,
            timeouts: Arc::default(),
        }
    }

    /// A connection, waited for no longer than the time-out: a request is better refused than
    /// left hanging.
    pub(crate) async fn conn(&self) -> Result<Conn, Error> {
        let conn = tokio::time::timeout(self.acquire_timeout, self.get_conn()).await;
        conn.unwrap_or_else(|_| {
            self.timeouts.fetch_add(1, Relaxed);
            Err(Error::NoConnection(self.acquire_timeout))
        })
    }

    async fn get_conn(&self) -> Result<Conn, Error> {
        Ok(self.pool.get_conn().await?)
    }

    /// Opens the connections that the pool keeps, so that no first request pays for one. A database
    /// that was lost since the last step shows in the health report; it is no reason to give up.
    pub(crate) async fn warm(&self) {
        // All are held until the last one stands; else one connection would answer for several.
        let opening = futures::future::try_join_all((0..self.min).map(|_| self.pool.get_conn()));
        match tokio::time::timeout(WARM_TIMEOUT, opening).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the connection pool could not be opened ahead");
            }
            Err(_) => {
                tracing::warn!(limit = ?WARM_TIMEOUT, "the connection pool did not open in time");
            }
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        let metrics = self.pool.metrics();
        Usage {
            max: self.max,
            in_use: metrics.connections_in_use.load(Relaxed),
            idle: metrics.connections_in_pool.load(Relaxed),
        }
    }

    /// How often a request waited in vain.
    pub(crate) fn acquire_timeouts(&self) -> u64 {
        self.timeouts.load(Relaxed)
    }

    /// Says good-bye to the server.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        Ok(self.pool.clone().disconnect().await?)
    }
}
