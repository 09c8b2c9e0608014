//! Tokens that are good for one use: to confirm an address, to set a new password.

use std::time::Duration;

use mysql_async::params;
use mysql_async::prelude::Queryable;

use super::token::{Origin, Token};
use crate::config::SecretKey;
use crate::db;

/// What a token is good for. One for another purpose is as good as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Shows that a mail arrived, and so that the address is theirs.
    ConfirmEmail,
    /// Allows to set a new password without the old one.
    ResetPassword,
}

impl Purpose {
    /// As the table `user_tokens` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ConfirmEmail => "confirm_email",
            Self::ResetPassword => "reset_password",
        }
    }

    /// How long it is good.
    pub(crate) fn lifetime(self) -> Duration {
        match self {
            Self::ConfirmEmail => Duration::from_hours(48),
            Self::ResetPassword => Duration::from_hours(1),
        }
    }
}

/// Makes the token of what it is derived from, and keeps its hash. Called again it answers the same token, whose
/// time begins anew: the letter that brings it may have waited for long. Nothing for one that was used, or made
/// void: nobody is to get a link that is dead.
pub(crate) async fn issue(
    conn: &mut impl Queryable,
    key: &SecretKey,
    purpose: Purpose,
    origin: Origin,
) -> Result<Option<Token>, db::Error> {
    let token = Token::derived(key, purpose.name(), origin);
    let hash = token.hash();
    conn.exec_drop(
        "INSERT INTO user_tokens (token_hash, user_id, purpose, expires_at) \
         VALUES (:hash, :user_id, :purpose, UTC_TIMESTAMP(6) + INTERVAL :lifetime SECOND) \
         ON DUPLICATE KEY UPDATE expires_at = IF(used_at IS NULL, VALUES(expires_at), expires_at)",
        params! {
            "hash" => hash.bytes(),
            "user_id" => origin.user_id,
            "purpose" => purpose.name(),
            "lifetime" => purpose.lifetime().as_secs(),
        },
    )
    .await?;
    let unused: Option<bool> = conn
        .exec_first(
            "SELECT used_at IS NULL FROM user_tokens WHERE token_hash = :hash",
            params! { "hash" => hash.bytes() },
        )
        .await?;
    Ok((unused == Some(true)).then_some(token))
}

/// Makes all links void that an account got: its address is another one now.
pub(crate) async fn revoke_links(conn: &mut impl Queryable, user_id: u64) -> Result<(), db::Error> {
    conn.exec_drop(
        "UPDATE user_tokens SET used_at = UTC_TIMESTAMP(6) \
         WHERE user_id = :user_id AND purpose IN ('confirm_email', 'reset_password') AND used_at IS NULL",
        params! { user_id },
    )
    .await?;
    Ok(())
}

/// Uses a token up; answers whose it is, and nothing for one that is unknown, used, too old or for
/// another purpose. Of two who come at the same time one gets it. To be called in
/// a transaction with what the token is used for: one without the other is a loss. It holds the account as well.
pub(crate) async fn redeem(
    conn: &mut impl Queryable,
    purpose: Purpose,
    token: &Token,
) -> Result<Option<u64>, db::Error> {
    let hash = token.hash();
    // Whoever changes an account and its tokens takes the account first, so that no two wait for each other.
    conn.exec_drop(
        "SELECT 1 FROM user_tokens t JOIN users u ON u.user_id = t.user_id \
         WHERE t.token_hash = :hash FOR UPDATE OF u",
        params! { "hash" => hash.bytes() },
    )
    .await?;
    let user_id: Option<u64> = conn
        .exec_first(
            "SELECT user_id FROM user_tokens \
             WHERE token_hash = :hash AND purpose = :purpose AND used_at IS NULL \
               AND expires_at > UTC_TIMESTAMP(6) FOR UPDATE",
            params! { "hash" => hash.bytes(), "purpose" => purpose.name() },
        )
        .await?;
    if user_id.is_some() {
        conn.exec_drop(
            "UPDATE user_tokens SET used_at = UTC_TIMESTAMP(6) WHERE token_hash = :hash",
            params! { "hash" => hash.bytes() },
        )
        .await?;
    }
    Ok(user_id)
}
