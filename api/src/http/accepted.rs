//! `202 Accepted`: a job was begun, and where to ask how it goes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::jobs::Report;

/// How soon it is worth asking.
const RETRY_AFTER_S: u64 = 1;

/// A job that was begun for this request.
pub(crate) struct Accepted(pub(crate) Report);

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let Self(job) = self;
        let location = format!("/api/jobs/{}", job.job_id);
        let mut response = (StatusCode::ACCEPTED, Json(job)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        if let Ok(location) = HeaderValue::from_str(&location) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}
