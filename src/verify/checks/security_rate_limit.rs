//! `security.rate-limit`: one address cannot try passwords as fast as it likes.

use std::time::Duration;

use futures::{StreamExt as _, stream};

use crate::{
    probe::{Body, Request, Response},
    verify::{Check, Context, Outcome, Suite, nginx},
};

pub(super) const CHECK: Check = Check {
    id: "security.rate-limit",
    suite: Suite::Security,
    requirements: &["PD-3.2"],
    expected: "of a burst through the edge some requests are refused with 429, Retry-After and the headers of every answer, other paths answer all the same, and wider limits are configured",
    strains: true,
    run: |context| Box::pin(check(context)),
};

/// As many connections as a browser would not open and a guesser would.
const AT_ONCE: usize = 16;
/// A limit may tell to come back tomorrow.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

async fn check(context: &Context<'_>) -> Outcome {
    let security = context.stack.verify.security.as_ref();
    let Some(rate) = security.and_then(|security| security.rate.as_ref()) else {
        return Outcome::skip("the stack has no rate in [verify.security]");
    };
    let request = Request::post(&rate.path, Body::Json("{}".into()));
    let answers: Vec<_> = stream::iter(0..rate.requests)
        .map(|_| context.edge_send(&request))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut faults = judge(&answers).err().unwrap_or_default();
    let refused: Vec<&Response> = refusals(&answers).collect();
    if let (Some(answer), Some(_)) = (refused.first(), &context.stack.verify.web) {
        // The edge's own answers are made elsewhere than those of the page.
        let wrong = super::web_security_headers::wrong(answer);
        faults.extend(wrong.into_iter().map(|fault| format!("429: {fault}")));
    }
    let told = refused
        .iter()
        .filter_map(|answer| retry_after(answer))
        .max();
    let pause = told.unwrap_or_default().min(LONGEST_PAUSE);
    let refused = refused.len();
    match nginx::told(context).await {
        Err(outcome) => return outcome,
        Ok(Some(root)) => faults.extend(unlimited(root, &rate.configured)),
        Ok(None) => {}
    }
    match context.edge_get(&rate.other).await {
        Err(cause) => faults.push(format!("GET {} after it: {cause}", rate.other)),
        Ok(answer) if !(200..300).contains(&answer.status) => {
            faults.push(format!("GET {} after it: {}", rate.other, answer.status));
        }
        Ok(_) => {}
    }
    // Who signs in next, perhaps from the same address, is not to pay for this.
    tokio::time::sleep(pause).await;
    Outcome::judge(
        &faults,
        format!(
            "{refused} of {} requests to {} were refused",
            rate.requests, rate.path
        ),
    )
}

/// The edge is said to limit these; a burst that is as wide would be a burden.
fn unlimited(root: &nginx::Block, paths: &[String]) -> Vec<String> {
    paths
        .iter()
        .filter(|path| nginx::nearest(&nginx::way(root, path), "limit_req").is_none())
        .map(|path| format!("the edge's configuration has no limit_req for {path}"))
        .collect()
}

fn refusals(answers: &[Result<Response, String>]) -> impl Iterator<Item = &Response> {
    let answered = answers.iter().flatten();
    answered.filter(|answer| answer.status == 429)
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.header("retry-after")?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn judge(answers: &[Result<Response, String>]) -> Result<(), Vec<String>> {
    let mut faults = Vec::new();
    if let Some(cause) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        faults.push(format!("not every request was answered: {cause}"));
    }
    let failed = answers.iter().flatten().find(|answer| answer.status >= 500);
    if let Some(answer) = failed {
        faults.push(format!("a request was answered {}", answer.status));
    }
    let refused: Vec<&Response> = refusals(answers).collect();
    if refused.is_empty() {
        faults.push(format!("none of {} requests was refused", answers.len()));
    }
    if refused.iter().any(|answer| retry_after(answer).is_none()) {
        faults.push("429 comes without the seconds of Retry-After".into());
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::{judge, unlimited};
    use crate::{probe::Response, verify::nginx};

    fn answer(status: u16, headers: &[(&str, &str)]) -> Response {
        let header = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Response {
            status,
            headers: headers.iter().map(header).collect(),
            body: Vec::new(),
        }
    }

    #[test]
    fn a_refusal_with_a_time_is_right() {
        let refused = answer(429, &[("retry-after", "2")]);
        assert_eq!(judge(&[Ok(answer(422, &[])), Ok(refused)]), Ok(()));
    }

    #[test]
    fn a_path_without_a_limit_is_named() {
        let text =
            "# configuration file /n:\nhttp { server { location /api/ { limit_req zone=a; } } }";
        let root = nginx::read(text).unwrap();
        let paths = ["/api/x".to_owned(), "/other".to_owned()];
        let faults = unlimited(&root, &paths);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].ends_with("for /other"), "{faults:?}");
    }

    #[test]
    fn no_refusal_one_without_a_time_and_an_edge_that_falls_over_are_faults() {
        assert!(judge(&[Ok(answer(422, &[])), Ok(answer(422, &[]))]).is_err());
        assert!(judge(&[Ok(answer(429, &[]))]).is_err());
        let refused = || Ok(answer(429, &[("retry-after", "2")]));
        assert!(judge(&[refused(), Ok(answer(503, &[]))]).is_err());
        assert!(judge(&[refused(), Err("it hung up".into())]).is_err());
    }
}
