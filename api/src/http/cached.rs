//! Answers that a browser may keep, and is told in few bytes that they are still true.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Answer, ApiError};

/// Kept, and asked for each time whether it is still true.
pub(super) const REVALIDATE: &str = "no-cache";
/// Public figures that may be half a minute old.
pub(super) const HALF_A_MINUTE: &str = "public, max-age=30";

/// The body as JSON with its `ETag`, or 304 when the client has it already.
pub(super) fn answer(
    request: &HeaderMap,
    cache_control: &'static str,
    body: &impl Serialize,
) -> Answer<Response> {
    let body = serde_json::to_vec(body).map_err(|error| ApiError::Internal(error.into()))?;
    // Weak: the edge compresses, and then the bytes are others.
    let digest = Sha256::digest(&body);
    let digest = BASE64_URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or(&digest));
    let tag = format!("W/\"{digest}\"");
    let fresh = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|given| {
            given.trim() == "*"
                || given.trim().trim_start_matches("W/") == tag.trim_start_matches("W/")
        });
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(cache_control),
    );
    let tag = HeaderValue::try_from(tag).map_err(|error| ApiError::Internal(error.into()))?;
    headers.insert(header::ETAG, tag);
    Ok(response)
}
