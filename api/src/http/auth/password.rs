//! `POST /api/auth/password/forgot` and `…/reset`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mysql_async::TxOpts;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{needs_mail, same_time};
use crate::accounts::{self, Known, Status};
use crate::auth::{Password, Purpose, Token, may_be_set, may_send, redeem};
use crate::http::{Answer, ApiError, Json, Problem};
use crate::mail::{self, Letter};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(forgot))
        .routes(routes!(reset))
}

/// Who forgot their password.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Forgot {
    #[garde(email, length(bytes, max = 254))]
    #[schema(format = "email", max_length = 254)]
    email: String,
}

/// A new password, and the right to set it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// From the link
    #[garde(length(bytes, min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    token: String,
    /// 10 to 128 characters
    #[garde(custom(may_be_set))]
    #[schema(value_type = String, format = "password", min_length = 10, max_length = 128)]
    password: Password,
}

/// Ask for a link to set a new password
#[utoipa::path(post, path = "/auth/password/forgot", tag = "auth", request_body = Forgot, responses(
    (status = 202, description = "If there is an active account with this address, a mail is on its way"),
    (status = 422, description = "Values are refused", body = Problem),
    (status = 503, description = "Mail is not set up", body = Problem),
))]
async fn forgot(State(app): State<Arc<App>>, Json(forgot): Json<Forgot>) -> Answer<StatusCode> {
    needs_mail(&app)?;
    same_time(async {
        let mut conn = app.db.conn().await?;
        if let Some(Known {
            user_id,
            status: Status::Active,
        }) = accounts::find_by_email(&mut conn, &forgot.email).await?
            && may_send(&mut conn, Purpose::ResetPassword, &forgot.email).await?
        {
            mail::send_later(&mut conn, &Letter::ResetPassword { user_id }).await?;
        }
        Ok(StatusCode::ACCEPTED)
    })
    .await
}

/// Set a new password by the token from the mail
///
/// All sessions of the account end, and the tokens of its scripts are revoked.
#[utoipa::path(post, path = "/auth/password/reset", tag = "auth", request_body = Reset, responses(
    (status = 204, description = "The password is set; sign in"),
    (status = 422, description = "Values are refused, or the token is unknown, used or too old", body = Problem),
))]
async fn reset(State(app): State<Arc<App>>, Json(reset): Json<Reset>) -> Answer<StatusCode> {
    let password_hash = app.hasher.hash(reset.password).await?;
    let mut conn = app.db.conn().await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let token = Token::given(&reset.token);
    let Some(user_id) = redeem(&mut tx, Purpose::ResetPassword, &token).await? else {
        return Err(ApiError::invalid(
            "token",
            "the link was used already, or is too old; ask for a new one",
        ));
    };
    accounts::set_password(&mut tx, user_id, &password_hash).await?;
    mail::send_later(&mut tx, &Letter::PasswordChanged { user_id }).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
