//! `replicas.count`: as many replicas run as are wanted, and nothing else.

use serde_json::json;

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "replicas.count",
    suite: Suite::Replicas,
    requirements: &["TEST-01", "PROD-01"],
    expected: "every service runs with its number of replicas, each numbered once",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let observed = &context.evidence.observed;
    let (mut faults, mut counts) = (Vec::new(), Vec::new());
    for service in context.stack.services.values() {
        let all = observed.replicas_of(&service.name).count();
        let running = observed
            .replicas_of(&service.name)
            .filter(|r| r.is_running())
            .count();
        counts.push(format!("{} {running}", service.name));
        if running != service.replicas as usize {
            faults.push(format!(
                "{}: {running} run, {} are wanted",
                service.name, service.replicas
            ));
        }
        for replica in observed
            .replicas_of(&service.name)
            .filter(|r| !r.is_running())
        {
            let code = replica
                .exit_code
                .map(|code| format!(" with exit code {code}"));
            faults.push(
                format!(
                    "{} is {:?}{}",
                    replica.name,
                    replica.state,
                    code.unwrap_or_default()
                )
                .to_lowercase(),
            );
        }
        let mut numbers: Vec<u32> = observed
            .replicas_of(&service.name)
            .map(|r| r.number)
            .collect();
        numbers.dedup();
        if numbers.len() != all {
            faults.push(format!("{}: a number is used twice", service.name));
        }
    }
    for replica in &observed.replicas {
        if !context.stack.services.contains_key(&replica.service) {
            faults.push(format!(
                "{} belongs to no service of the stack",
                replica.name
            ));
        }
    }
    Outcome::judge(&faults, counts.join(", ")).with(json!({ "running": counts }))
}
