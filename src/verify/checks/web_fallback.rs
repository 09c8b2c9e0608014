//! `web.fallback`: what is not there is not answered with the page.
//!
//! A web server that serves the page for every path makes a missing script a syntax error, a missing
//! picture a broken one, and a misspelt call of the API a success.

use crate::verify::{
    Check, Context, Outcome, Suite,
    pages::{fetch, pages},
};

pub(super) const CHECK: Check = Check {
    id: "web.fallback",
    suite: Suite::Web,
    requirements: &["PD-1.2"],
    expected: "a missing asset, a missing file and an unknown path of the API answer 404, and none of them with a page",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let pages = pages(context).await?;
    let mut faults = Vec::new();
    for path in pages.absent() {
        let answer = fetch(context, path, None).await?;
        let kind = answer.header("content-type").unwrap_or("no content type");
        // The page may say 404 as well; a program would still be given HTML.
        if answer.status != 404 || kind.starts_with("text/html") {
            faults.push(format!(
                "GET {path}: {} {kind}, not a plain 404",
                answer.status
            ));
        }
    }
    Ok(Outcome::judge(
        &faults,
        format!("{} paths answer 404", pages.absent().count()),
    ))
}
