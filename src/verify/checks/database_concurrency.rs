//! `database.concurrency`: every replica answers many requests at once, more than it has
//! connections.

use std::time::{Duration, Instant};

use futures::future;
use serde_json::json;

use crate::{
    observe::Replica,
    probe::{PROBE_TIMEOUT, Request, Way},
    verify::{Check, Context, Outcome, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "database.concurrency",
    suite: Suite::Database,
    requirements: &["PROD-02", "PD-7.1"],
    expected: "verify.database.parallel requests at once to every replica are all answered 2xx within verify.database.within, at one of three goes",
    strains: true,
    run: |context| Box::pin(check(context)),
};

/// Through the engine each request is a process of its own.
const INSIDE: u32 = 2;
/// Pools that have yet to grow, or a machine that is busy with something else, are no fault: those
/// are over at the next go.
const GOES: u32 = 3;

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
    if replicas.is_empty() {
        return Outcome::fail(format!("no replica of {} is there", migrations.service));
    }
    let mut goes = 0;
    let answers = loop {
        goes += 1;
        let answers = ask_all(context, &replicas, parallel, path, database.within).await;
        if answers.faults.is_empty() || goes == GOES {
            break answers;
        }
    };
    let Answers {
        count,
        slowest,
        faults,
    } = answers;
    let slowest = slowest.as_millis();
    let go = if goes == 1 {
        String::new()
    } else {
        format!(", at go {goes}")
    };
    Outcome::judge(
        &faults,
        format!(
            "{count} requests at once to {} replicas, the slowest answer after {slowest} ms{go}",
            replicas.len()
        ),
    )
    .with(json!({ "requests": count, "slowest_ms": slowest, "goes": goes }))
}

/// What came of one go.
struct Answers {
    count: usize,
    slowest: Duration,
    faults: Vec<String>,
}

async fn ask_all(
    context: &Context<'_>,
    replicas: &[&Replica],
    parallel: u32,
    path: &str,
    within: Duration,
) -> Answers {
    let request = Request::get(path).within(PROBE_TIMEOUT);
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
                Ok(_) if took > within => {
                    Some(format!("{} took {} ms", replica.name, took.as_millis()))
                }
                Ok(_) => None,
            };
            (fault, took)
        })
    });
    let answers = future::join_all(asked).await;
    let slowest = answers.iter().map(|(_, took)| *took).max();
    let count = answers.len();
    let mut faults: Vec<String> = answers.into_iter().filter_map(|(fault, _)| fault).collect();
    // Each replica's once.
    faults.dedup();
    Answers {
        count,
        slowest: slowest.unwrap_or_default(),
        faults,
    }
}
