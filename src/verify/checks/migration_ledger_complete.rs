//! `migration.ledger-complete`: nothing is pending, nothing is half done, and every replica sees
//! the same.

use sysndd_migrator::State;

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "migration.ledger-complete",
    suite: Suite::Migration,
    requirements: &["MIGR-01", "MIGR-02", "MIGR-06", "MIGRATE-03"],
    expected: "the ledger has every file as applied, and each replica reports 0 pending",
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
    let mut faults: Vec<String> = ledger
        .rows
        .iter()
        .filter(|row| !matches!(row.state, State::Applied | State::Adopted))
        .map(|row| format!("{} is {}", row.filename, row.state.as_str()))
        .collect();
    let mut asked = 0;
    for evidence in context.evidence.of(&migrations.service) {
        let name = &evidence.replica.name;
        let report = match &evidence.health {
            Some(Ok(answer)) => answer.report.as_ref().map_err(String::clone),
            Some(Err(cause)) => Err(cause.clone()),
            None => Err("it was not asked".to_owned()),
        };
        match report.map(|report| &report.migrations) {
            Err(cause) => faults.push(format!("{name}: no health report: {cause}")),
            Ok(seen) => {
                asked += 1;
                match (seen.pending, seen.applied) {
                    (Some(0), Some(_)) => {}
                    (Some(pending), _) => faults.push(format!("{name} reports {pending} pending")),
                    (None, _) => faults.push(format!("{name} cannot read the ledger")),
                }
            }
        }
    }
    if ledger.rows.is_empty() {
        faults.push("the ledger is empty".into());
    }
    Outcome::judge(
        &faults,
        format!(
            "{} files applied, {asked} replicas report 0 pending",
            ledger.rows.len()
        ),
    )
    .with(&ledger.rows)
}
