//! `migration.single-applier`: of all replicas that started, exactly one migrated. Two witnesses are
//! heard, the replicas' own events and the ledger, and they must agree.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sysndd_migrator::LedgerRow;
use sysndd_protocol::{Event, StartupEvent};

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "migration.single-applier",
    suite: Suite::Migration,
    requirements: &["TEST-04", "MIGRATE-02", "DEPLOY-03", "MIGR-04"],
    expected: "each pass over the migrations has one applier (or a hand-over shown by migration.resumed), and events and ledger name the same one",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

/// One replica as a witness.
struct Witness<'a> {
    /// What it calls itself, in its events and in the ledger.
    name: &'a str,
    events: &'a [StartupEvent],
    /// Whether its log is complete: only then its silence means something.
    complete: bool,
}

impl Witness<'_> {
    /// Whether its log reaches back to when the row was written: a container that took the place
    /// of another under the same name knows nothing of what that one did.
    fn remembers(&self, row: &LedgerRow) -> bool {
        let begin = self.events.iter().map(|event| event.ts).min();
        self.complete
            && begin
                .zip(row.applied_at)
                .is_none_or(|(begin, applied)| begin <= applied)
    }
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Found {
    /// Applier of each file by the events.
    by_events: BTreeMap<String, BTreeSet<String>>,
    /// Applier of each file by the ledger.
    by_ledger: BTreeMap<String, String>,
    lock_acquired: usize,
    faults: Vec<String>,
}

fn check(context: &Context<'_>) -> Outcome {
    let Some(migrations) = &context.stack.migrations else {
        return Outcome::skip("the stack has no [migrations]");
    };
    let ledger = match context.ledger() {
        Ok(ledger) => ledger,
        Err(outcome) => return outcome,
    };
    let own_names: Vec<_> = context
        .evidence
        .of(&migrations.service)
        .map(|evidence| evidence.replica.own_name())
        .collect();
    let witnesses: Vec<Witness> = context
        .evidence
        .of(&migrations.service)
        .zip(&own_names)
        .map(|(evidence, name)| Witness {
            name: name.as_str(),
            events: &evidence.events,
            complete: evidence.has_log(),
        })
        .collect();
    let found = examine(&witnesses, &ledger.rows);
    let silent = witnesses.iter().filter(|witness| !witness.complete).count();
    let appliers: BTreeSet<&String> = found.by_ledger.values().collect();
    let appliers: Vec<&str> = appliers.into_iter().map(String::as_str).collect();
    let mut right = format!(
        "{} files, applied by {}, migration.lock_acquired {} times",
        found.by_ledger.len(),
        appliers.join(" and then "),
        found.lock_acquired
    );
    if silent > 0 {
        right.push_str(&format!(
            "; {silent} replicas have no log, the ledger decides for them"
        ));
    }
    Outcome::judge(&found.faults, right).with(&found)
}

fn examine(witnesses: &[Witness<'_>], rows: &[LedgerRow]) -> Found {
    let mut found = Found::default();
    let mut resumed: BTreeSet<(&str, u64)> = BTreeSet::new();
    let mut acquired: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for witness in witnesses {
        for event in witness.events {
            match &event.event {
                Event::MigrationApplied { file, .. } => {
                    found
                        .by_events
                        .entry(file.clone())
                        .or_default()
                        .insert(witness.name.to_owned());
                }
                Event::MigrationResumed { version, .. } => {
                    resumed.insert((witness.name, *version));
                }
                Event::MigrationLockAcquired { run_id, .. } => {
                    found.lock_acquired += 1;
                    let run = run_id.as_deref().unwrap_or("a pass without an id");
                    acquired.entry(run).or_default().push(witness.name);
                }
                _ => {}
            }
        }
    }
    for (file, appliers) in &found.by_events {
        if appliers.len() > 1 {
            let names: Vec<&str> = appliers.iter().map(String::as_str).collect();
            found
                .faults
                .push(format!("{file} was applied by {}", names.join(" and ")));
        }
    }
    for (run, names) in acquired {
        if names.len() > 1 {
            found.faults.push(format!(
                "the lock of pass {run} was acquired by {}",
                names.join(" and ")
            ));
        }
    }

    let mut passes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        let (Some(by), Some(run)) = (&row.applied_by, &row.run_id) else {
            continue;
        };
        found.by_ledger.insert(row.filename.clone(), by.clone());
        let handed_over = row
            .version
            .is_some_and(|version| resumed.contains(&(by.as_str(), version)));
        if !handed_over {
            passes.entry(run).or_default().insert(by);
        }
    }
    for (run, appliers) in passes {
        if appliers.len() > 1 {
            let names: Vec<&str> = appliers.into_iter().collect();
            found.faults.push(format!(
                "by the ledger, pass {run} was applied by {}",
                names.join(" and ")
            ));
        }
    }
    found.faults.extend(disagreements(witnesses, &found, rows));
    found
}

