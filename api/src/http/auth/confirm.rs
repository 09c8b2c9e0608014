//! `POST /api/auth/confirm`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mysql_async::TxOpts;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts;
use crate::auth::{Purpose, Token, redeem};
use crate::http::{Answer, ApiError, Json, Problem};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(confirm))
}

/// What the link in the mail brings.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Confirm {
    /// From the link
    #[garde(length(bytes, min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    token: String,
}

/// Confirm an address by the token from the mail
#[utoipa::path(post, path = "/auth/confirm", tag = "auth", request_body = Confirm, responses(
    (status = 204, description = "The account is active; sign in"),
    (status = 422, description = "The token is unknown, used or too old", body = Problem),
))]
async fn confirm(State(app): State<Arc<App>>, Json(confirm): Json<Confirm>) -> Answer<StatusCode> {
    let mut conn = app.db.conn().await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let token = Token::given(&confirm.token);
    let Some(user_id) = redeem(&mut tx, Purpose::ConfirmEmail, &token).await? else {
        return Err(ApiError::invalid(
            "token",
            "the link was used already, or is too old; sign in, or sign up again",
        ));
    };
    accounts::activate(&mut tx, user_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
