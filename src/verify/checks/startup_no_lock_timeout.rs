//! `startup.no-lock-timeout`: nobody gave up waiting for the migration lock, nobody restarted.

use sysndd_protocol::Event;

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "startup.no-lock-timeout",
    suite: Suite::Startup,
    requirements: &["DEPLOY-03"],
    expected: "no replica failed in its migration step and none was restarted by the engine",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let mut faults = Vec::new();
    for evidence in &context.evidence.replicas {
        let name = &evidence.replica.name;
        for event in &evidence.events {
            if let Event::MigrationFailed { message, .. } = &event.event {
                faults.push(format!("{name}: {message}"));
            }
        }
        if evidence.replica.restart_count > 0 {
            faults.push(format!(
                "{name} was restarted {} times",
                evidence.replica.restart_count
            ));
        }
    }
    Outcome::judge(&faults, "no time-out and no restart")
}
