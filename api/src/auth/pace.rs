//! How fast an account may change things, and strangers have letters sent to an address, at all
//! replicas together.
//!
//! A generic cell rate algorithm in one statement: the row holds the time at which all changes so
//! far would have been due, had they come evenly.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Params, params};

use super::one_time::Purpose;
use crate::db;

/// Letters of one kind that an address may get at once when nobody shows who they are …
const LETTERS: u64 = 5;
/// … and after those, one in so long.
const BETWEEN_LETTERS: Duration = Duration::from_mins(20);

/// The end of the statement that takes a step: the first one makes the row.
const STEP: &str = "UTC_TIMESTAMP(6) + INTERVAL :interval_us MICROSECOND) \
     ON DUPLICATE KEY UPDATE due_at = IF( \
         due_at > UTC_TIMESTAMP(6) + INTERVAL :ahead_us MICROSECOND - INTERVAL :interval_us MICROSECOND, \
         due_at, \
         GREATEST(due_at, UTC_TIMESTAMP(6)) + INTERVAL :interval_us MICROSECOND)";

/// Counts a change; answers how long to wait when it comes too soon. What is refused is not counted.
pub(super) async fn step(
    conn: &mut impl Queryable,
    user_id: u64,
    per_minute: u32,
) -> Result<Option<Duration>, db::Error> {
    let interval_us = 60_000_000 / u64::from(per_minute);
    // Half a minute's worth may come at once.
    let ahead_us = 30_000_000_u64;
    let statement = format!("INSERT INTO account_pace (user_id, due_at) VALUES (:user_id, {STEP}");
    if is_taken(conn, statement, params! { user_id, interval_us, ahead_us }).await? {
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

/// Counts a letter to an address that anybody may have typed; answers whether it may be sent. Each
/// purpose counts on its own, so that sign-ups do not use up the way to a new password.
pub(crate) async fn may_send(
    conn: &mut impl Queryable,
    purpose: Purpose,
    address: &str,
) -> Result<bool, db::Error> {
    let interval_us = BETWEEN_LETTERS.as_micros();
    let interval_us = u64::try_from(interval_us).unwrap_or(u64::MAX);
    // Addresses are told apart as the column `email` tells them apart.
    let statement = format!(
        "INSERT INTO mail_pace (recipient, due_at) VALUES (UNHEX(SHA2(CONCAT(:purpose, '/', WEIGHT_STRING( \
             CAST(:address AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_0900_as_ci)), 256)), {STEP}"
    );
    let values = params! {
        "purpose" => purpose.name(),
        address,
        interval_us,
        "ahead_us" => LETTERS * interval_us,
    };
    is_taken(conn, statement, values).await
}

/// Whether the step was taken: an update that changes nothing counts no row.
async fn is_taken(
    conn: &mut impl Queryable,
    statement: String,
    values: Params,
) -> Result<bool, db::Error> {
    let mut result = conn.exec_iter(statement, values).await?;
    let rows = result.affected_rows();
    result.for_each(drop).await?;
    Ok(rows > 0)
}
