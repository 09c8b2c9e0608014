//! `migration.fast-path`: a replica that starts on an up-to-date schema never asks for the lock.

use chrono::{DateTime, Utc};
use sysndd_protocol::{Event, StartupEvent};

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "migration.fast-path",
    suite: Suite::Migration,
    requirements: &["MIGRATE-01", "MIGR-03"],
    expected: "every replica that started after the last file was applied took the fast path, without the lock",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let Some(migrations) = &context.stack.migrations else {
        return Outcome::skip("the stack has no [migrations]");
    };
    let ledger = match context.ledger() {
        Ok(ledger) => ledger,
        Err(outcome) => return outcome,
    };
    // By the replicas' own clock: that of the database may differ.
    let events = context
        .evidence
        .replicas
        .iter()
        .flat_map(|evidence| &evidence.events);
    let by_events = events
        .filter(|event| matches!(event.event, Event::MigrationComplete { .. }))
        .map(|event| event.ts)
        .max();
    let complete = by_events.or_else(|| ledger.rows.iter().filter_map(|row| row.applied_at).max());
    let Some(complete) = complete else {
        return Outcome::skip("nothing was ever applied");
    };

    let (mut faults, mut proven) = (Vec::new(), 0);
    for evidence in context.evidence.of(&migrations.service) {
        match judge(evidence.current_life(), complete) {
            None => {}
            Some(true) => proven += 1,
            Some(false) => faults.push(format!(
                "{} did not take the fast path",
                evidence.replica.name
            )),
        }
    }
    if proven == 0 && faults.is_empty() {
        return Outcome::skip(
            "no replica has started since the last file was applied; `verify --fresh` starts one",
        );
    }
    Outcome::judge(
        &faults,
        format!("{proven} replicas started on an up-to-date schema, none took the lock"),
    )
}

/// `None` when this life began before the schema was complete, or did not come that far.
fn judge(life: &[StartupEvent], complete: DateTime<Utc>) -> Option<bool> {
    let begin = life.first().filter(|event| event.ts > complete)?;
    debug_assert!(matches!(begin.event, Event::StartupBegin { .. }));
    let any = |wanted: fn(&Event) -> bool| life.iter().any(|event| wanted(&event.event));
    let fast = any(|event| matches!(event, Event::MigrationFastPath { .. }));
    let locked = any(|event| {
        matches!(
            event,
            Event::MigrationLockAcquired { .. }
                | Event::MigrationObserved {
                    lock_taken: true,
                    ..
                }
        )
    });
    let ready = any(|event| matches!(event, Event::StartupReady { .. }));
    (fast || locked || ready).then_some(fast && !locked)
}
