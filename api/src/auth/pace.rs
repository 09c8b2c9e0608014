//! How fast an account may change things, at all replicas together.
//!
//! A generic cell rate algorithm in one statement: the row holds the time at which all changes so
//! far would have been due, had they come evenly.

use std::time::Duration;

use mysql_async::params;
use mysql_async::prelude::Queryable;

use crate::db;

/// Counts a change; answers how long to wait when it comes too soon. What is refused is not counted.
pub(super) async fn step(
    conn: &mut impl Queryable,
    user_id: u64,
    per_minute: u32,
) -> Result<Option<Duration>, db::Error> {
    let interval_us = 60_000_000 / u64::from(per_minute);
    // Half a minute's worth may come at once.
    let ahead_us = 30_000_000_u64;
    let values = params! { user_id, interval_us, ahead_us };
    // The first one makes the row. The second value tells whether the step was taken: an update
    // that changes nothing counts no row.
    let taken: u64 = {
        let mut result = conn
            .exec_iter(
                "INSERT INTO account_pace (user_id, due_at) \
                 VALUES (:user_id, UTC_TIMESTAMP(6) + INTERVAL :interval_us MICROSECOND) \
                 ON DUPLICATE KEY UPDATE due_at = IF( \
                     due_at > UTC_TIMESTAMP(6) + INTERVAL :ahead_us MICROSECOND - INTERVAL :interval_us MICROSECOND, \
                     due_at, \
                     GREATEST(due_at, UTC_TIMESTAMP(6)) + INTERVAL :interval_us MICROSECOND)",
                values,
            )
            .await?;
        let rows = result.affected_rows();
        result.for_each(drop).await?;
        rows
    };
    if taken > 0 {
        return Ok(None);
    }
    let wait_us: Option<i64> = conn
        .exec_first(
            "SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), due_at) - CAST(:ahead_us AS SIGNED) + CAST(:interval_us AS SIGNED) \
             FROM account_pace WHERE user_id = :user_id",
            params! { user_id, interval_us, ahead_us },
        )
        .await?;
    let wait = u64::try_from(wait_us.unwrap_or_default()).unwrap_or_default();
    Ok(Some(Duration::from_micros(wait)))
}
