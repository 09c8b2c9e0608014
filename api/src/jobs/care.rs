//! What any replica does for all: takes jobs away from workers that died, and fires what is due by
//! the clock.

use mysql_async::params;
use mysql_async::prelude::Queryable as _;

use super::schedule::Entry;
use super::{NewJob, enqueue};
use crate::backups;
use crate::db::{self, Db};
use crate::state::App;

/// At most this many in one go.
const AT_ONCE: u32 = 100;

/// Gives jobs whose worker gave no sign for the time of its lease back to the queue. One that was
/// tried often enough has failed: it may be what its workers die of.
pub(super) async fn reap(app: &App) -> Result<u64, db::Error> {
    let mut conn = app.db.conn().await?;
    let lost: Vec<(u64, u64, Option<String>)> = conn
        .exec(
            "SELECT job_id, fence, lease_owner FROM jobs \
             WHERE status = 'running' AND lease_until < UTC_TIMESTAMP(6) \
             ORDER BY lease_until LIMIT :limit",
            params! { "limit" => AT_ONCE },
        )
        .await?;
    let mut reaped = 0;
    for (job_id, fence, owner) in lost {
        // The columns to the right see what those to the left were set to: `status` is last.
        let result = conn
            .exec_iter(
                "UPDATE jobs SET lease_owner = NULL, lease_until = NULL, \
                        run_after = UTC_TIMESTAMP(6), \
                        finished_at = IF(cancel_requested OR attempts >= max_attempts, UTC_TIMESTAMP(6), NULL), \
                        error_code = IF(NOT cancel_requested AND attempts >= max_attempts, 'worker_lost', error_code), \
                        error_message = IF(NOT cancel_requested AND attempts >= max_attempts, \
                            'the worker that ran it gave no more sign of life', error_message), \
                        status = IF(cancel_requested, 'cancelled', \
                            IF(attempts >= max_attempts, 'failed', 'queued')) \
                 WHERE job_id = :job_id AND fence = :fence AND status = 'running' \
                   AND lease_until < UTC_TIMESTAMP(6)",
                params! { job_id, fence },
            )
            .await?;
        let taken = result.affected_rows();
        result.drop_result().await?;
        if taken > 0 {
            tracing::warn!(
                job_id,
                owner = owner.as_deref().unwrap_or("-"),
                "a job was taken from a worker that gave no more sign of life"
            );
            super::wake::ring();
            backups::tell_of_lost(app, &mut conn, job_id).await;
        }
        reaped += taken;
    }
    Ok(reaped)
}

/// Puts what is due by the clock into the queue, each time exactly once however many replicas do
/// this. The time is the database's. What was missed while nobody was there is made up for once.
pub(super) async fn fire(db: &Db, schedule: &[Entry]) -> Result<(), db::Error> {
    let mut conn = db.conn().await?;
    for entry in schedule {
        let (now, last): (chrono::NaiveDateTime, Option<chrono::NaiveDateTime>) = conn
            .exec_first(
                "SELECT UTC_TIMESTAMP(6), (SELECT fired_for FROM job_schedule WHERE kind = :kind)",
                params! { "kind" => entry.kind },
            )
            .await?
            .unwrap_or_default();
        let Some(due) = entry.last_due(now.and_utc()) else {
            continue;
        };
        let due = due.naive_utc();
        if last.is_some_and(|last| last >= due) {
            continue;
        }
        let mut transaction = conn
            .start_transaction(mysql_async::TxOpts::default())
            .await?;
        // Seen for the first time, it is due from now on. The row stays locked to the end.
        transaction
            .exec_drop(
                "INSERT INTO job_schedule (kind, fired_for) VALUES (:kind, :due) \
                 ON DUPLICATE KEY UPDATE kind = VALUES(kind)",
                params! { "kind" => entry.kind, due },
            )
            .await?;
        let moved = transaction
            .exec_iter(
                "UPDATE job_schedule SET fired_for = :due WHERE kind = :kind AND fired_for < :due",
                params! { "kind" => entry.kind, due },
            )
            .await?;
        let ours = moved.affected_rows() == 1;
        moved.drop_result().await?;
        if ours {
            let job = NewJob::new(entry.kind, serde_json::json!({}))
                .with_dedup_key(format!("schedule:{}", entry.kind))
                .with_run_after(due.and_utc())
                // Nobody waits for it.
                .with_priority(10);
            let job_id = enqueue(&mut transaction, &job).await?.job_id;
            tracing::info!(job_id, kind = entry.kind, %due, "due by the clock");
        }
        transaction.commit().await?;
    }
    Ok(())
}
