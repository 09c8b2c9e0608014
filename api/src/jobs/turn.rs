//! One worker's turn at one job: what it may say and ask while it runs.

use chrono::{DateTime, Utc};
use mysql_async::params;
use mysql_async::prelude::Queryable;
use tokio_util::sync::CancellationToken;

use super::handler::Failure;
use crate::db::Db;

/// Who runs the job, for how long, and how it is told to stop.
#[derive(Clone)]
pub(crate) struct Turn {
    pub(crate) job_id: u64,
    /// When the job was put into the queue.
    pub(crate) begun: DateTime<Utc>,
    /// Raised with each claim: of two workers at the same job, the older one has the lower fence.
    pub(super) fence: u64,
    /// Somebody wants the job to stop.
    pub(crate) cancel: CancellationToken,
    /// The process wants to end. A long job that can go on elsewhere answers `HandBack`.
    pub(crate) stopping: CancellationToken,
    /// No other attempt follows when this one fails.
    pub(crate) is_last: bool,
    pub(super) db: Db,
}

impl Turn {
    /// Says how far it is, for those who ask about the job.
    pub(crate) async fn progress(
        &self,
        step: &str,
        current: u32,
        total: u32,
    ) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let mut conn = self.db.conn().await?;
        conn.exec_drop(
            "UPDATE jobs SET step = :step, progress_current = :current, progress_total = :total \
             WHERE job_id = :job_id AND fence = :fence AND status = 'running'",
            params! {
                step, current, total, "job_id" => self.job_id, "fence" => self.fence,
            },
        )
        .await?;
        Ok(())
    }

    /// In a transaction: nobody takes the job away until it ends. Fails when somebody did already;
    /// then the transaction must not be committed.
    pub(crate) async fn hold_fence(&self, transaction: &mut impl Queryable) -> Result<(), Failure> {
        let held: Option<u64> = transaction
            .exec_first(
                "SELECT job_id FROM jobs \
                 WHERE job_id = :job_id AND fence = :fence AND status = 'running' FOR UPDATE",
                params! { "job_id" => self.job_id, "fence" => self.fence },
            )
            .await?;
        held.map(drop).ok_or(Failure::Lost)
    }
}
