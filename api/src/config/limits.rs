//! How much a client may ask for, and from where.

use std::time::Duration;

use axum::http::HeaderValue;

use super::Source;
use super::accounts::PublicUrl;
use super::source::{count, duration};

const DEFAULT_BODY: usize = 64 * 1024;
const DEFAULT_PACE: usize = 120;

/// The bounds of every request.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// `SYSNDD_REQUEST_TIMEOUT`: how long an answer may take; then it is 503.
    pub(crate) timeout: Duration,
    /// `SYSNDD_MAX_BODY_BYTES`: how long the body of a request may be.
    pub(crate) body_bytes: usize,
    /// `SYSNDD_CORS_ORIGINS`: other sites whose pages may read answers. Their requests never carry
    /// the session's cookie.
    pub(crate) origins: Vec<HeaderValue>,
    /// `SYSNDD_ACCOUNT_PACE`: how many changes an account may make in a minute, at all replicas
    /// together; half of them at once.
    pub(crate) pace: u32,
}

impl Limits {
    /// How long the server may be at a statement that answers a request: it is to end before the
    /// request is given up.
    pub(crate) fn statement(&self) -> Duration {
        self.timeout.mul_f64(0.75)
    }

    pub(crate) fn read(source: &mut Source) -> Self {
        let pace = source.value("SYSNDD_ACCOUNT_PACE", DEFAULT_PACE, count(2..=100_000));
        Self {
            timeout: source.value("SYSNDD_REQUEST_TIMEOUT", Duration::from_secs(2), duration),
            body_bytes: source.value(
                "SYSNDD_MAX_BODY_BYTES",
                DEFAULT_BODY,
                count(1024..=16_777_216),
            ),
            origins: source.value("SYSNDD_CORS_ORIGINS", Vec::new(), origins),
            pace: u32::try_from(pace).unwrap_or(u32::MAX),
        }
    }
}

/// A comma-separated list of exact origins: a pattern would let in whoever can register a name
/// that fits.
fn origins(text: &str) -> Result<Vec<HeaderValue>, String> {
    let expected = "must be exact origins parted by commas, such as https://www.example.org,https://example.org";
    text.split(',')
        .map(|origin| {
            let url = PublicUrl::parse(origin.trim()).map_err(|_| expected.to_owned())?;
            HeaderValue::from_str(&url.origin()).map_err(|_| expected.to_owned())
        })
        .collect()
}
