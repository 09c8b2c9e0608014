//! `startup.budget`: every replica was ready within its time.

use std::time::Duration;

use serde_json::json;

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "startup.budget",
    suite: Suite::Startup,
    requirements: &["PD-NFR"],
    expected: "from start to ready no replica takes longer than verify.startup_budget",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let budget = context.stack.verify.startup_budget;
    let (mut faults, mut slowest) = (Vec::new(), None::<(Duration, String)>);
    for evidence in &context.evidence.replicas {
        let (Some(started), Some(ready)) = (evidence.replica.started_at, evidence.ready_at())
        else {
            continue;
        };
        let took = (ready - started).to_std().unwrap_or_default();
        let name = evidence.replica.name.to_string();
        if took > budget {
            faults.push(format!("{name} took {:.1} s", took.as_secs_f64()));
        }
        if slowest.as_ref().is_none_or(|(longest, _)| took > *longest) {
            slowest = Some((took, name));
        }
    }
    let Some((longest, name)) = slowest else {
        return Outcome::skip("no replica told when it was ready");
    };
    Outcome::judge(
        &faults,
        format!(
            "the slowest, {name}, took {} ms of {} s",
            longest.as_millis(),
            budget.as_secs()
        ),
    )
    .with(json!({ "slowest_ms": longest.as_millis(), "budget_ms": budget.as_millis() }))
}
