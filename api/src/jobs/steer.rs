//! What people may do to a job: stop it, have it tried again.

use mysql_async::params;
use mysql_async::prelude::Queryable;

use super::wake;
use crate::db;

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such job.
    Unknown,
    /// It is not in a state for this.
    State,
    /// A job with the same key waits or runs already.
    Duplicate,
}

/// Ends a job that waits, or asks one that runs to stop: it does so at its next good moment, unless
/// it succeeds before.
pub(crate) async fn cancel(
    conn: &mut impl Queryable,
    job_id: u64,
) -> Result<Result<(), Refused>, db::Error> {
    // The columns to the right see what those to the left were set to: `status` is last.
    let changed = conn
        .exec_iter(
            "UPDATE jobs SET cancel_requested = TRUE, \
                    finished_at = IF(status = 'queued', UTC_TIMESTAMP(6), NULL), \
                    status = IF(status = 'queued', 'cancelled', status) \
             WHERE job_id = :job_id AND status IN ('queued', 'running')",
            params! { job_id },
        )
        .await?;
    let matched = changed.affected_rows() > 0 || changed.info().contains("Rows matched: 1");
    changed.drop_result().await?;
    if matched {
        return Ok(Ok(()));
    }
    refused(conn, job_id).await.map(Err)
}

/// Puts a job that failed or was cancelled back into the queue, with all its attempts.
pub(crate) async fn retry(
    conn: &mut impl Queryable,
    job_id: u64,
) -> Result<Result<(), Refused>, db::Error> {
    let changed = conn
        .exec_iter(
            "UPDATE jobs SET status = 'queued', attempts = 0, run_after = UTC_TIMESTAMP(6), \
                    cancel_requested = FALSE, finished_at = NULL, step = NULL, \
                    progress_current = NULL, progress_total = NULL, \
                    error_code = NULL, error_message = NULL \
             WHERE job_id = :job_id AND status IN ('failed', 'cancelled')",
            params! { job_id },
        )
        .await
        .map_err(db::Error::from);
    let changed = match changed {
        Err(error) if error.is_duplicate() => return Ok(Err(Refused::Duplicate)),
        changed => changed?,
    };
    let changed_rows = changed.affected_rows();
    changed.drop_result().await?;
    if changed_rows == 0 {
        return refused(conn, job_id).await.map(Err);
    }
    wake::ring();
    Ok(Ok(()))
}

async fn refused(conn: &mut impl Queryable, job_id: u64) -> Result<Refused, db::Error> {
    let known: Option<u64> = conn
        .exec_first(
            "SELECT job_id FROM jobs WHERE job_id = :job_id",
            params! { job_id },
        )
        .await?;
    Ok(known.map_or(Refused::Unknown, |_| Refused::State))
}
