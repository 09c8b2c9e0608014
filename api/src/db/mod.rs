//! The database: first contact, the pool that requests use, and the probe behind the health report.

mod connect;
mod probe;

pub(crate) use connect::await_database;
pub(crate) use probe::{Probe, Schema, Seen};

use std::time::Duration;

use mysql_async::{OptsBuilder, Pool, PoolConstraints, PoolOpts};

use crate::config::Database;

/// How long a connection above the minimum stays open unused.
const IDLE_TTL: Duration = Duration::from_mins(1);
const WARM_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the pool; no connection is opened yet.
pub(crate) fn pool(config: &Database) -> Pool {
    let constraints = PoolConstraints::new(config.pool_min, config.pool_max).unwrap_or_default();
    let opts = PoolOpts::default()
        .with_constraints(constraints)
        .with_inactive_connection_ttl(IDLE_TTL);
    Pool::new(OptsBuilder::from_opts(config.url.opts()).pool_opts(opts))
}

/// Opens the connections that the pool keeps, so that no first request pays for one. A database
/// that was lost since the last step shows in the health report; it is no reason to give up.
pub(crate) async fn warm(pool: &Pool, connections: usize) {
    // All are held until the last one stands; else one connection would answer for several.
    let opening = futures::future::try_join_all((0..connections).map(|_| pool.get_conn()));
    match tokio::time::timeout(WARM_TIMEOUT, opening).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the connection pool could not be opened ahead"),
        Err(_) => tracing::warn!(limit = ?WARM_TIMEOUT, "the connection pool did not open in time"),
    }
}
