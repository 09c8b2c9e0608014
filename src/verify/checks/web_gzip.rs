//! `web.gzip`: text is sent compressed to whoever takes it, and plain to whoever does not.

use crate::{
    probe::Response,
    verify::{
        Check, Context, Outcome, Suite,
        pages::{compare_with, pages},
    },
};

pub(super) const CHECK: Check = Check {
    id: "web.gzip",
    suite: Suite::Web,
    requirements: &["PD-7.3"],
    expected: "the page, its scripts and styles and the answers of the API come with gzip where it is taken, with Vary, and plain where not",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let pages = pages(context).await?;
    let paths = [&pages.index]
        .into_iter()
        .chain(&pages.assets)
        .chain(&pages.health);
    compare_with(context, "gzip", paths, fault).await
}

/// What is wrong with the two forms of one answer.
fn fault(plain: &Response, packed: &Response) -> Option<String> {
    if let Some(encoding) = plain.header("content-encoding") {
        return Some(format!("who takes no compression is sent {encoding}"));
    }
    let Some("gzip") = packed.header("content-encoding") else {
        return Some(format!("{} bytes come as they are", packed.body.len()));
    };
    if !packed.body.starts_with(b"\x1f\x8b") || packed.body.len() >= plain.body.len() {
        return Some("it says gzip, and is none".to_owned());
    }
    let varies = packed
        .headers
        .iter()
        .filter(|(name, _)| name == "vary")
        .any(|(_, value)| value.to_ascii_lowercase().contains("accept-encoding"));
    (!varies).then(|| "without Vary a cache gives gzip to those who take none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::fault;
    use crate::probe::Response;

    fn answer(headers: &[(&str, &str)], body: &[u8]) -> Response {
        Response {
            status: 200,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.to_vec(),
        }
    }

    #[test]
    fn compression_is_there_real_and_told_to_caches() {
        let plain = answer(&[], b"long long long");
        let gzip = ("content-encoding", "gzip");
        let vary = ("vary", "Accept-Encoding");
        let good = answer(&[gzip, vary], b"\x1f\x8bshort");
        assert_eq!(fault(&plain, &good), None);
        for (plain, packed) in [
            (&plain, answer(&[vary], b"long long long")),
            (&plain, answer(&[gzip, vary], b"long long long")),
            (&plain, answer(&[gzip], b"\x1f\x8bshort")),
            (&good, good.clone()),
        ] {
            assert!(fault(plain, &packed).is_some(), "{packed:?}");
        }
    }
}
