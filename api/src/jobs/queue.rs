//! The near end of the queue: new jobs.

use chrono::{DateTime, Utc};
use mysql_async::params;
use mysql_async::prelude::Queryable;
use serde_json::Value;

use super::wake;
use crate::db;

/// How often a job is tried unless it says otherwise.
const MAX_ATTEMPTS: u16 = 5;

/// A job that is not in the queue yet.
#[derive(Debug, Clone)]
pub(crate) struct NewJob {
    kind: &'static str,
    payload: Value,
    dedup_key: Option<String>,
    run_after: Option<DateTime<Utc>>,
    created_by: Option<u64>,
    max_attempts: u16,
    priority: i8,
}

/// A job that is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enqueued {
    pub(crate) job_id: u64,
    /// No when a live job with the same key was there already.
    pub(crate) created: bool,
}

impl NewJob {
    /// A job that may run at once, in the name of nobody.
    pub(crate) fn new(kind: &'static str, payload: Value) -> Self {
        Self {
            kind,
            payload,
            dedup_key: None,
            run_after: None,
            created_by: None,
            max_attempts: MAX_ATTEMPTS,
            priority: 0,
        }
    }

    /// While a job with this key waits or runs, no second one is made.
    pub(crate) fn with_dedup_key(self, key: impl Into<String>) -> Self {
        let dedup_key = Some(key.into());
        Self { dedup_key, ..self }
    }

    /// Not before this time.
    pub(crate) fn with_run_after(self, time: DateTime<Utc>) -> Self {
        let run_after = Some(time);
        Self { run_after, ..self }
    }

    /// In whose name; they may see it.
    pub(crate) fn with_created_by(self, user_id: u64) -> Self {
        let created_by = Some(user_id);
        Self { created_by, ..self }
    }

    /// How often it is tried before it counts as failed.
    pub(crate) fn with_max_attempts(self, max_attempts: u16) -> Self {
        Self {
            max_attempts,
            ..self
        }
    }

    /// Lower runs first.
    pub(crate) fn with_priority(self, priority: i8) -> Self {
        Self { priority, ..self }
    }
}

/// Puts a job into the queue, as part of the caller's transaction if there is one. When a live job
/// has the same key, that one is answered.
pub(crate) async fn enqueue(
    conn: &mut impl Queryable,
    job: &NewJob,
) -> Result<Enqueued, db::Error> {
    // The row that has the key makes this an update of nothing, which answers its number.
    let result = conn
        .exec_iter(
            "INSERT INTO jobs (kind, payload, dedup_key, run_after, created_by, max_attempts, priority) \
             VALUES (:kind, :payload, :dedup_key, COALESCE(:run_after, UTC_TIMESTAMP(6)), :created_by, \
                     :max_attempts, :priority) \
             ON DUPLICATE KEY UPDATE job_id = LAST_INSERT_ID(job_id)",
            params! {
                "kind" => job.kind,
                "payload" => job.payload.to_string(),
                "dedup_key" => job.dedup_key.as_deref(),
                "run_after" => job.run_after.map(|time| time.naive_utc()),
                "created_by" => job.created_by,
                "max_attempts" => job.max_attempts,
                "priority" => job.priority,
            },
        )
        .await?;
    let job_id = result.last_insert_id().unwrap_or_default();
    let created = result.affected_rows() == 1;
    result.drop_result().await?;
    wake::ring();
    Ok(Enqueued { job_id, created })
}
