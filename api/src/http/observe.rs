//! What surrounds every request: its id, its line in the log, its place in the drain count.
//!
//! The log gets method, route, status, duration, and who the edge says it came from; never a query
//! string, another header or a body.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::state::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// More addresses than there are proxies.
const LONGEST_CLIENT: usize = 200;

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
    let client = client(request.headers()).map(str::to_owned);
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
            tracing::debug!(%method, route, status, duration_ms, client, "request");
        } else {
            tracing::info!(%method, route, status, duration_ms, client, "request");
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

/// Whom the edge says that the request came from, word by word: our edge says one address, the one
/// that it sees. Nothing is decided by it. What are no addresses is left out.
fn client(headers: &HeaderMap) -> Option<&str> {
    let said = headers.get(FORWARDED_FOR)?.to_str().ok()?;
    let is_address = |part: &str| part.trim().parse::<std::net::IpAddr>().is_ok();
    (said.len() <= LONGEST_CLIENT && said.split(',').all(is_address)).then_some(said)
}

/// Milliseconds with microseconds behind the point.
pub(super) fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_told_as_the_edge_says_it_and_only_addresses_are() {
        let told = |said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, said.parse().unwrap());
            client(&headers).map(str::to_owned)
        };
        for addresses in ["203.0.113.7", "2001:db8::7", "203.0.113.7, 10.0.0.1"] {
            assert_eq!(told(addresses).as_deref(), Some(addresses));
        }
        for odd in [
            "",
            "unknown",
            "203.0.113.7, secret",
            &"10.0.0.1,".repeat(30),
        ] {
            assert_eq!(told(odd), None, "{odd}");
        }
        assert_eq!(client(&HeaderMap::new()), None);
    }
}
