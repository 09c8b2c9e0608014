//! `migration.applied-once`: no file was applied twice, by anyone.

use std::collections::BTreeMap;

use sysndd_protocol::Event;

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "migration.applied-once",
    suite: Suite::Migration,
    requirements: &["MIGR-03", "TEST-04"],
    expected: "each migration file appears once in the ledger and in at most one migration.applied event",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let ledger = match context.ledger() {
        Ok(ledger) => ledger,
        Err(outcome) => return outcome,
    };
    let mut events: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for evidence in &context.evidence.replicas {
        for event in &evidence.events {
            if let Event::MigrationApplied { file, .. } = &event.event {
                events
                    .entry(file)
                    .or_default()
                    .push(evidence.replica.name.as_str());
            }
        }
    }
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &ledger.rows {
        *rows.entry(&row.filename).or_default() += 1;
    }
    let mut faults: Vec<String> = events
        .iter()
        .filter(|(_, by)| by.len() > 1)
        .map(|(file, by)| {
            format!(
                "{file} was applied {} times: by {}",
                by.len(),
                by.join(", ")
            )
        })
        .collect();
    faults.extend(
        rows.iter()
            .filter(|(_, count)| **count > 1)
            .map(|(file, n)| format!("{file} has {n} rows")),
    );
    Outcome::judge(
        &faults,
        format!(
            "{} files, {} of them seen in logs",
            rows.len(),
            events.len()
        ),
    )
}
