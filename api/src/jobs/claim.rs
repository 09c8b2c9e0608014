//! The far end of the queue: claiming a job, keeping it, and saying how it ended.
//!
//! Every write carries the fence of the claim and has no effect once the job is another's.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, IsolationLevel, TxOpts, params};
use serde_json::Value;

use super::backoff::backoff;
use super::handler::Failure;
use crate::db;

/// The longest message that the column holds.
const LONGEST_MESSAGE: usize = 1_000;

/// A job in the hands of this worker.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) job_id: u64,
    pub(super) begun: DateTime<Utc>,
    pub(super) kind: String,
    pub(super) payload: Value,
    pub(super) fence: u64,
    /// The running one included.
    pub(super) attempt: u16,
    pub(super) max_attempts: u16,
}

/// What the lease is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Ours,
    /// And somebody wants the job to stop.
    CancelRequested,
    Lost,
}

/// Takes the job that is due first, if there is one of these kinds.
pub(super) async fn claim(
    conn: &mut Conn,
    kinds: &[&'static str],
    owner: &str,
    lease: Duration,
) -> Result<Option<Claim>, db::Error> {
    if kinds.is_empty() {
        return Ok(None);
    }
    // Read committed locks the row that is taken and no gap beside it, so that new jobs can be put
    // in meanwhile. The index gives the order: a sort would lock every row that it looks at.
    let options = TxOpts::default()
        .with_isolation_level(IsolationLevel::ReadCommitted)
        .to_owned();
    let mut transaction = conn.start_transaction(options).await?;
    let places = vec!["?"; kinds.len()].join(", ");
    let row: Option<(u64, NaiveDateTime, String, String, u64, u16, u16)> = transaction
        .exec_first(
            format!(
                "SELECT job_id, created_at, kind, payload, fence, attempts, max_attempts \
                 FROM jobs FORCE INDEX (jobs_claim) \
                 WHERE status = 'queued' AND run_after <= UTC_TIMESTAMP(6) AND kind IN ({places}) \
                 ORDER BY priority, run_after, job_id LIMIT 1 FOR UPDATE SKIP LOCKED"
            ),
            kinds.to_vec(),
        )
        .await?;
    let Some((job_id, begun, kind, payload, fence, attempts, max_attempts)) = row else {
        transaction.rollback().await?;
        return Ok(None);
    };
    transaction
        .exec_drop(
            "UPDATE jobs SET status = 'running', attempts = attempts + 1, fence = fence + 1, \
                    lease_owner = LEFT(:owner, 128), \
                    lease_until = UTC_TIMESTAMP(6) + INTERVAL :lease MICROSECOND, \
                    started_at = COALESCE(started_at, UTC_TIMESTAMP(6)), step = NULL, \
                    progress_current = NULL, progress_total = NULL, \
                    error_code = NULL, error_message = NULL \
             WHERE job_id = :job_id",
            params! { owner, "lease" => microseconds(lease), job_id },
        )
        .await?;
    transaction.commit().await?;
    Ok(Some(Claim {
        job_id,
        begun: begun.and_utc(),
        kind,
        // A text that is no JSON cannot be in a JSON column.
        payload: serde_json::from_str(&payload).unwrap_or_default(),
        fence: fence + 1,
        attempt: attempts + 1,
        max_attempts,
    }))
}

impl Claim {
    /// Prolongs the lease, and looks whether the job is to stop.
    pub(super) async fn keep(&self, conn: &mut Conn, lease: Duration) -> Result<Kept, db::Error> {
        let kept = self
            .write(
                conn,
                "lease_until = UTC_TIMESTAMP(6) + INTERVAL :lease MICROSECOND",
                vec![("lease", microseconds(lease).into())],
            )
            .await?;
        if !kept {
            return Ok(Kept::Lost);
        }
        let cancel: Option<bool> = conn
            .exec_first(
                "SELECT cancel_requested FROM jobs WHERE job_id = :job_id",
                params! { "job_id" => self.job_id },
            )
            .await?;
        Ok(if cancel == Some(true) {
            Kept::CancelRequested
        } else {
            Kept::Ours
        })
    }

    /// Writes how it ended; answers whether the job was still ours to end.
    pub(super) async fn settle(
        &self,
        conn: &mut Conn,
        outcome: &Result<Value, Failure>,
    ) -> Result<bool, db::Error> {
        const FINISHED: &str =
            "finished_at = UTC_TIMESTAMP(6), lease_owner = NULL, lease_until = NULL";
        // Whoever wants it to stop has it stopped here.
        const QUEUED: &str = "status = IF(cancel_requested, 'cancelled', 'queued'), \
             finished_at = IF(cancel_requested, UTC_TIMESTAMP(6), NULL), \
             lease_owner = NULL, lease_until = NULL";
        match outcome {
            Ok(result) => {
                let values = vec![("result", result.to_string().into())];
                self.write(
                    conn,
                    &format!("status = 'succeeded', result = :result, {FINISHED}"),
                    values,
                )
                .await
            }
            Err(Failure::Cancelled) => {
                self.write(conn, &format!("status = 'cancelled', {FINISHED}"), vec![])
                    .await
            }
            Err(Failure::HandBack) => {
                let set = format!(
                    "{QUEUED}, attempts = attempts - 1, run_after = UTC_TIMESTAMP(6), step = NULL"
                );
                self.write(conn, &set, vec![]).await
            }
            Err(Failure::Lost) => Ok(false),
            Err(Failure::Again { code, message }) if self.attempt < self.max_attempts => {
                let pause = backoff(self.attempt, rand::random());
                let mut values = error(code, message);
                values.push(("pause", microseconds(pause).into()));
                let set = format!(
                    "{QUEUED}, run_after = UTC_TIMESTAMP(6) + INTERVAL :pause MICROSECOND, \
                     error_code = :code, error_message = :message"
                );
                self.write(conn, &set, values).await
            }
            Err(Failure::Again { code, message } | Failure::Final { code, message }) => {
                let set = format!(
                    "status = 'failed', error_code = :code, error_message = :message, {FINISHED}"
                );
                self.write(conn, &set, error(code, message)).await
            }
        }
    }

    async fn write(
        &self,
        conn: &mut Conn,
        set: &str,
        mut values: Vec<(&'static str, mysql_async::Value)>,
    ) -> Result<bool, db::Error> {
        values.push(("job_id", self.job_id.into()));
        values.push(("fence", self.fence.into()));
        let result = conn
            .exec_iter(
                format!(
                    "UPDATE jobs SET {set} \
                     WHERE job_id = :job_id AND fence = :fence AND status = 'running'"
                ),
                values,
            )
            .await?;
        let ours = result.affected_rows() == 1;
        result.drop_result().await?;
        Ok(ours)
    }
}

fn error(code: &str, message: &str) -> Vec<(&'static str, mysql_async::Value)> {
    let message: String = message.chars().take(LONGEST_MESSAGE).collect();
    vec![("code", code.into()), ("message", message.into())]
}

pub(super) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{NewJob, cancel, enqueue, find};
    use super::*;
    use crate::db::with_schema;

    const LEASE: Duration = Duration::from_secs(30);

    #[tokio::test]
    #[ignore = "needs SYSNDD_TEST_MYSQL"]
    async fn a_job_that_is_to_stop_is_not_given_to_another_replica() {
        with_schema("claim", async |mut conn| {
            for (asked, status) in [(false, "queued"), (true, "cancelled")] {
                let job = NewJob::new("of.a.test", json!({}));
                let job_id = enqueue(&mut conn, &job).await.expect("in the queue").job_id;
                let claim = claim(&mut conn, &["of.a.test"], "api-1", LEASE).await;
                let claim = claim.expect("asked").expect("the job");
                assert_eq!(claim.job_id, job_id);
                if asked {
                    let asked = cancel(&mut conn, job_id).await.expect("asked");
                    assert_eq!(asked, Ok(()));
                }
                let settled = claim.settle(&mut conn, &Err(Failure::HandBack)).await;
                assert!(settled.expect("written"));
                let job = find(&mut conn, job_id).await.expect("asked");
                let job = serde_json::to_value(job.expect("it is there")).expect("JSON");
                assert_eq!(
                    (&job["status"], &job["attempts"]),
                    (&status.into(), &0.into())
                );
                assert_eq!(job["finished_at"].is_string(), asked, "{job}");
                conn.query_drop("DELETE FROM jobs").await.expect("cleared");
            }
        })
        .await;
    }
}
