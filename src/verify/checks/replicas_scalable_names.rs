//! `replicas.scalable-names`: a container's name leaves room for more of its kind.

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "replicas.scalable-names",
    suite: Suite::Replicas,
    requirements: &["DEPLOY-04"],
    expected: "every container is named project-service-release-number (by Compose: project-service-number), so that any number fits beside it",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let project = &context.stack.project;
    let replicas = &context.evidence.observed.replicas;
    let faults: Vec<String> = replicas
        .iter()
        .filter_map(|replica| {
            let (service, number) = (&replica.service, replica.number);
            let right = if replica.is_of_compose() {
                format!("{project}-{service}-{number}")
            } else {
                format!("{project}-{service}-{}-{number}", replica.release)
            };
            (replica.name.as_str() != right).then(|| format!("{} should be {right}", replica.name))
        })
        .collect();
    Outcome::judge(
        &faults,
        format!("{} names follow the pattern", replicas.len()),
    )
}
