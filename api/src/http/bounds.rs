//! What bounds every request: its time, the length of its body, who may read the answer.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::ApiError;
use crate::config::Limits;
use crate::state::App;

/// How long a browser may remember what another site's page is allowed.
const REMEMBERED: Duration = Duration::from_mins(10);

/// An answer that does not come in time is 503: something that we need hangs, and the client is
/// better told than left waiting. Work on the database is rolled back.
pub(super) async fn in_time(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let limit = app.limits.timeout;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::Unavailable {
            what: "something that the server needs",
            cause: anyhow!("no answer within {limit:?}"),
        }
        .into_response(),
    }
}

/// A panic is a fault of ours like any other to whoever asked; `telemetry` has said where it was.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::Internal(anyhow!("it panicked")).into_response()
}

/// Stops jobs, the restore itself as well: what a restore waits for must be possible to stop. Jobs stay as they
/// are, so it is not lost.
const STOPS_A_JOB: &str = "/api/admin/jobs/{job_id}/cancel";

/// While a backup is restored nothing is changed: what would be, would be lost.
pub(super) async fn fence(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let is_let_through = route.is_some_and(|route| route.as_str() == STOPS_A_JOB);
    if !request.method().is_safe() && !is_let_through && app.backups.fence.is_up().await {
        return ApiError::Fenced.into_response();
    }
    next.run(request).await
}

/// Pages of the named sites may read what anybody may read; no cookie comes with their requests.
pub(super) fn cors(limits: &Limits) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(limits.origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::ETAG, header::LOCATION, header::RETRY_AFTER])
        .max_age(REMEMBERED)
}

/// For answers that are read by programs: no browser is to guess, frame, or run anything.
pub(super) const SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
];