/// Where one witness says what the other denies.
fn disagreements(witnesses: &[Witness<'_>], found: &Found, rows: &[LedgerRow]) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, appliers) in &found.by_events {
        match found.by_ledger.get(file) {
            Some(by) if appliers.contains(by) => {}
            Some(by) => faults.push(format!(
                "{file}: events say {}, the ledger says {by}",
                appliers
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(" and ")
            )),
            None => faults.push(format!(
                "{file}: events say {}, the ledger does not have it",
                appliers
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(" and ")
            )),
        }
    }
    for row in rows {
        let (file, Some(by)) = (&row.filename, found.by_ledger.get(&row.filename)) else {
            continue;
        };
        let witness = witnesses
            .iter()
            .find(|witness| witness.name == by && witness.remembers(row));
        if witness.is_some() && !found.by_events.contains_key(file) {
            faults.push(format!(
                "{file}: the ledger says {by}, whose own log does not"
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use sysndd_protocol::{Level, ReplicaName};

    use super::*;

    fn said(replica: &str, events: &[Event]) -> (String, Vec<StartupEvent>) {
        let begin = Event::StartupBegin {
            pid: 1,
            uid: 1000,
            gid: 1000,
            version: "1".into(),
        };
        let events = std::iter::once(&begin)
            .chain(events)
            .map(|event| StartupEvent {
                ts: DateTime::from_timestamp(0, 0).unwrap(),
                level: Level::Info,
                replica: ReplicaName::new(replica),
                release: None,
                event: event.clone(),
            });
        (replica.to_owned(), events.collect())
    }

    fn applied(file: &str) -> Event {
        Event::MigrationApplied {
            version: 1,
            file: file.into(),
            statements: 1,
            duration_ms: 1,
        }
    }

    fn acquired() -> Event {
        Event::MigrationLockAcquired {
            waited_ms: 0,
            run_id: Some("run".into()),
        }
    }

    fn row(file: &str, by: &str) -> LedgerRow {
        serde_json::from_value(serde_json::json!({
            "filename": file, "version": 1, "checksum": null, "compat": null, "state": "applied",
            "applied_by": by, "run_id": "run", "release": null, "applied_at": null,
            "duration_ms": 1, "statements_done": 1, "statements_total": 1, "in_doubt": null,
            "before_hash": null, "done_hash": null, "error": null,
        }))
        .unwrap()
    }

    fn faults(said: &[(String, Vec<StartupEvent>)], rows: &[LedgerRow]) -> Vec<String> {
        let witnesses: Vec<Witness> = said
            .iter()
            .map(|(name, events)| Witness {
                name,
                events,
                complete: true,
            })
            .collect();
        examine(&witnesses, rows).faults
    }

    #[test]
    fn one_applier_that_both_witnesses_name_is_right() {
        let said = [said("a", &[acquired(), applied("001.sql")]), said("b", &[])];
        assert_eq!(faults(&said, &[row("001.sql", "a")]), Vec::<String>::new());
    }

    #[test]
    fn two_that_say_they_applied_one_file_are_named() {
        let said = [
            said("a", &[applied("001.sql")]),
            said("b", &[applied("001.sql")]),
        ];
        assert_eq!(
            faults(&said, &[row("001.sql", "a")]),
            ["001.sql was applied by a and b"]
        );
    }

    #[test]
    fn two_that_acquired_the_lock_of_one_pass_are_named() {
        let said = [
            said("a", &[acquired(), applied("001.sql")]),
            said("b", &[acquired()]),
        ];
        assert_eq!(
            faults(&said, &[row("001.sql", "a")]),
            ["the lock of pass run was acquired by a and b"]
        );
    }

    #[test]
    fn a_ledger_that_names_another_applier_disagrees() {
        let said = [said("a", &[applied("001.sql")]), said("b", &[])];
        assert_eq!(
            faults(&said, &[row("001.sql", "b")]),
            ["001.sql: events say a, the ledger says b"]
        );
    }

    #[test]
    fn a_ledger_that_names_a_replica_which_knows_nothing_of_it_disagrees() {
        let said = [said("a", &[]), said("b", &[])];
        assert_eq!(
            faults(&said, &[row("001.sql", "b")]),
            ["001.sql: the ledger says b, whose own log does not"]
        );
    }

    #[test]
    fn a_replica_that_took_an_appliers_place_later_is_no_witness() {
        let said = [said("a", &[]), said("b", &[])];
        let mut row = row("001.sql", "b");
        row.applied_at = DateTime::from_timestamp(-1, 0);
        assert_eq!(faults(&said, &[row.clone()]), Vec::<String>::new());
        row.applied_at = DateTime::from_timestamp(1, 0);
        assert_eq!(faults(&said, &[row]).len(), 1);
    }

    #[test]
    fn two_appliers_in_one_pass_by_the_ledger_are_named() {
        let rows = [row("001.sql", "gone-1"), row("002.sql", "gone-2")];
        assert_eq!(
            faults(&[], &rows),
            ["by the ledger, pass run was applied by gone-1 and gone-2"]
        );
    }

    #[test]
    fn a_resumed_file_is_a_hand_over() {
        let resumed = Event::MigrationResumed {
            version: 1,
            from_statement: 2,
        };
        let said = [said("a", &[]), said("b", &[resumed, applied("002.sql")])];
        let mut other = row("001.sql", "gone");
        other.version = Some(7);
        assert_eq!(
            faults(&said, &[other, row("002.sql", "b")]),
            Vec::<String>::new()
        );
    }
}
