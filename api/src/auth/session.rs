//! Sessions: rows that any replica can check, and that are gone everywhere once they are deleted.
//!
//! A session ends when it is closed, when it is not refreshed for a while, at the end of its
//! lifetime, and when its user's `session_epoch` moves on (a new password, a disabled account).

use std::time::Duration;

use chrono::{DateTime, Utc};
use mysql_async::params;
use mysql_async::prelude::Queryable;

use super::role::Role;
use super::token::Token;
use crate::config::Accounts;
use crate::db;

/// How long the token of before a refresh is still good, for requests that were on their way.
const OVERLAP: Duration = Duration::from_secs(30);

/// A session that was opened or refreshed.
#[derive(Debug)]
pub(crate) struct NewSession {
    pub(crate) token: Token,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Who acts, as the row of their session or token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) user_id: u64,
    pub(crate) user_name: String,
    pub(crate) role: Role,
    /// Absent for the token of a script.
    pub(crate) session_id: Option<u64>,
    /// A browser sends the token by itself.
    pub(crate) by_cookie: bool,
}

/// Opens a session for a user who showed who they are.
pub(crate) async fn open_session(
    conn: &mut impl Queryable,
    accounts: &Accounts,
    user_id: u64,
) -> Result<NewSession, db::Error> {
    let token = Token::random();
    conn.exec_drop(
        "INSERT INTO sessions (token_hash, user_id, epoch, expires_at, ends_at) \
         SELECT :hash, user_id, session_epoch, UTC_TIMESTAMP(6) + INTERVAL :idle SECOND, \
                UTC_TIMESTAMP(6) + INTERVAL :lifetime SECOND \
         FROM users WHERE user_id = :user_id",
        params! {
            "hash" => token.hash().bytes(),
            user_id,
            "idle" => accounts.session_idle.as_secs(),
            "lifetime" => accounts.session_lifetime.as_secs(),
        },
    )
    .await?;
    Ok(NewSession {
        token,
        expires_at: Utc::now() + accounts.session_idle,
    })
}

/// Gives a session a new token and more time, within its lifetime.
pub(crate) async fn rotate_session(
    conn: &mut impl Queryable,
    accounts: &Accounts,
    session_id: u64,
) -> Result<NewSession, db::Error> {
    let token = Token::random();
    conn.exec_drop(
        "UPDATE sessions SET previous_hash = token_hash, token_hash = :hash, \
                rotated_at = UTC_TIMESTAMP(6), \
                expires_at = LEAST(ends_at, UTC_TIMESTAMP(6) + INTERVAL :idle SECOND) \
         WHERE session_id = :session_id",
        params! {
            "hash" => token.hash().bytes(),
            session_id,
            "idle" => accounts.session_idle.as_secs(),
        },
    )
    .await?;
    let expires_at: Option<chrono::NaiveDateTime> = conn
        .exec_first(
            "SELECT expires_at FROM sessions WHERE session_id = :session_id",
            params! { session_id },
        )
        .await?;
    Ok(NewSession {
        token,
        // Closed in between: its token is good for nothing already.
        expires_at: expires_at.map_or_else(Utc::now, |time| time.and_utc()),
    })
}

/// Ends a session.
pub(crate) async fn close_session(
    conn: &mut impl Queryable,
    session_id: u64,
) -> Result<(), db::Error> {
    conn.exec_drop(
        "DELETE FROM sessions WHERE session_id = :session_id",
        params! { session_id },
    )
    .await?;
    Ok(())
}

/// Who a session's token acts for; nobody when it is unknown, over or revoked.
pub(super) async fn actor_of_session(
    conn: &mut impl Queryable,
    token: &Token,
) -> Result<Option<Actor>, db::Error> {
    let row: Option<(u64, String, u8, u64)> = conn
        .exec_first(
            "SELECT u.user_id, u.user_name, u.role_id, s.session_id \
             FROM sessions s JOIN users u ON u.user_id = s.user_id \
             WHERE s.session_id = ( \
                 SELECT session_id FROM sessions WHERE token_hash = :hash \
                 UNION ALL \
                 SELECT session_id FROM sessions WHERE previous_hash = :hash \
                   AND rotated_at > UTC_TIMESTAMP(6) - INTERVAL :overlap SECOND \
                 LIMIT 1) \
               AND s.epoch = u.session_epoch AND u.status = 'active' \
               AND s.expires_at > UTC_TIMESTAMP(6)",
            params! { "hash" => token.hash().bytes(), "overlap" => OVERLAP.as_secs() },
        )
        .await?;
    Ok(row.and_then(|(user_id, user_name, role, session_id)| {
        Some(Actor {
            user_id,
            user_name,
            role: Role::from_id(role)?,
            session_id: Some(session_id),
            by_cookie: false,
        })
    }))
}

/// Who a script's token acts for.
pub(super) async fn actor_of_script(
    conn: &mut impl Queryable,
    token: &Token,
) -> Result<Option<Actor>, db::Error> {
    let row: Option<(u64, String, u8)> = conn
        .exec_first(
            "SELECT u.user_id, u.user_name, u.role_id \
             FROM user_tokens t JOIN users u ON u.user_id = t.user_id \
             WHERE t.token_hash = :hash AND t.purpose = 'script' \
               AND t.expires_at > UTC_TIMESTAMP(6) AND u.status = 'active'",
            params! { "hash" => token.hash().bytes() },
        )
        .await?;
    Ok(row.and_then(|(user_id, user_name, role)| {
        Some(Actor {
            user_id,
            user_name,
            role: Role::from_id(role)?,
            session_id: None,
            by_cookie: false,
        })
    }))
}
