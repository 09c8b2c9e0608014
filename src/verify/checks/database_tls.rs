//! `database.tls`: what replicas and database say to each other cannot be overheard.

use crate::verify::{Check, Context, Outcome, ReplicaEvidence, Suite};

pub(super) const CHECK: Check = Check {
    id: "database.tls",
    suite: Suite::Database,
    requirements: &["PD-3.4"],
    expected: "every replica's connection to the database is encrypted",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let database = context.stack.verify.database.as_ref();
    if !database.is_some_and(|database| database.tls) {
        return Outcome::skip("the stack does not ask for it: [verify.database] has no tls = true");
    }
    let Some(migrations) = &context.stack.migrations else {
        return Outcome::skip("the stack has no [migrations], whose service speaks the protocol");
    };
    let by_compose = |evidence: &ReplicaEvidence| evidence.replica.is_of_compose();
    if context.evidence.of(&migrations.service).any(by_compose) {
        return Outcome::skip("Compose brought it up, which makes no certificates");
    }
    let (mut faults, mut right) = (Vec::new(), 0);
    for evidence in context.evidence.of(&migrations.service) {
        let name = &evidence.replica.name;
        match evidence.report() {
            None => faults.push(format!("{name} does not say how it is connected")),
            Some(report) if !report.database.tls => {
                faults.push(format!("{name} is connected without encryption"));
            }
            Some(_) => right += 1,
        }
    }
    if right == 0 && faults.is_empty() {
        faults.push(format!("no replica of {} is there", migrations.service));
    }
    Outcome::judge(&faults, format!("{right} replicas are connected by TLS"))
}
