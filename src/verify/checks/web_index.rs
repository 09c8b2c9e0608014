//! `web.index`: the edge serves the page, also to who comes by a link into it, and proxies to the
//! replicas.

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "web.index",
    suite: Suite::Web,
    requirements: &["PD-1.2", "TEST-01"],
    expected: "the page and a place inside it answer 200 as HTML, the health path answers through the edge as JSON",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    let Some(web) = &context.stack.verify.web else {
        return Outcome::skip("the stack has no [verify.web]");
    };
    let mut faults = Vec::new();
    let pages = [
        Some((&web.index, "text/html")),
        web.place.as_ref().map(|path| (path, "text/html")),
        web.health.as_ref().map(|path| (path, "application/json")),
    ];
    for (path, content_type) in pages.into_iter().flatten() {
        match context.edge_get(path).await {
            Err(cause) => faults.push(format!("GET {path}: {cause}")),
            Ok(answer) => {
                let got = answer.header("content-type").unwrap_or("no content type");
                if answer.status != 200 || !got.starts_with(content_type) {
                    faults.push(format!(
                        "GET {path}: {} {got}, not 200 {content_type}",
                        answer.status
                    ));
                }
            }
        }
    }
    Outcome::judge(&faults, "the page and the API answer through the edge")
}
