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
    expected: "a missing asset and a missing file answer 404, and no unknown path of the API is answered with the page",
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let pages = pages(context).await?;
    let mut faults = Vec::new();
    for path in &pages.missing {
        let answer = fetch(context, path, None).await?;
        let kind = answer.header("content-type").unwrap_or("no content type");
        // What an application says of paths that it does not know is its own affair, as long as it
        // is the application that says it.
        let own = pages.health.is_some() && Some(path) == pages.missing.last();
        if kind.starts_with("text/html") || (answer.status != 404 && !own) {
            faults.push(format!("GET {path}: {} {kind}, not 404", answer.status));
        }
    }
    Ok(Outcome::judge(
        &faults,
        format!(
            "none of {} paths is answered with the page",
            pages.missing.len()
        ),
    ))
}
