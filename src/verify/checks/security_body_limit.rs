//! `security.body-limit`: nobody fills a replica's memory with one request.

use futures::future;

use crate::{
    config::VerifyBody,
    observe::Replica,
    probe::{Body, Request},
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "security.body-limit",
    suite: Suite::Security,
    requirements: &["PD-3.6"],
    expected: "a body that is longer than it may be is refused with 413, by every replica and by the edge",
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    let security = context.stack.verify.security.as_ref();
    let Some(body) = security.and_then(|security| security.body.as_ref()) else {
        return Outcome::skip("the stack has no body in [verify.security]");
    };
    let replicas = match context.upstream() {
        Ok(replicas) => replicas,
        Err(skip) => return skip,
    };
    let asked = replicas
        .iter()
        .map(|replica| at_replica(context, body, replica));
    let too_long = Request::post(&body.path, Body::Filler(above(body.edge)));
    let (mut faults, edge) =
        future::join(future::join_all(asked), context.edge_send(&too_long)).await;
    faults.push(match edge {
        Ok(answer) if answer.status == 413 => None,
        Ok(answer) => Some(format!(
            "the edge answers {} to {} bytes",
            answer.status,
            above(body.edge)
        )),
        Err(cause) => Some(format!("the edge: {cause}")),
    });
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    Outcome::judge(
        &faults,
        format!(
            "more than {} bytes are refused by {} replicas, more than {} by the edge",
            body.replica,
            replicas.len(),
            body.edge
        ),
    )
}

async fn at_replica(context: &Context<'_>, body: &VerifyBody, replica: &Replica) -> Option<String> {
    let name = &replica.name;
    let too_long = Request::post(&body.path, Body::Filler(above(body.replica)));
    match context.ask(replica, &too_long).await {
        Err(cause) => return Some(format!("{name}: {cause}")),
        Ok(answer) if answer.status != 413 => {
            return Some(format!(
                "{name} answers {} to {} bytes",
                answer.status,
                above(body.replica)
            ));
        }
        Ok(_) => {}
    }
    // What refuses everything proves nothing.
    let short = Request::post(&body.path, Body::Json("{}".into()));
    match context.ask(replica, &short).await {
        Err(cause) => Some(format!("{name}: {cause}")),
        Ok(answer) if answer.status == 413 || answer.status >= 500 => {
            Some(format!("{name} answers {} to 2 bytes", answer.status))
        }
        Ok(_) => None,
    }
}

fn above(limit: u32) -> usize {
    usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1)
}
