//! `data.writable`: every replica says that its user can write to the data directory.

use crate::config::Migrations;
use crate::verify::{Check, Context, Outcome, Suite};

pub(super) const CHECK: Check = Check {
    id: "data.writable",
    suite: Suite::Data,
    requirements: &["DEPLOY-01"],
    expected: "every replica reports a writable data directory, tried at the moment of asking",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

fn check(context: &Context<'_>) -> Outcome {
    let Some(data) = &context.stack.verify.data else {
        return Outcome::skip("the stack has no [verify.data]");
    };
    let speaks = |migrations: &Migrations| migrations.service == data.service;
    if !context.stack.migrations.as_ref().is_some_and(speaks) {
        return Outcome::skip("its service has no health report; data.shared tries it");
    }
    let (mut faults, mut right) = (Vec::new(), 0);
    for evidence in context.evidence.of(&data.service) {
        let name = &evidence.replica.name;
        match &evidence.health {
            Some(Ok(answer)) => match &answer.report {
                Ok(report) if report.data_dir.writable => right += 1,
                Ok(_) => faults.push(format!("{name} cannot write to {}", data.path)),
                Err(cause) => faults.push(format!("{name}: no health report: {cause}")),
            },
            Some(Err(cause)) => faults.push(format!("{name}: {cause}")),
            None => faults.push(format!("{name} does not run, or has no HTTP probe")),
        }
    }
    if right == 0 && faults.is_empty() {
        faults.push(format!("no replica of {} is there", data.service));
    }
    Outcome::judge(&faults, format!("{right} replicas write to {}", data.path))
}
