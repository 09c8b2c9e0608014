//! Accounts: the address of the site, the key behind derived tokens, how long sessions last.

use std::fmt;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::{Authority, Scheme};
use secrecy::{ExposeSecret as _, SecretString};

use super::Source;
use super::source::duration;
use super::weak::weakness;

const DEFAULT_IDLE: Duration = Duration::from_hours(12);
const DEFAULT_LIFETIME: Duration = Duration::from_hours(30 * 24);
const SHORTEST_KEY: usize = 32;
const FEWEST_DIFFERENT: usize = 10;

/// What accounts need to know.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    /// `SYSNDD_PUBLIC_URL`: where browsers find the site; links in mails begin with it.
    pub(crate) public_url: PublicUrl,
    /// `SYSNDD_SECRET_KEY`: what tokens in mails are derived from.
    pub(crate) secret_key: SecretKey,
    /// `SYSNDD_SESSION_IDLE`: how long a session lasts that is not refreshed.
    pub(crate) session_idle: Duration,
    /// `SYSNDD_SESSION_LIFETIME`: how long a session lasts at most.
    pub(crate) session_lifetime: Duration,
}

impl Accounts {
    pub(crate) fn read(source: &mut Source) -> Option<Self> {
        let public_url = source.value("SYSNDD_PUBLIC_URL", PublicUrl::local(), PublicUrl::parse);
        let secret_key = match source.text("SYSNDD_SECRET_KEY").map(SecretKey::new) {
            Some(Ok(key)) => Some(key),
            Some(Err(message)) => {
                source.fault("SYSNDD_SECRET_KEY", message);
                None
            }
            None => {
                source.fault(
                    "SYSNDD_SECRET_KEY",
                    format!("is not set; give {SHORTEST_KEY} or more random characters, the same to every replica"),
                );
                None
            }
        };
        let session_idle = source.value("SYSNDD_SESSION_IDLE", DEFAULT_IDLE, duration);
        let session_lifetime = source.value("SYSNDD_SESSION_LIFETIME", DEFAULT_LIFETIME, duration);
        if session_idle > session_lifetime {
            source.fault(
                "SYSNDD_SESSION_IDLE",
                "must not be longer than SYSNDD_SESSION_LIFETIME",
            );
        }
        Some(Self {
            public_url,
            secret_key: secret_key?,
            session_idle,
            session_lifetime,
        })
    }
}

/// Scheme and authority of the site, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    scheme: Scheme,
    authority: Authority,
}

impl PublicUrl {
    fn local() -> Self {
        Self {
            scheme: Scheme::HTTP,
            authority: Authority::from_static("localhost:8080"),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            "must be the address of the site without a path, such as https://sysndd.example.org"
                .to_owned()
        };
        let parts = text.parse::<Uri>().map_err(|_| expected())?.into_parts();
        match (parts.scheme, parts.authority, parts.path_and_query) {
            (Some(scheme), Some(authority), path)
                if (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
                    && !authority.as_str().contains('@')
                    && path.as_ref().is_none_or(|path| path == "/") =>
            {
                Ok(Self { scheme, authority })
            }
            _ => Err(expected()),
        }
    }

    /// The name of its host.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    /// Whether browsers keep a cookie to secure connections: over TLS, and on this machine.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
            || matches!(self.authority.host(), "localhost" | "127.0.0.1" | "[::1]")
    }

    /// As browsers write it into `Origin`, which leaves out the scheme's own port.
    pub(crate) fn origin(&self) -> String {
        let authority = self.authority.as_str().to_ascii_lowercase();
        let own_port = if self.scheme == Scheme::HTTPS {
            ":443"
        } else {
            ":80"
        };
        let authority = authority.strip_suffix(own_port).unwrap_or(&authority);
        format!("{}://{authority}", self.scheme)
    }
}

/// The key that all replicas share. Never shown.
#[derive(Clone)]
pub(crate) struct SecretKey(SecretString);

impl SecretKey {
    pub(crate) fn new(text: String) -> Result<Self, String> {
        let mut different: Vec<_> = text.bytes().collect();
        different.sort_unstable();
        different.dedup();
        if let Some(fault) = weakness(&text, SHORTEST_KEY) {
            Err(fault)
        } else if different.len() < FEWEST_DIFFERENT {
            Err("repeats itself; give random characters".to_owned())
        } else {
            Ok(Self(SecretString::from(text)))
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_written_as_browsers_write_it() {
        for (text, origin, secure) in [
            (
                "https://Sysndd.Example.org",
                "https://sysndd.example.org",
                true,
            ),
            (
                "https://sysndd.example.org:443/",
                "https://sysndd.example.org",
                true,
            ),
            ("http://localhost:8080", "http://localhost:8080", true),
            ("http://10.0.0.7:80", "http://10.0.0.7", false),
        ] {
            let url = PublicUrl::parse(text).expect(text);
            assert_eq!((url.origin().as_str(), url.is_secure()), (origin, secure));
        }
    }

    #[test]
    fn what_is_no_address_of_a_site_is_refused() {
        for text in [
            "",
            "sysndd.example.org",
            "ftp://sysndd.example.org",
            "https://user@sysndd.example.org",
            "https://sysndd.example.org/app",
            "https://sysndd.example.org/?x=1",
        ] {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_weak_key_is_refused_and_none_is_shown() {
        assert!(SecretKey::new("short".into()).is_err());
        assert!(SecretKey::new("ab".repeat(40)).is_err());
        let key = SecretKey::new("0123456789abcdefghijklmnopqrstuv".into()).expect("strong");
        assert!(!format!("{key:?}").contains("0123"));
    }
}
