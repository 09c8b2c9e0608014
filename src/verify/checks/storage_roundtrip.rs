//! `storage.roundtrip`: every replica wrote something to the object storage, and got it back.

use sysndd_protocol::StorageStatus;

use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "storage.roundtrip",
    suite: Suite::Storage,
    requirements: &["PD-2.1", "PD-5.4"],
    expected: "what every replica last wrote to the object storage, or to the data directory in its place, came back to it",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let Some(migrations) = &context.stack.migrations else {
        return Outcome::skip("the stack has no [migrations], whose service speaks the protocol");
    };
    let (mut faults, mut right) = (Vec::new(), 0);
    let mut slowest: f64 = 0.0;
    let mut missing = 0;
    for evidence in context.evidence.of(&migrations.service) {
        let name = &evidence.replica.name;
        let report = match &evidence.health {
            Some(Ok(answer)) => answer.report.as_ref().map_err(ToString::to_string),
            Some(Err(cause)) => Err(cause.clone()),
            None => Err("it does not run, or has no HTTP probe".to_owned()),
        };
        match report {
            Err(cause) => faults.push(format!("{name}: {cause}")),
            Ok(report) => match report.storage.status {
                StorageStatus::Up => {
                    right += 1;
                    slowest = slowest.max(report.storage.latency_ms.unwrap_or_default());
                    missing = missing.max(report.storage.copies_missing.unwrap_or_default());
                }
                StorageStatus::Down => faults.push(format!(
                    "{name}: its {} storage does not give back what is written to it; its log says why",
                    report.storage.backend
                )),
                StorageStatus::Unknown => faults.push(format!(
                    "{name} has not tried its {} storage yet; ask again in a moment",
                    report.storage.backend
                )),
            },
        }
    }
    if right == 0 && faults.is_empty() {
        faults.push(format!("no replica of {} is there", migrations.service));
    }
    // One that was just made has none for a moment, so this is said and no fault.
    let copies = match missing {
        0 => String::new(),
        1 => "; 1 backup has no copy there yet".to_owned(),
        many => format!("; {many} backups have no copy there yet"),
    };
    Outcome::judge(
        &faults,
        format!("{right} replicas, the slowest within {slowest:.1} ms{copies}"),
    )
}
