//! `replicas.ready`: each replica says of itself that it is ready.

use crate::{
    probe::Readiness,
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "replicas.ready",
    suite: Suite::Replicas,
    requirements: &["TEST-01", "PROD-03", "PD-5.1"],
    expected: "every replica, asked itself, answers that it is ready",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let replicas = &context.evidence.observed.replicas;
    let faults: Vec<String> = replicas
        .iter()
        .filter(|replica| !replica.is_ready())
        .map(|replica| match &replica.readiness {
            Readiness::NotReady(reason) => format!("{}: {reason}", replica.name),
            Readiness::Ready | Readiness::Unknown => format!("{} does not run", replica.name),
        })
        .collect();
    if replicas.is_empty() {
        return Outcome::fail("no replica is there");
    }
    Outcome::judge(
        &faults,
        format!("{} of {} are ready", replicas.len(), replicas.len()),
    )
}
