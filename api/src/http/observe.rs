//! What surrounds every request: its id, its line in the log, its place in the drain count.
//!
//! The log gets method, route, status and duration; never a query string, a header or a body.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::state::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;

/// The outermost layer.
pub(super) async fn request(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let in_flight = app.lifecycle.begin_request();
    let began = Instant::now();
    let id = request_id(request.headers().get(&REQUEST_ID));
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }

    let span = tracing::info_span!("request", request_id = %id);
    let mut response = next.run(request).instrument(span.clone()).await;

    let took = began.elapsed();
    let (status, duration_ms) = (response.status().as_u16(), milliseconds(took));
    app.metrics.request(&method, route.as_deref(), status, took);
    let route = route.as_deref().unwrap_or("-");
    span.in_scope(|| {
        // Every replica is asked for its health several times a second.
        if route.contains("/health") {
            tracing::debug!(%method, route, status, duration_ms, "request");
        } else {
            tracing::info!(%method, route, status, duration_ms, "request");
        }
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    drop(in_flight);
    response
}

/// Keeps the id that the edge gave the request if it is a sane one, else makes one.
fn request_id(given: Option<&HeaderValue>) -> String {
    given
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= LONGEST_ID)
        .filter(|id| {
            id.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        })
        .map_or_else(|| format!("{:016x}", rand::random::<u64>()), str::to_owned)
}

/// Milliseconds with microseconds behind the point.
pub(super) fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
