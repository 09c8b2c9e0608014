//! `jobs.purge`: forgets jobs that finished long ago.

use std::sync::Arc;

use mysql_async::params;
use mysql_async::prelude::Queryable as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::handler::{Failure, Handler};
use super::turn::Turn;
use crate::state::App;

/// Rows of one statement: few enough that nobody waits for it.
const AT_ONCE: u32 = 1_000;

#[derive(Debug, Deserialize)]
pub(super) struct Purge {}

impl Handler for Purge {
    const KIND: &'static str = "jobs.purge";

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        let mut deleted = 0;
        let retention = app.jobs.config().retention.as_secs();
        loop {
            if turn.cancel.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            if turn.stopping.is_cancelled() {
                return Err(Failure::HandBack);
            }
            let mut conn = app.db.conn().await?;
            let result = conn
                .exec_iter(
                    "DELETE FROM jobs WHERE finished_at < UTC_TIMESTAMP(6) - INTERVAL :retention SECOND \
                     ORDER BY finished_at LIMIT :limit",
                    params! { retention, "limit" => AT_ONCE },
                )
                .await?;
            let rows = result.affected_rows();
            result.drop_result().await?;
            deleted += rows;
            if rows < u64::from(AT_ONCE) {
                return Ok(json!({ "deleted": deleted }));
            }
        }
    }
}
