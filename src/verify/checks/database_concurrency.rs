//! `database.concurrency`: every replica answers many requests at once, more than it has
//! connections.

use std::time::Instant;

use futures::future;
use serde_json::json;

use crate::{
    probe::{Request, Way},
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "database.concurrency",
    suite: Suite::Database,
    requirements: &["PROD-02", "PD-7.1"],
    expected: "verify.database.parallel requests at once to every replica are all answered 2xx within verify.database.within",
    run: |context| Box::pin(check(context)),
};

/// Through the engine each request is a process of its own.
const INSIDE: u32 = 2;

async fn check(context: &Context<'_>) -> Outcome {
    let database = context.stack.verify.database.as_ref();
    let (Some(database), Some(migrations)) = (database, &context.stack.migrations) else {
        return Outcome::skip("the stack has no [verify.database], or no [migrations]");
    };
    let Some(path) = &database.path else {
        return Outcome::skip("[verify.database] has no path");
    };
    let parallel = match context.prober.way() {
        Way::Inside => database.parallel.min(INSIDE),
        Way::Direct | Way::Undecided => database.parallel,
    };
    let replicas: Vec<_> = context
        .evidence
        .observed
        .replicas_of(&migrations.service)
        .collect();
    let request = Request::get(path);
    let asked = replicas.iter().flat_map(|replica| {
        (0..parallel).map(|_| async {
            let began = Instant::now();
            let answer = context.ask(replica, &request).await;
            let took = began.elapsed();
            let fault = match answer {
                Err(cause) => Some(format!("{}: {cause}", replica.name)),
                Ok(answer) if !(200..300).contains(&answer.status) => {
                    Some(format!("{} answers {}", replica.name, answer.status))
                }
                Ok(_) if took > database.within => {
                    Some(format!("{} took {} ms", replica.name, took.as_millis()))
                }
                Ok(_) => None,
            };
            (fault, took)
        })
    });
    let answers = future::join_all(asked).await;
    let slowest = answers.iter().map(|(_, took)| *took).max();
    let slowest = slowest.unwrap_or_default().as_millis();
    let count = answers.len();
    let mut faults: Vec<String> = answers.into_iter().filter_map(|(fault, _)| fault).collect();
    // Each replica's once.
    faults.dedup();
    if replicas.is_empty() {
        faults.push(format!("no replica of {} is there", migrations.service));
    }
    Outcome::judge(
        &faults,
        format!(
            "{count} requests at once to {} replicas, the slowest answer after {slowest} ms",
            replicas.len()
        ),
    )
    .with(json!({ "requests": count, "slowest_ms": slowest }))
}
