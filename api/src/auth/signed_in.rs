//! Who sends a request: by the session cookie of a browser, or by a bearer token.
//!
//! A browser sends its cookie with whatever a page makes it send. `SameSite=Strict` keeps other
//! sites' requests without it; and a request that changes something must say that it comes from our
//! own pages, which browsers do not let another page fake (`Origin`, `Sec-Fetch-Site`).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use mysql_async::Conn;

use super::pace;
use super::role::Role;
use super::session::{Actor, actor_of_script, actor_of_session};
use super::token::Token;
use crate::config::PublicUrl;
use crate::http::ApiError;
use crate::state::App;

const COOKIE: &str = "sysndd_session";

/// Somebody who showed who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedIn(pub(crate) Actor);

/// Somebody who goes, and is not held up for having changed too much before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaving(pub(crate) Actor);

/// Somebody who operates the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Administrator(pub(crate) Actor);

/// How a request says who sends it.
enum Credential {
    Cookie(Token),
    Bearer(Token),
}

impl<S> FromRequestParts<S> for SignedIn
where
    Arc<App>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let app = Arc::<App>::from_ref(state);
        let (actor, mut conn) = actor(parts, &app).await?;
        if !parts.method.is_safe() {
            let wait = pace::step(&mut conn, actor.user_id, app.limits.pace).await?;
            if let Some(retry_after) = wait {
                return Err(ApiError::TooManyRequests { retry_after });
            }
        }
        Ok(Self(actor))
    }
}

impl<S> FromRequestParts<S> for Leaving
where
    Arc<App>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let app = Arc::<App>::from_ref(state);
        let (actor, _) = actor(parts, &app).await?;
        Ok(Self(actor))
    }
}

/// Who sends the request, and the connection that told: who shows nothing takes none.
async fn actor(parts: &Parts, app: &App) -> Result<(Actor, Conn), ApiError> {
    let Some(credential) = credential(&parts.headers) else {
        return Err(unauthenticated("sign in first"));
    };
    if matches!(credential, Credential::Cookie(_))
        && !is_from_our_pages(&parts.method, &parts.headers, &app.accounts.public_url)
    {
        return Err(ApiError::Forbidden {
            detail: "a request that changes something must come from our own pages, or carry a bearer token".into(),
        });
    }
    let mut conn = app.db.conn().await?;
    let actor = match &credential {
        Credential::Cookie(token) => actor_of_session(&mut conn, token)
            .await?
            .map(|actor| Actor {
                by_cookie: true,
                ..actor
            }),
        Credential::Bearer(token) => match actor_of_session(&mut conn, token).await? {
            None => actor_of_script(&mut conn, token).await?,
            actor => actor,
        },
    };
    let actor = actor.ok_or_else(|| unauthenticated("the session is over; sign in again"))?;
    Ok((actor, conn))
}

impl<S> FromRequestParts<S> for Administrator
where
    Arc<App>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let SignedIn(actor) = SignedIn::from_request_parts(parts, state).await?;
        if actor.role.covers(Role::Administrator) {
            Ok(Self(actor))
        } else {
            Err(ApiError::Forbidden {
                detail: "this is for administrators".into(),
            })
        }
    }
}

fn unauthenticated(detail: &'static str) -> ApiError {
    ApiError::Unauthenticated {
        detail: detail.into(),
    }
}

/// A bearer token goes before a cookie: it was put there on purpose.
fn credential(headers: &HeaderMap) -> Option<Credential> {
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
        return scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| Credential::Bearer(Token::given(token.trim())));
    }
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| Credential::Cookie(Token::given(value)))
}

/// Whether a request changes nothing, or comes from a page of ours.
fn is_from_our_pages(method: &Method, headers: &HeaderMap, site: &PublicUrl) -> bool {
    if method.is_safe() {
        return true;
    }
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    match (text(header::ORIGIN.as_str()), text("sec-fetch-site")) {
        (Some(origin), _) => origin == site.origin(),
        (None, Some(from)) => from == "same-origin",
        (None, None) => false,
    }
}

/// The header that makes a browser keep a session's token, or forget it (without one).
pub(crate) fn session_cookie(site: &PublicUrl, session: Option<(&Token, Duration)>) -> HeaderValue {
    let (value, age) = session.map_or(("", 0), |(token, age)| (token.expose(), age.as_secs()));
    let secure = if site.is_secure() { "; Secure" } else { "" };
    let text =
        format!("{COOKIE}={value}; Path=/api; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    // Hexadecimal digits and fixed text always fit into a header.
    let mut header = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, HeaderValue::from_str(value).expect("ASCII"))
            })
            .collect()
    }

    fn site(url: &str) -> PublicUrl {
        PublicUrl::parse(url).expect("a URL")
    }

    #[test]
    fn only_our_own_pages_may_change_something_with_the_cookie() {
        let site = site("https://sysndd.example.org");
        let own = ("origin", "https://sysndd.example.org");
        for (method, given, allowed) in [
            (Method::GET, vec![], true),
            (Method::POST, vec![], false),
            (Method::POST, vec![own], true),
            (Method::POST, vec![("sec-fetch-site", "same-origin")], true),
            (Method::POST, vec![("sec-fetch-site", "same-site")], false),
            (
                Method::DELETE,
                vec![("origin", "https://evil.example")],
                false,
            ),
            (Method::DELETE, vec![("origin", "null")], false),
            (
                Method::POST,
                vec![
                    ("origin", "https://evil.example"),
                    ("sec-fetch-site", "same-origin"),
                ],
                false,
            ),
        ] {
            assert_eq!(
                is_from_our_pages(&method, &headers(&given), &site),
                allowed,
                "{method} {given:?}"
            );
        }
    }

    #[test]
    fn the_token_is_found_among_other_cookies_and_a_bearer_goes_first() {
        let cookie = ("cookie", "a=b; sysndd_session=0123; c=d");
        let found = credential(&headers(&[cookie]));
        assert!(matches!(found, Some(Credential::Cookie(token)) if token.expose() == "0123"));
        let found = credential(&headers(&[cookie, ("authorization", "bearer 4567")]));
        assert!(matches!(found, Some(Credential::Bearer(token)) if token.expose() == "4567"));
        assert!(credential(&headers(&[("authorization", "Basic abc")])).is_none());
        assert!(credential(&headers(&[("cookie", "xsysndd_session=1")])).is_none());
    }

    #[test]
    fn scripts_never_see_the_cookie_and_other_sites_never_send_it() {
        let token = Token::given("0123");
        let kept = session_cookie(
            &site("https://sysndd.example.org"),
            Some((&token, Duration::from_mins(1))),
        );
        assert_eq!(
            kept.to_str().expect("ASCII"),
            "sysndd_session=0123; Path=/api; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        assert!(kept.is_sensitive());
        let forgotten = session_cookie(&site("http://10.0.0.7"), None);
        assert_eq!(
            forgotten.to_str().expect("ASCII"),
            "sysndd_session=; Path=/api; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }
}
