//! `web.security-headers`: the headers that keep browsers safe stand on each answer, not only on those
//! of the page. A web server drops them easily where a location has headers of its own.

use crate::{
    probe::{Body, Request, Response},
    verify::{
        Check, Context, Outcome, Suite,
        pages::{fetch, pages},
    },
};

pub(super) const CHECK: Check = Check {
    id: "web.security-headers",
    suite: Suite::Web,
    requirements: &["PD-1.2", "PD-3.3"],
    expected: "every answer has one strict content security policy, nosniff, no framing, policies of referrers, permissions, openers and resources, and a request id, and tells no version of the server",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let pages = pages(context).await?;
    let mut faults = Vec::new();
    let mut asked = 0;
    let paths = [&pages.index]
        .into_iter()
        .chain(&pages.assets)
        .chain(&pages.health)
        .chain(pages.absent());
    // A file without a hash, and what has limits of its own, are places of their own in an edge.
    let verify = &context.stack.verify;
    let favicon = verify.web.as_ref().and_then(|web| web.favicon.as_ref());
    let security = verify.security.as_ref();
    let rate = security.and_then(|security| security.rate.as_ref());
    let paths = paths
        .chain(favicon.map(|favicon| &favicon.path))
        .chain(rate.map(|rate| &rate.path));
    for path in paths {
        let answer = fetch(context, path, None).await?;
        asked += 1;
        let wrong = wrong(&answer).into_iter();
        faults.extend(wrong.map(|fault| format!("GET {path}: {fault}")));
    }
    // The edge's own refusal; that of a burst is looked at by `security.rate-limit`.
    if let Some(body) = security.and_then(|security| security.body.as_ref()) {
        let length = usize::try_from(body.edge).unwrap_or(usize::MAX);
        let too_long = Request::post(&body.path, Body::Filler(length.saturating_add(1)));
        let answer = context.edge_send(&too_long).await.map_err(Outcome::fail)?;
        asked += 1;
        let (path, status) = (&body.path, answer.status);
        let wrong = wrong(&answer).into_iter();
        faults.extend(wrong.map(|fault| format!("POST {path}, {status}: {fault}")));
    }
    Ok(Outcome::judge(
        &faults,
        format!("on each of {asked} answers"),
    ))
}

/// What is wrong with the headers of one answer.
pub(super) fn wrong(answer: &Response) -> Vec<String> {
    let mut faults = Vec::new();
    let mut expect = |name: &str, right: fn(&str) -> bool| {
        let mut values = answer.headers.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (None, _) => faults.push(format!("no {name}")),
            (Some((_, value)), None) if right(value) => {}
            (Some((_, value)), None) => faults.push(format!("{name} says {value}")),
            (Some(_), Some(_)) => faults.push(format!("{name} stands there twice")),
        }
    };
    expect("content-security-policy", is_strict);
    expect("x-content-type-options", |value| value == "nosniff");
    expect("x-frame-options", |value| {
        matches!(value, "DENY" | "SAMEORIGIN")
    });
    expect("referrer-policy", |value| {
        !value.is_empty() && value != "unsafe-url"
    });
    expect("permissions-policy", |value| !value.is_empty());
    expect("cross-origin-opener-policy", |value| value == "same-origin");
    expect("cross-origin-resource-policy", |value| {
        matches!(value, "same-origin" | "same-site")
    });
    expect("x-request-id", |value| value.len() >= 8);
    if let Some(server) = answer.header("server")
        && server.bytes().any(|byte| byte.is_ascii_digit())
    {
        faults.push(format!("server tells {server}"));
    }
    faults
}

/// Scripts and styles come from the site itself, and from files; nothing is embedded that runs on its own;
/// nobody frames the page, moves its base, or has its forms.
fn is_strict(policy: &str) -> bool {
    let directive = |name: &str| {
        policy.split(';').find_map(|directive| {
            let mut words = directive.split_ascii_whitespace();
            (words.next() == Some(name)).then(|| words.collect::<Vec<_>>())
        })
    };
    let is_tight = |words: &Vec<&str>| {
        let loose = |word: &&str| {
            matches!(
                *word,
                "'unsafe-inline'" | "'unsafe-eval'" | "*" | "http:" | "https:" | "data:" | "blob:"
            )
        };
        !words.iter().any(loose)
    };
    // What is fetched falls back to the default; the others are open where nothing is said.
    let fetched = ["script-src", "style-src", "object-src"];
    let fetched = fetched.map(|name| directive(name).or_else(|| directive("default-src")));
    let said = ["base-uri", "form-action", "frame-ancestors"].map(directive);
    let all = fetched.iter().chain(&said);
    all.into_iter()
        .all(|words| words.as_ref().is_some_and(is_tight))
}

#[cfg(test)]
mod tests {
    use super::{is_strict, wrong};
    use crate::probe::Response;

    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
        base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    const GOOD: [(&str, &str); 9] = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("permissions-policy", "camera=()"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-request-id", "0123456789abcdef"),
        ("server", "nginx"),
    ];

    fn faults(headers: &[(&str, &str)]) -> Vec<String> {
        wrong(&Response {
            status: 200,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: Vec::new(),
        })
    }

    #[test]
    fn each_header_is_missed_and_none_may_stand_twice() {
        assert!(faults(&GOOD).is_empty(), "{:?}", faults(&GOOD));
        for (at, (name, _)) in GOOD.iter().enumerate().take(8) {
            let mut without = GOOD.to_vec();
            let header = without.remove(at);
            assert_eq!(faults(&without), [format!("no {name}")]);
            without.extend([header, header]);
            assert_eq!(faults(&without), [format!("{name} stands there twice")]);
        }
        let mut telling = GOOD.to_vec();
        telling[8].1 = "nginx/1.30.1";
        assert_eq!(faults(&telling).len(), 1);
    }

    #[test]
    fn a_policy_with_one_directive_too_loose_is_not_strict() {
        assert!(is_strict(POLICY));
        for (tight, loose) in [
            ("script-src 'self'", "script-src 'self' 'unsafe-inline'"),
            ("script-src 'self'", "script-src 'self' https:"),
            ("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
            ("default-src 'none'; ", ""),
            ("default-src 'none'", "default-src *"),
            ("default-src 'none'", "object-src data:"),
            ("base-uri 'none'", "base-uri *"),
            ("base-uri 'none'; ", ""),
            ("form-action 'self'", "form-action https:"),
            ("form-action 'self'; ", ""),
            ("frame-ancestors 'none'", "frame-ancestors *"),
            ("; frame-ancestors 'none'", ""),
        ] {
            let policy = POLICY.replace(tight, loose);
            assert_ne!(policy, POLICY, "{loose}");
            assert!(!is_strict(&policy), "{policy}");
        }
        let short =
            "default-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'self'";
        assert!(is_strict(short));
    }
}
