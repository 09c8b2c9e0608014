//! `web.client-address`: nobody chooses the address that he is known by.
//!
//! The request is sent from inside the edge's container: its peer is the edge's own loopback interface,
//! which is no proxy that anybody trusts, wherever `verify` itself runs.

use crate::{
    probe::Request,
    verify::{Check, Context, Outcome, Suite, logs},
};

pub(super) const CHECK: Check = Check {
    id: "web.client-address",
    suite: Suite::Web,
    requirements: &["PD-3.2"],
    expected: "a replica is told the address that a request came from, not the one that it claims in X-Forwarded-For, X-Real-IP or Forwarded",
    strains: false,
    run: |context| Box::pin(check(context)),
};

/// The edge asks itself.
const PEER: &str = "127.0.0.1";

async fn check(context: &Context<'_>) -> Outcome {
    judge(context).await.unwrap_or_else(|outcome| outcome)
}

async fn judge(context: &Context<'_>) -> Result<Outcome, Outcome> {
    let web = context.stack.verify.web.as_ref();
    let Some(path) = web.and_then(|web| web.logged.as_deref()) else {
        return Err(Outcome::skip(
            "the stack says by `logged` in [verify.web] no path whose requests are logged",
        ));
    };
    // Of a network that is for documents only.
    let claimed = format!("203.0.113.{}", 1 + rand::random::<u8>() % 254);
    let mark = format!("verify-{:016x}", rand::random::<u64>());
    let request = Request::get(path)
        .header("x-request-id", mark.as_str())
        .header("x-forwarded-for", claimed.as_str())
        .header("x-real-ip", claimed.as_str())
        .header("forwarded", format!("for={claimed}"));
    let answer = context.edge_send_inside(&request).await;
    answer.map_err(|cause| Outcome::fail(format!("GET {path}: {cause}")))?;

    let writers = context.upstream()?;
    let lines = logs::lines_with(context.engine, &writers, &mark, 1).await;
    let faults: Vec<String> = fault(&lines, &claimed).into_iter().collect();
    Ok(Outcome::judge(
        &faults,
        format!("a request from {PEER} that claims {claimed} is known as {PEER}"),
    ))
}

fn fault(lines: &[String], claimed: &str) -> Option<String> {
    if lines.is_empty() {
        return Some("no replica's log has the request that was sent with an id".into());
    }
    if lines.iter().any(|line| line.contains(claimed)) {
        return Some(format!(
            "a replica takes {claimed} for the client, which is what the client claims"
        ));
    }
    let told = lines.iter().any(|line| line.contains(PEER));
    (!told).then(|| format!("a replica logs the request without {PEER}, where it came from"))
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn a_claim_in_the_log_is_a_fault_and_so_is_no_word_of_the_client() {
        let claimed = "203.0.113.7";
        let line = |client: &str| vec![format!("{{\"request_id\":\"x\",\"client\":\"{client}\"}}")];
        assert_eq!(fault(&line("127.0.0.1"), claimed), None);
        for wrong in ["203.0.113.7", "203.0.113.7, 127.0.0.1"] {
            assert!(fault(&line(wrong), claimed).unwrap().contains(claimed));
        }
        assert!(
            fault(&line("10.0.0.1"), claimed)
                .unwrap()
                .contains("127.0.0.1")
        );
        assert!(fault(&[], claimed).unwrap().contains("no replica"));
    }
}
