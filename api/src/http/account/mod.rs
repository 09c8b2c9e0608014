//! `/api/account`: what is one's own.

mod password;
mod tokens;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use mysql_async::params;
use mysql_async::prelude::Queryable as _;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, ApiError, Problem};
use crate::auth::{Role, SignedIn};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .merge(password::routes())
        .merge(tokens::routes())
}

/// An account, to its owner.
#[derive(Serialize, ToSchema)]
struct Account {
    user_id: u64,
    user_name: String,
    email: String,
    first_name: String,
    family_name: String,
    orcid: Option<String>,
    role: Role,
}

/// Who am I
#[utoipa::path(get, path = "/account", tag = "account", security(("session" = []), ("bearer" = [])), responses(
    (status = 200, description = "The account of whoever asks", body = Account),
    (status = 401, description = "Nobody is signed in", body = Problem),
))]
async fn show(State(app): State<Arc<App>>, SignedIn(actor): SignedIn) -> Answer<Json<Account>> {
    let mut conn = app.db.conn().await?;
    let row: Option<(String, String, String, Option<String>)> = conn
        .exec_first(
            "SELECT email, first_name, family_name, orcid FROM users WHERE user_id = :user_id",
            params! { "user_id" => actor.user_id },
        )
        .await?;
    let Some((email, first_name, family_name, orcid)) = row else {
        return Err(ApiError::not_found("the account was removed"));
    };
    Ok(Json(Account {
        user_id: actor.user_id,
        user_name: actor.user_name,
        email,
        first_name,
        family_name,
        orcid,
        role: actor.role,
    }))
}
