//! `security.body-limit`: nobody fills a replica's memory with one request.

use futures::future;

use crate::{
    config::VerifyBody,
    observe::Replica,
    probe::{Body, Request},
    verify::{Check, Context, Outcome, Suite, nginx},
};

pub(super) const CHECK: Check = Check {
    id: "security.body-limit",
    suite: Suite::Security,
    requirements: &["PD-3.6"],
    expected: "a body that is longer than it may be is refused with 413, by every replica and by the edge",
    strains: true,
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
    // A replica's refusal looks like the edge's, which is to come first.
    match nginx::told(context).await {
        Err(outcome) => return outcome,
        Ok(Some(root)) => faults.push(too_wide(root, body)),
        Ok(None) => {}
    }
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

/// What nginx takes where nothing is said, in bytes.
const DEFAULT: u64 = 1024 * 1024;

fn too_wide(root: &nginx::Block, body: &VerifyBody) -> Option<String> {
    let way = nginx::way(root, &body.path);
    let said = nginx::nearest(&way, "client_max_body_size").and_then(<[String]>::first);
    let limit = said.map_or(Some(DEFAULT), |said| bytes(said));
    // 0 is no limit.
    let right = limit.is_some_and(|limit| limit != 0 && limit <= u64::from(body.edge));
    (!right).then(|| {
        format!(
            "the edge's configuration says client_max_body_size {} for {}",
            said.map_or("nothing", String::as_str),
            body.path
        )
    })
}

/// A size as nginx writes it: `64k`, `2m`.
fn bytes(size: &str) -> Option<u64> {
    let size = size.to_ascii_lowercase();
    let (number, unit) = match size.strip_suffix(['k', 'm', 'g']) {
        Some(number) => (number, &size[number.len()..]),
        None => (size.as_str(), ""),
    };
    let factor = match unit {
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => 1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn above(limit: u32) -> usize {
    usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_takes_more_than_it_may_or_anything_is_found() {
        let body = VerifyBody {
            path: "/api/login".to_owned(),
            replica: 1,
            edge: 2 << 20,
        };
        for (said, right) in [
            ("", true),
            ("client_max_body_size 2m;", true),
            ("client_max_body_size 2097152;", true),
            ("client_max_body_size 1G;", false),
            ("client_max_body_size 0;", false),
            ("client_max_body_size 2x;", false),
        ] {
            let text = format!("# configuration file /n:\nhttp {{ {said} location /api/ {{ }} }}");
            let root = nginx::read(&text).unwrap();
            assert_eq!(too_wide(&root, &body).is_none(), right, "{said}");
        }
    }
}
