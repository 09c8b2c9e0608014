//! `jobs.purge`: forgets jobs that finished long ago.

use std::sync::Arc;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Params, params};
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
        let retention = app.jobs.config().retention.as_secs();
        let deleted = delete(
            &app,
            &turn,
            "jobs WHERE finished_at < UTC_TIMESTAMP(6) - INTERVAL :retention SECOND ORDER BY finished_at",
            params! { retention },
        )
        .await?;
        Ok(json!({ "deleted": deleted }))
    }
}

/// Deletes rows in portions, while the job may go on; answers how many. They are told as what
/// follows `DELETE FROM`, up to their order.
pub(crate) async fn delete(
    app: &App,
    turn: &Turn,
    rows: &str,
    params: Params,
) -> Result<u64, Failure> {
    let statement = format!("DELETE FROM {rows} LIMIT {AT_ONCE}");
    let mut deleted = 0;
    loop {
        if turn.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        if turn.stopping.is_cancelled() {
            return Err(Failure::HandBack);
        }
        let mut conn = app.db.conn().await?;
        let result = conn.exec_iter(&statement, params.clone()).await?;
        let portion = result.affected_rows();
        result.drop_result().await?;
        deleted += portion;
        if portion < u64::from(AT_ONCE) {
            return Ok(deleted);
        }
    }
}
