//! Guessing passwords: after some wrong ones an account rests, on all replicas alike, because the
//! count is in its row.

use std::time::Duration;

use mysql_async::params;
use mysql_async::prelude::Queryable;

use crate::db;

/// Wrong passwords that have no consequence.
const FREE: u32 = 5;
/// The first rest; each further wrong password doubles it.
const FIRST_REST: Duration = Duration::from_secs(30);
const LONGEST_REST: Duration = Duration::from_mins(15);

/// The rules in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guesses;

impl Guesses {
    /// For the answer to whoever cannot sign in, the same to all.
    pub(crate) fn refusal() -> String {
        format!(
            "user name or password is wrong, or there were too many wrong ones: after {FREE} an account rests for up to {} minutes",
            LONGEST_REST.as_secs() / 60
        )
    }
}

/// Counts a wrong password. One that comes while the account rests changes nothing: guessing on
/// does not lock the owner out for longer.
pub(crate) async fn count_wrong_password(
    conn: &mut impl Queryable,
    user_id: u64,
) -> Result<(), db::Error> {
    // Columns are set from left to right: the second one sees the new count.
    conn.exec_drop(
        "UPDATE users SET failed_logins = LEAST(failed_logins + 1, 1000), \
                locked_until = IF(failed_logins < :free, NULL, UTC_TIMESTAMP(6) \
                    + INTERVAL LEAST(:first * POW(2, LEAST(failed_logins - :free, 16)), :longest) SECOND) \
         WHERE user_id = :user_id AND (locked_until IS NULL OR locked_until <= UTC_TIMESTAMP(6))",
        params! {
            user_id,
            "free" => FREE,
            "first" => FIRST_REST.as_secs(),
            "longest" => LONGEST_REST.as_secs(),
        },
    )
    .await?;
    Ok(())
}

/// The right one came, or an administrator says so.
pub(crate) async fn forget_wrong_passwords(
    conn: &mut impl Queryable,
    user_id: u64,
) -> Result<(), db::Error> {
    conn.exec_drop(
        "UPDATE users SET failed_logins = 0, locked_until = NULL \
         WHERE user_id = :user_id AND (failed_logins > 0 OR locked_until IS NOT NULL)",
        params! { user_id },
    )
    .await?;
    Ok(())
}
