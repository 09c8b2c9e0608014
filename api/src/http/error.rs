//! The one error type of the HTTP side: a problem document (RFC 9457).
//!
//! What is written to the client says what the client can do. Causes that lie on our side go to
//! the log, never into the answer.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::db;

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, ApiError>;

/// How soon a client may come back after an outage on our side.
const RETRY_AFTER_OUTAGE: Duration = Duration::from_secs(2);

/// How soon a client may come back while a backup is restored.
const RETRY_AFTER_RESTORE: Duration = Duration::from_secs(5);

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// No resource has this path.
    UnknownRoute { path: String },
    /// The resource does not know this method.
    WrongMethod { method: Method, path: String },
    /// The request cannot be read as what it should be.
    Malformed {
        status: StatusCode,
        detail: Cow<'static, str>,
    },
    /// The request can be read, and values in it are refused.
    Invalid(Vec<InvalidField>),
    /// Nobody is signed in, or no more.
    Unauthenticated { detail: Cow<'static, str> },
    /// Who is signed in may not do this.
    Forbidden { detail: Cow<'static, str> },
    /// The path is right and the thing is not there.
    NotFound { detail: Cow<'static, str> },
    /// The thing is not in a state for this.
    Conflict { detail: Cow<'static, str> },
    /// Too much, too fast.
    TooManyRequests { retry_after: Duration },
    /// Something that we need does not answer.
    Unavailable {
        what: &'static str,
        cause: anyhow::Error,
    },
    /// The database answers, and has too much else to do.
    Busy(anyhow::Error),
    /// A backup is being restored.
    Fenced,
    /// The site was set up without something that this needs.
    NotSetUp { detail: Cow<'static, str> },
    /// A fault of ours.
    Internal(anyhow::Error),
}

/// A value that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct InvalidField {
    /// Where in the request, as a dotted path.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

/// The body of an error answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened and what can be done.
    detail: String,
    /// The values that were refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<InvalidField>,
}

impl ApiError {
    /// A thing that is not there.
    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self::NotFound { detail }
    }

    /// A thing that is in no state for this.
    pub(crate) fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self::Conflict { detail }
    }

    /// One refused value.
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![InvalidField {
            field: field.into(),
            message: message.into(),
        }])
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownRoute { .. } | Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed { status, .. } => *status,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } | Self::Busy(_) | Self::Fenced | Self::NotSetUp { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::UnknownRoute { path } => format!("there is nothing at {path}"),
            Self::WrongMethod { method, path } => format!("{path} does not answer to {method}"),
            Self::Malformed { detail, .. }
            | Self::Unauthenticated { detail }
            | Self::Forbidden { detail }
            | Self::NotFound { detail }
            | Self::NotSetUp { detail }
            | Self::Conflict { detail } => detail.clone().into_owned(),
            Self::Invalid(fields) => fields
                .iter()
                .map(|field| format!("{}: {}", field.field, field.message))
                .collect::<Vec<_>>()
                .join("; "),
            Self::TooManyRequests { retry_after } => {
                format!(
                    "too many requests; try again in {} s",
                    seconds(*retry_after)
                )
            }
            Self::Unavailable { what, .. } => {
                format!("{what} does not answer; try again in a moment")
            }
            Self::Busy(_) => {
                "the database could not do this in time; try again in a moment".to_owned()
            }
            Self::Fenced => {
                "a backup is being restored; nothing can be changed until that is done".to_owned()
            }
            Self::Internal(_) => {
                "this is a fault of the server; the request id leads to it in the log".to_owned()
            }
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after } => Some(*retry_after),
            Self::Unavailable { .. } | Self::Busy(_) => Some(RETRY_AFTER_OUTAGE),
            Self::Fenced => Some(RETRY_AFTER_RESTORE),
            _ => None,
        }
    }

    /// What lies on our side goes to the log, with all its causes.
    fn log(&self) {
        match self {
            Self::Unavailable { what, cause } => {
                tracing::warn!(error = format!("{cause:#}"), "{what} does not answer");
            }
            Self::Busy(cause) => {
                tracing::warn!(error = format!("{cause:#}"), "the database was too slow");
            }
            Self::Internal(cause) => {
                tracing::error!(error = format!("{cause:#}"), "a request failed");
            }
            _ => {}
        }
    }
}

/// Whole seconds, never less than the duration.
fn seconds(duration: Duration) -> u64 {
    duration
        .as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let status = self.status();
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(),
            errors: match &self {
                Self::Invalid(fields) => fields.clone(),
                _ => Vec::new(),
            },
        };
        let mut response = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            Json(problem),
        )
            .into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        if matches!(self, Self::Unauthenticated { .. }) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<db::Error> for ApiError {
    fn from(error: db::Error) -> Self {
        if error.is_outage() {
            Self::Unavailable {
                what: "the database",
                cause: error.into(),
            }
        } else if error.is_contention() || error.is_overdue() {
            Self::Busy(error.into())
        } else {
            Self::Internal(error.into())
        }
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl From<mysql_async::Error> for ApiError {
    fn from(error: mysql_async::Error) -> Self {
        db::Error::from(error).into()
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::Malformed {
            status: rejection.status(),
            detail: rejection.body_text().into(),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::Malformed {
            status: rejection.status(),
            detail: rejection.body_text().into(),
        }
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::Malformed {
            status: rejection.status(),
            detail: rejection.body_text().into(),
        }
    }
}

impl From<garde::Report> for ApiError {
    fn from(report: garde::Report) -> Self {
        Self::Invalid(
            report
                .iter()
                .map(|(path, error)| InvalidField {
                    field: path.to_string(),
                    message: error.to_string(),
                })
                .collect(),
        )
    }
}

pub(super) async fn unknown_route(uri: Uri) -> ApiError {
    ApiError::UnknownRoute {
        path: uri.path().to_owned(),
    }
}

pub(super) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::WrongMethod {
        method,
        path: uri.path().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_succeed_in_a_moment_is_to_be_tried_again_and_no_fault_of_ours() {
        let answer = |code| {
            let error = mysql_async::ServerError {
                code,
                message: "said the server".into(),
                state: "HY000".into(),
            };
            let answer = ApiError::from(mysql_async::Error::from(error)).into_response();
            let again = answer.headers().get(header::RETRY_AFTER).cloned();
            (answer.status().as_u16(), again.is_some())
        };
        // Shutting down, lock wait time-out, deadlock, took too long.
        for code in [1053, 1205, 1213, 3024] {
            assert_eq!(answer(code), (503, true), "{code}");
        }
        assert_eq!(answer(1146), (500, false));
    }
}
