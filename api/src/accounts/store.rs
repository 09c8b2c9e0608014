//! Statements about the table `users`.

use mysql_async::prelude::Queryable;
use mysql_async::{Transaction, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::auth::Role;
use crate::db;
use crate::hex::hex;

/// Where an account is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Nobody has shown yet that the address is theirs.
    Unconfirmed,
    /// May sign in.
    Active,
    /// An administrator shut it.
    Disabled,
}

impl Status {
    /// As the table has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Unconfirmed, Self::Active, Self::Disabled]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// An account to be made.
pub(crate) struct NewUser<'a> {
    pub(crate) user_name: &'a str,
    pub(crate) email: &'a str,
    pub(crate) password_hash: &'a str,
    pub(crate) first_name: &'a str,
    pub(crate) family_name: &'a str,
    pub(crate) orcid: Option<&'a str>,
    pub(crate) comment: &'a str,
    pub(crate) role: Role,
    pub(crate) status: Status,
}

/// What is known of the owner of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) user_id: u64,
    pub(crate) status: Status,
}

/// What a sign-in is held against.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user_id: u64,
    pub(crate) password_hash: String,
    /// There were too many wrong passwords of late.
    pub(crate) resting: bool,
}

/// Makes an account; answers its number, or the fault `is_duplicate` when name, address or ORCID iD
/// are another's.
pub(crate) async fn sign_up(
    conn: &mut impl Queryable,
    user: &NewUser<'_>,
) -> Result<u64, db::Error> {
    conn.exec_drop(
        "INSERT INTO users (user_name, email, password_hash, first_name, family_name, orcid, comment, \
                role_id, status, terms_agreed_at, confirmed_at) \
         VALUES (:user_name, :email, :password_hash, :first_name, :family_name, :orcid, :comment, \
                :role_id, :status, UTC_TIMESTAMP(6), IF(:status = 'active', UTC_TIMESTAMP(6), NULL))",
        values(user),
    )
    .await?;
    let user_id: Option<u64> = conn.query_first("SELECT LAST_INSERT_ID()").await?;
    Ok(user_id.unwrap_or_default())
}

/// Tells one attempt to sign up from another with the same address, and no password: in each password's hash is
/// a salt of its own.
pub(crate) fn attempt(password_hash: &str) -> String {
    hex(&Sha256::digest(password_hash))
}

/// Gives an account that was never confirmed the values of a new attempt, and makes the links of
/// before void: what is confirmed is what the last mail was about. A letter of before that waits in the queue
/// finds another `attempt` and gets no link.
pub(crate) async fn sign_up_again(
    conn: &mut impl Queryable,
    user_id: u64,
    user: &NewUser<'_>,
) -> Result<(), db::Error> {
    let mut values = values(user);
    if let mysql_async::Params::Named(named) = &mut values {
        named.insert(b"user_id".to_vec(), user_id.into());
    }
    conn.exec_drop(
        "UPDATE users SET user_name = :user_name, password_hash = :password_hash, \
                first_name = :first_name, family_name = :family_name, orcid = :orcid, comment = :comment, \
                role_id = :role_id, terms_agreed_at = UTC_TIMESTAMP(6) \
         WHERE user_id = :user_id AND status = 'unconfirmed'",
        values,
    )
    .await?;
    conn.exec_drop(
        "DELETE FROM user_tokens WHERE user_id = :user_id AND purpose = 'confirm_email'",
        params! { user_id },
    )
    .await?;
    Ok(())
}

fn values(user: &NewUser<'_>) -> mysql_async::Params {
    params! {
        "user_name" => user.user_name,
        "email" => user.email,
        "password_hash" => user.password_hash,
        "first_name" => user.first_name,
        "family_name" => user.family_name,
        "orcid" => user.orcid,
        "comment" => user.comment,
        "role_id" => user.role.id(),
        "status" => user.status.name(),
    }
}

