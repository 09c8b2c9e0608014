//! `POST /api/auth/login`, `…/refresh`, `…/logout`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use chrono::{DateTime, Utc};
use garde::Validate;
use mysql_async::TxOpts;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::same_time_since;
use crate::accounts::{self, Credentials, Guesses, Status};
use crate::auth::{
    Leaving, NewSession, Password, SignedIn, close_session, open_session, rotate_session,
    session_cookie,
};
use crate::http::{Answer, ApiError, Json, Problem};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
}

/// Who one is, and how the session is to be kept.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogIn {
    /// User name or address
    #[garde(length(bytes, min = 1, max = 254))]
    #[schema(min_length = 1, max_length = 254)]
    user_name: String,
    #[garde(skip)]
    #[schema(value_type = String, format = "password")]
    password: Password,
    #[garde(skip)]
    #[serde(default)]
    keep: Keep,
}

/// Where the token of a session goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Keep {
    /// Into a cookie that no script sees: for browsers.
    #[default]
    Cookie,
    /// Into the answer, to be sent as a bearer token: for programs.
    Token,
}

/// A session.
#[derive(Serialize, ToSchema)]
struct Session {
    /// It ends then, unless it is refreshed before
    expires_at: DateTime<Utc>,
    /// To be sent as a bearer token; absent where a cookie holds it
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Sign in
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LogIn, responses(
    (status = 200, description = "Signed in", body = Session),
    (status = 401, description = "Wrong name or password, or too many wrong ones", body = Problem),
    (status = 403, description = "The password is right, and the account not confirmed yet or disabled", body = Problem),
))]
async fn log_in(State(app): State<Arc<App>>, Json(login): Json<LogIn>) -> Answer<Response> {
    // Not held while the password is hashed.
    let credentials = {
        let mut conn = app.db.conn().await?;
        accounts::credentials(&mut conn, &login.user_name).await?
    };
    let right = {
        let hash = credentials.as_ref().map(|it| it.password_hash.clone());
        app.hasher.verify(login.password, hash).await?
    };
    // From here on the time would tell whether the password was right.
    let judged = Instant::now();
    if let Some(found) = credentials.filter(|found| right && !found.resting)
        && let Some(session) = open(&app, &found).await?
    {
        app.metrics.signed_in();
        return Ok(answer(&app, session, login.keep));
    }
    same_time_since(judged, refuse(&app, &login.user_name)).await
}

/// Nothing when the account began to rest, or got another password, while this one was judged.
async fn open(app: &App, found: &Credentials) -> Answer<Option<NewSession>> {
    let mut conn = app.db.conn().await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    let Some(status) = accounts::hold(&mut tx, found).await? else {
        tx.rollback().await?;
        return Ok(None);
    };
    must_be_active(status)?;
    accounts::forget_wrong_passwords(&mut tx, found.user_id).await?;
    let session = open_session(&mut tx, &app.accounts, found.user_id).await?;
    tx.commit().await?;
    Ok(Some(session))
}

/// The same to all that cannot sign in, whether there is such an account or not.
async fn refuse(app: &App, user_name: &str) -> Answer<Response> {
    let mut conn = app.db.conn().await?;
    if let Some(found) = accounts::credentials(&mut conn, user_name).await? {
        accounts::count_wrong_password(&mut conn, found.user_id).await?;
    }
    app.metrics.sign_in_refused();
    Err(ApiError::Unauthenticated {
        detail: Guesses::refusal().into(),
    })
}

fn must_be_active(status: Status) -> Answer<()> {
    let detail = match status {
        Status::Active => return Ok(()),
        Status::Unconfirmed => {
            "the address is not confirmed yet; follow the link in the mail, or sign up again for another one"
        }
        Status::Disabled => "the account is disabled; ask an administrator",
    };
    Err(ApiError::Forbidden {
        detail: detail.into(),
    })
}

/// Carry a session on
///
/// It gets a new token; the one of before is good for half a minute more.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", security(("session" = []), ("bearer" = [])), responses(
    (status = 200, description = "It lasts longer", body = Session),
    (status = 401, description = "There is no session, or it is over", body = Problem),
    (status = 409, description = "The token is one for scripts, which is never refreshed", body = Problem),
))]
async fn refresh(State(app): State<Arc<App>>, SignedIn(actor): SignedIn) -> Answer<Response> {
    let Some(session_id) = actor.session_id else {
        return Err(ApiError::conflict(
            "the token of a script is good until it expires; there is nothing to refresh",
        ));
    };
    let mut conn = app.db.conn().await?;
    let session = rotate_session(&mut conn, &app.accounts, session_id).await?;
    let keep = if actor.by_cookie {
        Keep::Cookie
    } else {
        Keep::Token
    };
    Ok(answer(&app, session, keep))
}

/// End a session
///
/// Also where there is none: the browser forgets its cookie.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", security(("session" = []), ("bearer" = [])), responses(
    (status = 204, description = "There is no session any more"),
))]
async fn log_out(
    State(app): State<Arc<App>>,
    leaving: Result<Leaving, ApiError>,
) -> Answer<Response> {
    match leaving {
        Ok(Leaving(actor)) => {
            if let Some(session_id) = actor.session_id {
                let mut conn = app.db.conn().await?;
                close_session(&mut conn, session_id).await?;
            }
        }
        Err(ApiError::Unauthenticated { .. }) => {}
        Err(error) => return Err(error),
    }
    let forget = session_cookie(&app.accounts.public_url, None);
    Ok((StatusCode::NO_CONTENT, set_cookie(forget)).into_response())
}

fn answer(app: &App, session: NewSession, keep: Keep) -> Response {
    let NewSession { token, expires_at } = session;
    let body = |token| axum::Json(Session { expires_at, token });
    match keep {
        Keep::Token => body(Some(token.expose().to_owned())).into_response(),
        Keep::Cookie => {
            let age = (expires_at - Utc::now()).to_std().unwrap_or_default();
            let cookie = session_cookie(&app.accounts.public_url, Some((&token, age)));
            (set_cookie(cookie), body(None)).into_response()
        }
    }
}

fn set_cookie(cookie: HeaderValue) -> AppendHeaders<[(header::HeaderName, HeaderValue); 1]> {
    AppendHeaders([(header::SET_COOKIE, cookie)])
}
