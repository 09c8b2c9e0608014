//! `security.cors`: pages of other sites cannot read what the API answers.

use futures::future;

use crate::{
    probe::{Request, Response},
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "security.cors",
    suite: Suite::Security,
    requirements: &["PD-3.3"],
    expected: "a foreign origin is admitted by no replica and not by the edge, before a request and with it",
    strains: false,
    run: |context| Box::pin(check(context)),
};

/// A site that cannot exist (RFC 2606).
const STRANGER: &str = "https://stranger.invalid";

async fn check(context: &Context<'_>) -> Outcome {
    let security = context.stack.verify.security.as_ref();
    let Some(path) = security.and_then(|security| security.cors.as_ref()) else {
        return Outcome::skip("the stack has no cors in [verify.security]");
    };
    let replicas = match context.upstream() {
        Ok(replicas) => replicas,
        Err(skip) => return skip,
    };
    let mut before = Request::get(path)
        .header("origin", STRANGER)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    before.method = "OPTIONS";
    let with = Request::get(path).header("origin", STRANGER);
    let mut faults = Vec::new();
    for request in [&before, &with] {
        let asked = replicas.iter().map(|replica| context.ask(replica, request));
        let (asked, edge) = future::join(future::join_all(asked), context.edge_send(request)).await;
        let names = replicas.iter().map(|replica| replica.name.as_str());
        for (name, answer) in names.zip(asked).chain([("the edge", edge)]) {
            let fault = answer.map_or_else(Some, |answer| judge(&answer));
            faults.extend(fault.map(|fault| format!("{name}, {}: {fault}", request.method)));
        }
    }
    Outcome::judge(
        &faults,
        format!(
            "{STRANGER} is admitted by none of {} replicas, and not by the edge",
            replicas.len()
        ),
    )
}

/// What is wrong with an answer to the stranger.
fn judge(answer: &Response) -> Option<String> {
    if answer.status >= 500 {
        return Some(format!("it answers {}", answer.status));
    }
    match answer.header("access-control-allow-origin") {
        Some(admitted) if admitted == STRANGER || admitted == "*" || admitted == "null" => {
            Some(format!("it admits {admitted}"))
        }
        // Its own name to everybody admits nobody else.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::probe::Response;

    fn fault(status: u16, admitted: Option<&str>) -> Option<String> {
        let header = |origin: &str| ("access-control-allow-origin".to_owned(), origin.to_owned());
        judge(&Response {
            status,
            headers: admitted.map(header).into_iter().collect(),
            body: Vec::new(),
        })
    }

    #[test]
    fn no_header_and_another_name_admit_nobody_and_an_echo_or_a_star_do() {
        assert_eq!(fault(200, None), None);
        assert_eq!(fault(405, None), None);
        assert_eq!(fault(200, Some("https://example.org")), None);
        for admitted in ["https://stranger.invalid", "*", "null"] {
            assert!(fault(200, Some(admitted)).is_some(), "{admitted}");
        }
        assert!(fault(502, None).is_some());
    }
}
