//! `web.request-id`: one word leads from a user's complaint to the lines of the logs.

use crate::{
    probe::Request,
    verify::{Check, Context, Outcome, Suite, logs},
};

pub(super) const CHECK: Check = Check {
    id: "web.request-id",
    suite: Suite::Web,
    requirements: &["PD-2.4"],
    expected: "each request has an id of its own, in its answer and in the log of the replica that got it; a client's is kept where it is a plain word, and only there",
    strains: false,
    run: |context| Box::pin(check(context)),
};

/// In a log it would begin another field, on a page another element.
const NO_WORD: &str = "\"odd\" <b>id";

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let Some(web) = &context.stack.verify.web else {
        return Err(Outcome::skip("the stack has no [verify.web]"));
    };
    let path = [&web.logged, &web.health].into_iter().flatten().next();
    let path = path.unwrap_or(&web.index);
    let mut faults = Vec::new();

    let (one, other) = (
        id_of(context, path, None).await?,
        id_of(context, path, None).await?,
    );
    if one == other {
        faults.push(format!("two requests are both called {one}"));
    }
    let word = format!("verify-{:016x}", rand::random::<u64>());
    let kept = id_of(context, path, Some(&word)).await?;
    if kept != word {
        faults.push(format!("a request called {word} is answered as {kept}"));
    }
    if id_of(context, path, Some(NO_WORD)).await? == NO_WORD {
        faults.push(format!("{NO_WORD} is taken for an id"));
    }

    let mut right = "in the answers";
    if web.logged.is_some() {
        right = "in the answers and in a replica's log";
        // The id that the edge made: the client's own would get through an edge that does nothing.
        let writers = context.upstream()?;
        if logs::lines_with(context.engine, &writers, &one, 1)
            .await
            .is_empty()
        {
            faults.push(format!("no replica's log has {one}, the id of GET {path}"));
        }
    }
    Ok(Outcome::judge(&faults, right))
}

/// What the request is called in its answer.
async fn id_of(context: &Context<'_>, path: &str, own: Option<&str>) -> Result<String, Outcome> {
    let mut request = Request::get(path);
    if let Some(own) = own {
        request = request.header("x-request-id", own);
    }
    let answer = context.edge_send(&request).await;
    let answer = answer.map_err(|cause| Outcome::fail(format!("GET {path}: {cause}")))?;
    let id = answer.header("x-request-id").unwrap_or_default();
    if id.len() < 8 {
        // `web.security-headers` fails for it, and there is nothing to follow.
        return Err(Outcome::skip(format!(
            "GET {path} is answered without an id: see web.security-headers"
        )));
    }
    Ok(id.to_owned())
}
