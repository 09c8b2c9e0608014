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

/// Makes the pool; no connection is opened yet.
pub(crate) fn pool(config: &Database) -> Pool {
    let constraints = PoolConstraints::new(config.pool_min, config.pool_max).unwrap_or_default();
    let opts = PoolOpts::default()
        .with_constraints(constraints)
        .with_inactive_connection_ttl(IDLE_TTL);
    Pool::new(OptsBuilder::from_opts(config.url.opts()).pool_opts(opts))
}

/// Opens the connections that the pool keeps, so that no first request pays for one.
pub(crate) async fn warm(pool: &Pool, connections: usize) -> mysql_async::Result<()> {
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..connections {
        opening.spawn(pool.get_conn());
    }
    // All are held until the last one stands; else one connection would answer for several.
    let mut open = Vec::with_capacity(connections);
    while let Some(outcome) = opening.join_next().await {
        open.push(outcome.map_err(|ended| mysql_async::Error::Other(ended.into()))??);
    }
    Ok(())
}
