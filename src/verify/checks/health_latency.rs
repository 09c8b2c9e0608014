//! `health.latency`: the health report is quick enough to be asked often.

use std::time::Duration;

use serde_json::json;

use crate::probe::Way;
use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "health.latency",
    suite: Suite::Health,
    requirements: &["PD-NFR"],
    expected: "every replica answers its health probe within 100 ms",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    if context.prober.way() == Way::Inside {
        return Outcome::skip("replicas are asked through the engine, whose own time would count");
    }
    let mut faults = Vec::new();
    let mut slowest = Duration::ZERO;
    let mut asked = 0;
    for evidence in &context.evidence.replicas {
        match &evidence.health {
            None => {}
            Some(Err(cause)) => faults.push(format!("{}: {cause}", evidence.replica.name)),
            Some(Ok(answer)) => {
                asked += 1;
                slowest = slowest.max(answer.latency);
                if !answer.is_quick() {
                    faults.push(format!(
                        "{} took {} ms",
                        evidence.replica.name,
                        answer.latency.as_millis()
                    ));
                }
            }
        }
    }
    if asked == 0 && faults.is_empty() {
        return Outcome::skip("no service has an HTTP probe");
    }
    Outcome::judge(
        &faults,
        format!(
            "{asked} replicas, the slowest {:.1} ms",
            slowest.as_secs_f64() * 1e3
        ),
    )
    .with(json!({ "slowest_ms": slowest.as_secs_f64() * 1e3 }))
}
