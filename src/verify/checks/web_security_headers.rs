//! `web.security-headers`: the headers that keep browsers safe stand on each answer, not only on those
//! of the page. A web server drops them easily where a location has headers of its own.

use crate::{
    probe::Response,
    verify::{
        Check, Context, Outcome, Suite,
        pages::{fetch, pages},
    },
};

pub(super) const CHECK: Check = Check {
    id: "web.security-headers",
    suite: Suite::Web,
    requirements: &["PD-1.2", "PD-3.3"],
    expected: "every answer has one strict content security policy, nosniff, no framing, a referrer policy and a request id, and tells no version of the server",
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
    for path in paths {
        let answer = fetch(context, path, None).await?;
        asked += 1;
        faults.extend(
            wrong(&answer)
                .into_iter()
                .map(|fault| format!("GET {path}: {fault}")),
        );
    }
    Ok(Outcome::judge(
        &faults,
        format!("on each of {asked} answers"),
    ))
}

/// What is wrong with the headers of one answer.
fn wrong(answer: &Response) -> Vec<String> {
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
    expect("x-request-id", |value| value.len() >= 8);
    if let Some(server) = answer.header("server")
        && server.bytes().any(|byte| byte.is_ascii_digit())
    {
        faults.push(format!("server tells {server}"));
    }
    faults
}

/// Scripts come from the site itself, and from files.
fn is_strict(policy: &str) -> bool {
    let directive = |name: &str| {
        policy.split(';').find_map(|directive| {
            let mut words = directive.split_ascii_whitespace();
            (words.next() == Some(name)).then(|| words.collect::<Vec<_>>())
        })
    };
    let Some(scripts) = directive("script-src").or_else(|| directive("default-src")) else {
        return false;
    };
    let loose = |word: &&str| {
        matches!(
            *word,
            "'unsafe-inline'" | "'unsafe-eval'" | "*" | "http:" | "https:" | "data:" | "blob:"
        )
    };
    !scripts.iter().any(loose) && directive("base-uri").is_some()
}

#[cfg(test)]
mod tests {
    use super::{is_strict, wrong};
    use crate::probe::Response;

    const GOOD: [(&str, &str); 6] = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; base-uri 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
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
        for (at, (name, _)) in GOOD.iter().enumerate().take(5) {
            let mut without = GOOD.to_vec();
            let header = without.remove(at);
            assert_eq!(faults(&without), [format!("no {name}")]);
            without.extend([header, header]);
            assert_eq!(faults(&without), [format!("{name} stands there twice")]);
        }
        let mut telling = GOOD.to_vec();
        telling[5].1 = "nginx/1.30.1";
        assert_eq!(faults(&telling).len(), 1);
    }

    #[test]
    fn a_policy_that_lets_scripts_in_is_not_strict() {
        for policy in [
            "script-src 'self' 'unsafe-inline'; base-uri 'none'",
            "default-src *; base-uri 'none'",
            "script-src 'self' https:; base-uri 'none'",
            "script-src 'self'",
            "img-src 'self'; base-uri 'none'",
        ] {
            assert!(!is_strict(policy), "{policy}");
        }
        assert!(is_strict("default-src 'self'; base-uri 'self'"));
    }
}
