//! `security.non-root`: what runs in the containers is not root's, whatever their configuration
//! says.

use futures::future;

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "security.non-root",
    suite: Suite::Security,
    requirements: &["PD-1.3"],
    expected: "no process of a container of the stack is root's, services of verify.security.root apart",
    strains: false,
    run: |context| Box::pin(check(context)),
};

async fn check(context: &Context<'_>) -> Outcome {
    let Some(security) = &context.stack.verify.security else {
        return Outcome::skip("the stack has no [verify.security]");
    };
    let replicas: Vec<_> = context
        .evidence
        .observed
        .replicas
        .iter()
        .filter(|replica| replica.is_running() && !security.root.contains(&replica.service))
        .collect();
    if replicas.is_empty() {
        return Outcome::skip("nothing runs that must not be root's");
    }
    let owners = future::join_all(
        replicas
            .iter()
            .map(|replica| context.engine.process_owners(&replica.container)),
    );
    let (mut faults, mut processes) = (Vec::new(), 0);
    for (replica, owners) in replicas.iter().zip(owners.await) {
        match owners {
            Err(error) => faults.push(format!("{}: {error}", replica.name)),
            Ok(owners) => {
                processes += owners.len();
                let mut of_root = owners.iter().filter(|(uid, _)| *uid == 0);
                if owners.is_empty() {
                    faults.push(format!("{} has no process", replica.name));
                } else if let Some((_, program)) = of_root.next() {
                    faults.push(format!("{}: {program} runs as root", replica.name));
                }
            }
        }
    }
    Outcome::judge(
        &faults,
        format!(
            "{processes} processes in {} containers, none of them root's",
            replicas.len()
        ),
    )
}
