//! `health.shape`: every replica's health report has all that the protocol names, and speaks of
//! itself.

use sysndd_protocol::{DatabaseStatus, HealthReport, ReadyStatus, SmtpStatus};

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "health.shape",
    suite: Suite::Health,
    requirements: &["PROD-03", "MIGRATE-03", "MIGR-06", "PD-2.1"],
    expected: "200 with a complete health report in which database, migrations and data directory are right",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let Some(migrations) = &context.stack.migrations else {
        return Outcome::skip("the stack has no [migrations], whose service speaks the protocol");
    };
    let (mut faults, mut right) = (Vec::new(), 0);
    for evidence in context.evidence.of(&migrations.service) {
        let name = &evidence.replica.name;
        let answer = match &evidence.health {
            None => {
                faults.push(format!("{name} does not run, or has no HTTP probe"));
                continue;
            }
            Some(Err(cause)) => {
                faults.push(format!("{name}: {cause}"));
                continue;
            }
            Some(Ok(answer)) => answer,
        };
        if answer.status != 200 {
            faults.push(format!("{name} answers {}", answer.status));
        }
        match &answer.report {
            Err(cause) => faults.push(format!("{name}: its answer is no health report: {cause}")),
            Ok(report) => {
                if report.replica != evidence.replica.own_name() {
                    faults.push(format!("{name} calls itself {}", report.replica));
                }
                faults.extend(judge(report).map(|fault| format!("{name} {fault}")));
                right += 1;
            }
        }
    }
    if right == 0 && faults.is_empty() {
        faults.push(format!("no replica of {} is there", migrations.service));
    }
    Outcome::judge(&faults, format!("{right} complete reports"))
}

/// What a report of a replica that calls itself ready lacks, or what in it says that it is not.
fn judge(report: &HealthReport) -> impl Iterator<Item = &'static str> {
    let smtp = &report.smtp;
    [
        (
            report.status != ReadyStatus::Ready,
            "answers 200 and says that it is not ready",
        ),
        (
            report.database.status != DatabaseStatus::Up,
            "is ready without its database",
        ),
        (
            report.database.latency_ms.is_none(),
            "does not say how fast the database answers",
        ),
        (
            report.migrations.pending != Some(0),
            "is ready with migrations that are not applied",
        ),
        (
            report.migrations.startup.is_none(),
            "does not say how it came to its schema",
        ),
        (
            !report.data_dir.writable,
            "is ready and cannot write to its data directory",
        ),
        (
            smtp.status == SmtpStatus::Up && smtp.latency_ms.is_none(),
            "does not say how fast the mail server answers",
        ),
        (
            smtp.status == SmtpStatus::Down && smtp.reason.is_none(),
            "does not say why the mail server is down",
        ),
    ]
    .into_iter()
    .filter_map(|(wrong, fault)| wrong.then_some(fault))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Of a replica in order, but for the value at this place.
    fn faults(place: &str, value: Value) -> Vec<&'static str> {
        let mut report = json!({
            "status": "ready", "replica": "p-api-r1-1", "release": null, "version": "1.0.0",
            "started_at": "2026-01-01T00:00:00Z",
            "database": {
                "status": "up", "latency_ms": 0.5, "tls": true,
                "pool": { "max": 8, "in_use": 0, "idle": 1 },
            },
            "migrations": {
                "head": "001_a.sql", "applied": 1, "pending": 0, "ahead": 0,
                "startup": {
                    "path": "applied", "lock_acquired": true, "lock_waited_ms": 0, "applied": 1,
                    "duration_ms": 5,
                },
                "lock": { "held": false, "holder": null },
            },
            "workers": { "configured": 1, "busy": 0, "queued": 0, "oldest_queued_s": 0 },
            "smtp": { "status": "up", "latency_ms": 1.5 },
            "storage": { "backend": "fs", "status": "up" },
            "data_dir": { "writable": true },
        });
        if !place.is_empty() {
            let place = report.pointer_mut(place);
            *place.expect("it is there") = value;
        }
        let report: HealthReport = serde_json::from_value(report).expect("a health report");
        judge(&report).collect()
    }

    #[test]
    fn a_replica_in_order_has_no_faults() {
        assert_eq!(faults("", Value::Null), [""; 0]);
    }

    #[test]
    fn each_lie_is_found() {
        let nothing = Value::Null;
        for (place, value, said) in [
            ("/status", json!("draining"), "it is not ready"),
            ("/database/status", json!("down"), "without its database"),
            (
                "/database/latency_ms",
                nothing.clone(),
                "the database answers",
            ),
            ("/migrations/pending", json!(1), "not applied"),
            ("/migrations/pending", nothing.clone(), "not applied"),
            ("/migrations/startup", nothing.clone(), "came to its schema"),
            ("/data_dir/writable", json!(false), "cannot write"),
            (
                "/smtp/latency_ms",
                nothing.clone(),
                "the mail server answers",
            ),
            ("/smtp/status", json!("down"), "why the mail server"),
        ] {
            let found = faults(place, value);
            assert!(
                found.len() == 1 && found[0].contains(said),
                "{place}: {found:?}"
            );
        }
    }
}
