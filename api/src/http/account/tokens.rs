//! `/api/account/tokens`: bearer tokens for scripts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDateTime, Utc};
use garde::Validate;
use mysql_async::params;
use mysql_async::prelude::Queryable as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{SignedIn, Token};
use crate::http::{Answer, ApiError, Json, Path, Problem};
use crate::state::App;

/// More than anyone needs; a bound on what one account can fill the table with.
const MOST: u64 = 50;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(revoke))
}

/// A script's token, without the token.
#[derive(Serialize, ToSchema)]
struct ScriptToken {
    /// To revoke it by
    id: String,
    label: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// What is wanted.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// What it is for
    #[garde(length(chars, min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    label: String,
    /// How long it is good, in days
    #[garde(range(min = 1, max = 366))]
    #[schema(minimum = 1, maximum = 366)]
    days: u32,
}

/// A new token. It is shown this once.
#[derive(Serialize, ToSchema)]
struct Made {
    id: String,
    /// To be sent as `Authorization: Bearer …`
    token: String,
    expires_at: DateTime<Utc>,
}

/// Tokens of one's scripts
#[utoipa::path(get, path = "/account/tokens", tag = "account", security(("session" = []), ("bearer" = [])), responses(
    (status = 200, description = "Those that are good, newest first", body = Vec<ScriptToken>),
    (status = 401, description = "Nobody is signed in", body = Problem),
))]
async fn list(
    State(app): State<Arc<App>>,
    SignedIn(actor): SignedIn,
) -> Answer<axum::Json<Vec<ScriptToken>>> {
    let mut conn = app.db.conn().await?;
    let rows: Vec<(String, Option<String>, NaiveDateTime, NaiveDateTime)> = conn
        .exec(
            "SELECT LOWER(HEX(SUBSTR(token_hash, 1, 8))), label, created_at, expires_at FROM user_tokens \
             WHERE user_id = :user_id AND purpose = 'script' AND expires_at > UTC_TIMESTAMP(6) \
             ORDER BY created_at DESC",
            params! { "user_id" => actor.user_id },
        )
        .await?;
    let tokens = rows
        .into_iter()
        .map(|(id, label, created_at, expires_at)| ScriptToken {
            id,
            label: label.unwrap_or_default(),
            created_at: created_at.and_utc(),
            expires_at: expires_at.and_utc(),
        })
        .collect();
    Ok(axum::Json(tokens))
}

/// Make a token for a script
///
/// It acts for its owner until it expires or is revoked, and cannot make tokens itself.
#[utoipa::path(post, path = "/account/tokens", tag = "account", request_body = Wanted,
    security(("session" = []), ("bearer" = [])), responses(
    (status = 201, description = "Made; the token is shown this once", body = Made),
    (status = 401, description = "Nobody is signed in", body = Problem),
    (status = 403, description = "A script's token makes no others", body = Problem),
    (status = 409, description = "There are too many", body = Problem),
    (status = 422, description = "Values are refused", body = Problem),
))]
async fn make(
    State(app): State<Arc<App>>,
    SignedIn(actor): SignedIn,
    Json(wanted): Json<Wanted>,
) -> Answer<(StatusCode, axum::Json<Made>)> {
    let Some(session_id) = actor.session_id else {
        return Err(ApiError::Forbidden {
            detail: "the token of a script makes no others; sign in".into(),
        });
    };
    let token = Token::random();
    let hash = token.hash();
    let mut conn = app.db.conn().await?;
    // The session is looked at again: who ends all of them ends its tokens, and none is to slip in after that.
    // The account is read, and so held, first, as by whoever does that.
    conn.exec_drop(
        "INSERT INTO user_tokens (token_hash, user_id, purpose, label, expires_at) \
         SELECT :hash, u.user_id, 'script', :label, UTC_TIMESTAMP(6) + INTERVAL :days DAY \
         FROM users u STRAIGHT_JOIN sessions s ON s.user_id = u.user_id AND s.epoch = u.session_epoch \
         WHERE u.user_id = :user_id AND s.session_id = :session_id AND (SELECT COUNT(*) FROM user_tokens AS mine WHERE mine.user_id = :user_id \
                AND mine.purpose = 'script' AND mine.expires_at > UTC_TIMESTAMP(6)) < :most",
        params! {
            "hash" => hash.bytes(),
            "user_id" => actor.user_id,
            session_id,
            "label" => &wanted.label,
            "days" => wanted.days,
            "most" => MOST,
        },
    )
    .await?;
    if conn.affected_rows() == 0 {
        return Err(ApiError::conflict(format!(
            "there are {MOST} tokens already; revoke one first"
        )));
    }
    let made = Made {
        id: hash.short(),
        token: token.expose().to_owned(),
        expires_at: Utc::now() + chrono::Days::new(wanted.days.into()),
    };
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Revoke a script's token
#[utoipa::path(delete, path = "/account/tokens/{id}", tag = "account", params(("id" = String, Path, description = "As listed")),
    security(("session" = []), ("bearer" = [])), responses(
    (status = 204, description = "It is good for nothing any more"),
    (status = 401, description = "Nobody is signed in", body = Problem),
    (status = 404, description = "There is none with this id", body = Problem),
))]
async fn revoke(
    State(app): State<Arc<App>>,
    SignedIn(actor): SignedIn,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let mut conn = app.db.conn().await?;
    conn.exec_drop(
        "DELETE FROM user_tokens WHERE user_id = :user_id AND purpose = 'script' \
           AND LOWER(HEX(SUBSTR(token_hash, 1, 8))) = :id",
        params! { "user_id" => actor.user_id, id },
    )
    .await?;
    if conn.affected_rows() == 0 {
        return Err(ApiError::not_found("there is no token with this id"));
    }
    Ok(StatusCode::NO_CONTENT)
}
