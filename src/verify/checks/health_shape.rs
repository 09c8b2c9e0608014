//! `health.shape`: every replica's health report has all that the protocol names, and speaks of
//! itself.

use sysndd_protocol::SmtpStatus;

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "health.shape",
    suite: Suite::Health,
    requirements: &["PROD-03", "MIGRATE-03", "MIGR-06", "PD-2.1"],
    expected: "200 with a complete health report in which database, migrations and data directory are right",
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
                if report.migrations.startup.is_none() {
                    faults.push(format!("{name} does not say how it came to its schema"));
                }
                if report.database.latency_ms.is_none() {
                    faults.push(format!("{name} does not say how fast the database answers"));
                }
                match (
                    report.smtp.status,
                    report.smtp.latency_ms,
                    &report.smtp.reason,
                ) {
                    (SmtpStatus::Up, None, _) => {
                        faults.push(format!(
                            "{name} does not say how fast the mail server answers"
                        ));
                    }
                    (SmtpStatus::Down, _, None) => {
                        faults.push(format!("{name} does not say why the mail server is down"));
                    }
                    _ => {}
                }
                right += 1;
            }
        }
    }
    if right == 0 && faults.is_empty() {
        faults.push(format!("no replica of {} is there", migrations.service));
    }
    Outcome::judge(&faults, format!("{right} complete reports"))
}
