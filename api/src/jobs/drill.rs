//! `drill.count`: the job of `cargo xtask drill jobs`, known only where `SYSNDD_DRILL` asks for it.
//!
//! Its effect is a row in a table that the drill makes and that has no key to catch a second one:
//! only the fence and the look before the insert do.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{TxOpts, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::handler::{Failure, Handler};
use super::turn::Turn;
use crate::state::App;

#[derive(Debug, Deserialize)]
pub(super) struct Count {
    /// How long to take before the effect, and again after it.
    pause_ms: u64,
}

impl Handler for Count {
    const KIND: &'static str = "drill.count";

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        let pause = Duration::from_millis(self.pause_ms);
        turn.progress("before", 0, 2).await?;
        take(&turn, pause).await?;
        let mut conn = app.db.conn().await?;
        let mut transaction = conn.start_transaction(TxOpts::default()).await?;
        turn.hold_fence(&mut transaction).await?;
        let done: Option<u64> = transaction
            .exec_first(
                "SELECT job_id FROM drill_effects WHERE job_id = :job_id",
                params! { "job_id" => turn.job_id },
            )
            .await?;
        if done.is_none() {
            transaction
                .exec_drop(
                    "INSERT INTO drill_effects (job_id, fence, replica) VALUES (:job_id, :fence, :replica)",
                    params! {
                        "job_id" => turn.job_id,
                        "fence" => turn.fence,
                        "replica" => app.identity.replica.as_str(),
                    },
                )
                .await?;
        }
        transaction.commit().await?;
        drop(conn);
        turn.progress("after", 1, 2).await?;
        take(&turn, pause).await?;
        turn.progress("done", 2, 2).await?;
        Ok(json!({ "done_before": done.is_some() }))
    }
}

/// Takes its time, unless it is to stop.
async fn take(turn: &Turn, pause: Duration) -> Result<(), Failure> {
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        () = turn.cancel.cancelled() => Err(Failure::Cancelled),
    }
}
