//! What the checks of the web server ask for: the page, the files that it names, the API behind it,
//! and what is not there.

use super::{Context, Outcome};
use crate::probe::{Request, Response};

/// The paths, by what is to be expected of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) index: String,
    /// Scripts and styles that the page names, whose names change with their content.
    pub(crate) assets: Vec<String>,
    /// An answer of the replicas.
    pub(crate) health: Option<String>,
    /// Files that are not there: beside an asset, and at the top.
    pub(crate) missing: [String; 2],
    /// A path that the replicas do not know, where the stack says how they are reached.
    pub(crate) missing_call: Option<String>,
}

impl Pages {
    /// Nothing is there, whoever is asked.
    pub(crate) fn absent(&self) -> impl Iterator<Item = &String> {
        self.missing.iter().chain(&self.missing_call)
    }
}

/// Reads the page; without one there is nothing to check, and that is the outcome.
pub(crate) async fn pages(context: &Context<'_>) -> Result<Pages, Outcome> {
    let Some(web) = &context.stack.verify.web else {
        return Err(Outcome::skip("the stack has no [verify.web]"));
    };
    let page = fetch(context, &web.index, None).await?;
    let assets = assets(&String::from_utf8_lossy(&page.body));
    if assets.is_empty() {
        return Err(Outcome::fail(format!(
            "{} names no script and no style with a hash in its name",
            web.index
        )));
    }
    Ok(Pages {
        index: web.index.clone(),
        missing: missing(&assets[0]),
        missing_call: web.health.as_deref().and_then(missing_call),
        assets,
        health: web.health.clone(),
    })
}

/// One answer through the edge; none at all is the outcome.
pub(crate) async fn fetch(
    context: &Context<'_>,
    path: &str,
    encoding: Option<&str>,
) -> Result<Response, Outcome> {
    let mut request = Request::get(path);
    if let Some(encoding) = encoding {
        request = request.header("accept-encoding", encoding);
    }
    let answer = context.edge_send(&request).await;
    answer.map_err(|cause| Outcome::fail(format!("GET {path}: {cause}")))
}

/// Less than that is not worth it: it goes out in one packet anyhow.
const WORTH_COMPRESSING: usize = 1024;

/// Fetches each of these as it is and with an encoding; `fault` says what is wrong with the two forms.
pub(super) async fn compare_with(
    context: &Context<'_>,
    encoding: &str,
    paths: impl Iterator<Item = &String>,
    fault: impl Fn(&Response, &Response) -> Option<String>,
) -> Result<Outcome, Outcome> {
    let mut faults = Vec::new();
    let (mut plain_bytes, mut packed_bytes) = (0, 0);
    for path in paths {
        let plain = fetch(context, path, Some("identity")).await?;
        if plain.body.len() < WORTH_COMPRESSING {
            continue;
        }
        let packed = fetch(context, path, Some(encoding)).await?;
        plain_bytes += plain.body.len();
        packed_bytes += packed.body.len();
        faults.extend(fault(&plain, &packed).map(|fault| format!("GET {path}: {fault}")));
    }
    Ok(Outcome::judge(
        &faults,
        format!("{plain_bytes} bytes are sent as {packed_bytes}"),
    ))
}

/// What a page names with `src` and `href`, of this site, with a hash in its name.
fn assets(html: &str) -> Vec<String> {
    let mut found: Vec<String> = ["src=\"", "href=\""]
        .into_iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| path.starts_with('/') && !path.starts_with("//") && is_hashed(path))
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// `/assets/index-B6_9Apws.css`: at least eight characters after the last dash or dot of the stem,
/// as bundlers write them.
fn is_hashed(path: &str) -> bool {
    let Some((stem, "js" | "css")) = path.rsplit_once('.') else {
        return false;
    };
    let name = stem.rsplit('/').next().unwrap_or(stem);
    // A hash may hold a dash as well, so the first one that leaves enough counts.
    name.match_indices(['-', '.']).any(|(at, _)| {
        let hash = &name[at + 1..];
        hash.len() >= 8
            && hash
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    })
}

const NAME: &str = "there-is-no-such-thing";

fn missing(asset: &str) -> [String; 2] {
    let directory = asset
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    [
        format!("{directory}/{NAME}-00000000.js"),
        format!("/{NAME}.png"),
    ]
}

/// Below the same first part of the path as what is there.
fn missing_call(known: &str) -> Option<String> {
    let first = known.split('/').nth(1)?;
    Some(format!("/{first}/{NAME}"))
}

#[cfg(test)]
mod tests {
    use super::{assets, missing, missing_call};

    #[test]
    fn a_page_tells_its_assets() {
        let html = r#"<link rel="icon" href="/favicon.ico"><script src="/theme.js"></script>
            <script type="module" src="/assets/index-B2knpDtM.js"></script>
            <link rel="modulepreload" href="/assets/runtime-core.esm-bundler-Bt_5NhqW.js">
            <link rel="stylesheet" href="/assets/index-B6_9-pws.css">
            <script src="//elsewhere.example/x-0123456789.js"></script>
            <link rel="stylesheet" href="/assets/index-B6_9-pws.css">"#;
        assert_eq!(
            assets(html),
            [
                "/assets/index-B2knpDtM.js",
                "/assets/index-B6_9-pws.css",
                "/assets/runtime-core.esm-bundler-Bt_5NhqW.js"
            ]
        );
        assert!(assets("<p>nothing</p>").is_empty());
    }

    #[test]
    fn what_is_not_there_is_asked_for_where_it_would_be() {
        assert_eq!(
            missing("/assets/index-B2knpDtM.js"),
            [
                "/assets/there-is-no-such-thing-00000000.js",
                "/there-is-no-such-thing.png"
            ]
        );
        assert_eq!(
            missing_call("/api/health/ready").as_deref(),
            Some("/api/there-is-no-such-thing")
        );
    }
}
