//! `POST /api/account/password`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mysql_async::TxOpts;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::{self, Credentials};
use crate::auth::{Password, SignedIn, may_be_set};
use crate::http::auth::same_time_since;
use crate::http::{Answer, ApiError, Json, Problem};
use crate::mail::{self, Letter};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(change))
}

/// The password of now, and the one to come.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    #[garde(skip)]
    #[schema(value_type = String, format = "password")]
    current_password: Password,
    /// 10 to 128 characters
    #[garde(custom(may_be_set))]
    #[schema(value_type = String, format = "password", min_length = 10, max_length = 128)]
    new_password: Password,
}

/// Change one's password
///
/// All sessions of the account end, this one too, and the tokens of its scripts are revoked.
#[utoipa::path(post, path = "/account/password", tag = "account", request_body = Change,
    security(("session" = []), ("bearer" = [])), responses(
    (status = 204, description = "It is changed; sign in again"),
    (status = 401, description = "Nobody is signed in", body = Problem),
    (status = 422, description = "Values are refused, or the current password is wrong", body = Problem),
))]
async fn change(
    State(app): State<Arc<App>>,
    SignedIn(actor): SignedIn,
    Json(change): Json<Change>,
) -> Answer<StatusCode> {
    let wrong = || {
        ApiError::invalid(
            "current_password",
            "is wrong, or there were too many wrong ones",
        )
    };
    let credentials = {
        let mut conn = app.db.conn().await?;
        accounts::credentials(&mut conn, &actor.user_name).await?
    };
    let found = credentials.filter(|it| !it.resting).ok_or_else(wrong)?;
    // Before the current one is judged, so that the time does not tell whether it was right.
    let password_hash = app.hasher.hash(change.new_password).await?;
    let verified = Some(found.password_hash.clone());
    let right = app.hasher.verify(change.current_password, verified).await?;
    let judged = Instant::now();
    if right && set(&app, &found, &password_hash).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    same_time_since(judged, async {
        // Whoever found an open session guesses no faster than without one.
        let mut conn = app.db.conn().await?;
        accounts::count_wrong_password(&mut conn, actor.user_id).await?;
        Err(wrong())
    })
    .await
}

/// Answers whether it is set: not when the account began to rest, or got another password, while the current one
/// was judged.
async fn set(app: &App, found: &Credentials, password_hash: &str) -> Answer<bool> {
    let user_id = found.user_id;
    let mut conn = app.db.conn().await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    if accounts::hold(&mut tx, found).await?.is_none() {
        tx.rollback().await?;
        return Ok(false);
    }
    accounts::set_password(&mut tx, user_id, password_hash).await?;
    mail::send_later(&mut tx, &Letter::PasswordChanged { user_id }).await?;
    tx.commit().await?;
    Ok(true)
}
