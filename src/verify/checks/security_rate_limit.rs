//! `security.rate-limit`: one address cannot try passwords as fast as it likes.

use futures::{StreamExt as _, stream};

use crate::{
    probe::{Body, Request, Response},
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "security.rate-limit",
    suite: Suite::Security,
    requirements: &["PD-3.2"],
    expected: "of a burst through the edge some requests are refused with 429 and Retry-After, and other paths answer all the same",
    run: |context| Box::pin(check(context)),
};

/// As many connections as a browser would not open and a guesser would.
const AT_ONCE: usize = 16;

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
    let refused = answers
        .iter()
        .flatten()
        .filter(|answer| answer.status == 429);
    let refused = refused.count();
    match context.edge_get(&rate.other).await {
        Err(cause) => faults.push(format!("GET {} after it: {cause}", rate.other)),
        Ok(answer) if !(200..300).contains(&answer.status) => {
            faults.push(format!("GET {} after it: {}", rate.other, answer.status));
        }
        Ok(_) => {}
    }
    Outcome::judge(
        &faults,
        format!(
            "{refused} of {} requests to {} were refused",
            rate.requests, rate.path
        ),
    )
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
    let refused: Vec<&Response> = answers
        .iter()
        .flatten()
        .filter(|answer| answer.status == 429)
        .collect();
    if refused.is_empty() {
        faults.push(format!("none of {} requests was refused", answers.len()));
    }
    let seconds = |answer: &Response| answer.header("retry-after")?.parse::<u32>().ok();
    if refused.iter().any(|answer| seconds(answer).is_none()) {
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
    use super::judge;
    use crate::probe::Response;

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
    fn no_refusal_one_without_a_time_and_an_edge_that_falls_over_are_faults() {
        assert!(judge(&[Ok(answer(422, &[])), Ok(answer(422, &[]))]).is_err());
        assert!(judge(&[Ok(answer(429, &[]))]).is_err());
        let refused = || Ok(answer(429, &[("retry-after", "2")]));
        assert!(judge(&[refused(), Ok(answer(503, &[]))]).is_err());
        assert!(judge(&[refused(), Err("it hung up".into())]).is_err());
    }
}