pub(crate) async fn find_by_email(
    conn: &mut impl Queryable,
    email: &str,
) -> Result<Option<Known>, db::Error> {
    let row: Option<(u64, String)> = conn
        .exec_first(
            "SELECT user_id, CAST(status AS CHAR) FROM users WHERE email = :email",
            params! { email },
        )
        .await?;
    Ok(row.and_then(|(user_id, status)| {
        Some(Known {
            user_id,
            status: Status::from_name(&status)?,
        })
    }))
}

/// By address if there is an `@` in it, by name otherwise.
pub(crate) async fn credentials(
    conn: &mut impl Queryable,
    name_or_email: &str,
) -> Result<Option<Credentials>, db::Error> {
    let column = if name_or_email.contains('@') {
        "email"
    } else {
        "user_name"
    };
    let row: Option<(u64, String, bool)> = conn
        .exec_first(
            format!(
                "SELECT user_id, password_hash, \
                        COALESCE(locked_until > UTC_TIMESTAMP(6), FALSE) \
                 FROM users WHERE {column} = :given"
            ),
            params! { "given" => name_or_email },
        )
        .await?;
    Ok(row.map(|(user_id, password_hash, resting)| Credentials {
        user_id,
        password_hash,
        resting,
    }))
}

/// Holds the account of a right password until the transaction ends; answers its status, and nothing when
/// it rests, or has another password, by now. Of guesses that are judged at the same time only those count
/// that come here before the rest begins.
pub(crate) async fn hold(
    tx: &mut Transaction<'_>,
    verified: &Credentials,
) -> Result<Option<Status>, db::Error> {
    let status: Option<String> = tx
        .exec_first(
            "SELECT CAST(status AS CHAR) FROM users \
             WHERE user_id = :user_id AND password_hash = :password_hash \
               AND (locked_until IS NULL OR locked_until <= UTC_TIMESTAMP(6)) FOR UPDATE",
            params! {
                "user_id" => verified.user_id,
                "password_hash" => &verified.password_hash,
            },
        )
        .await?;
    Ok(status.and_then(|status| Status::from_name(&status)))
}

/// Somebody has shown that the address is theirs. An account that was disabled meanwhile stays so.
pub(crate) async fn activate(conn: &mut impl Queryable, user_id: u64) -> Result<(), db::Error> {
    conn.exec_drop(
        "UPDATE users SET status = 'active', confirmed_at = UTC_TIMESTAMP(6) \
         WHERE user_id = :user_id AND status = 'unconfirmed'",
        params! { user_id },
    )
    .await?;
    Ok(())
}

/// Sets a new password: all sessions end, all tokens of scripts and all links to set another one are void, and
/// the account rests no more.
pub(crate) async fn set_password(
    conn: &mut impl Queryable,
    user_id: u64,
    password_hash: &str,
) -> Result<(), db::Error> {
    conn.exec_drop(
        "UPDATE users SET password_hash = :password_hash, session_epoch = session_epoch + 1, \
                failed_logins = 0, locked_until = NULL \
         WHERE user_id = :user_id",
        params! { user_id, password_hash },
    )
    .await?;
    conn.exec_drop(
        "DELETE FROM sessions WHERE user_id = :user_id",
        params! { user_id },
    )
    .await?;
    revoke_scripts(conn, user_id).await?;
    conn.exec_drop(
        "UPDATE user_tokens SET used_at = UTC_TIMESTAMP(6) \
         WHERE user_id = :user_id AND purpose = 'reset_password' AND used_at IS NULL",
        params! { user_id },
    )
    .await?;
    Ok(())
}

/// Makes the tokens of all scripts of an account void, for good.
pub(crate) async fn revoke_scripts(
    conn: &mut impl Queryable,
    user_id: u64,
) -> Result<(), db::Error> {
    conn.exec_drop(
        "DELETE FROM user_tokens WHERE user_id = :user_id AND purpose = 'script'",
        params! { user_id },
    )
    .await?;
    Ok(())
}
