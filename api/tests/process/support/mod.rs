//! What every test here uses.

mod database;
mod files;
mod http;
mod proxy;
mod replica;

pub(crate) use database::{Database, lost_job, with_database};
pub(crate) use files::{GATE, migrations, shipped_migrations, shut_gate};
pub(crate) use http::Request;
pub(crate) use proxy::{Proxy, Traffic};
pub(crate) use replica::{ADMIN_CREATE, Launch, PRODUCTION_LIMITS, Replica, SECRET_KEY};

use std::time::{Duration, Instant};

/// How long anything that a test waits for may take; on a machine that others use as well, too.
pub(crate) const DEADLINE: Duration = Duration::from_mins(3);

/// Asks again and again until there is an answer, or the deadline is over.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            began.elapsed() < DEADLINE,
            "{what} did not come about within {DEADLINE:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
