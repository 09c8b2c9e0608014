//! `security.no-secrets-in-logs`: what is logged can be shown to whoever keeps the logs.

use std::time::Duration;

use futures::future;

use crate::{
    config::VerifyCanary,
    observe::Replica,
    probe::{Body, Request},
    verify::{Check, Context, Outcome, Suite, logs, secrets::Secrets},
};

pub(super) const CHECK: Check = Check {
    id: "security.no-secrets-in-logs",
    suite: Suite::Security,
    requirements: &["PD-3.7", "PD-3.1"],
    expected: "no secret of the stack, and no password or token of a request, stands in a container's log",
    strains: false,
    run: |context| Box::pin(check(context)),
};

/// Signing in is made to cost; a busy machine is no leak.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

async fn check(context: &Context<'_>) -> Outcome {
    let mut secrets = Secrets::of(context.stack);
    let security = context.stack.verify.security.as_ref();
    let mut faults = Vec::new();
    if let Some(canary) = security.and_then(|security| security.canary.as_ref()) {
        let value = format!("canary-{:032x}", rand::random::<u128>());
        secrets.add("the password or token of a request", &value);
        faults.extend(plant(context, canary, &value).await);
    }
    let replicas = &context.evidence.observed.replicas;
    if secrets.len() == 0 || replicas.is_empty() {
        return Outcome::skip("there is no secret to look for, or no container");
    }
    let read = future::join_all(replicas.iter().map(|replica| {
        let start: Vec<(String, String)> = Vec::new();
        logs::fold(
            context.engine,
            &replica.container,
            start,
            |mut found, line| {
                let time = line.time.format("%H:%M:%S%.3f");
                for name in secrets.in_text(&line.text) {
                    // One line of each is enough to find the others.
                    if !found.iter().any(|(seen, _)| seen == name) {
                        found.push((name.to_owned(), time.to_string()));
                    }
                }
                found
            },
        )
    }));
    let mut lines = 0;
    for (replica, read) in replicas.iter().zip(read.await) {
        match read {
            Err(error) => faults.push(format!("{}: {error}", replica.name)),
            Ok((read, found)) => {
                lines += read;
                faults.extend(found.iter().map(|(name, time)| {
                    format!("{name} stands in the log of {} at {time}", replica.name)
                }));
            }
        }
    }
    Outcome::judge(
        &faults,
        format!(
            "{} secrets, in none of {lines} lines of {} containers",
            secrets.len(),
            replicas.len()
        ),
    )
}

/// Sends a secret that is none in all the places where requests have them: to each replica, since
/// the edge may refuse it, and through the edge. The answer is who did not answer.
async fn plant(context: &Context<'_>, canary: &VerifyCanary, value: &str) -> Vec<String> {
    let mark = format!("verify-{:016x}", rand::random::<u64>());
    let path = format!("{}?token={value}", canary.path);
    let body = canary.body.replace("{canary}", value);
    let request = Request::post(&path, Body::Json(body))
        .header("authorization", format!("Bearer {value}"))
        .header("x-request-id", mark.as_str())
        .within(TAKEN_WITHIN);
    let Some(edge) = &context.stack.edge else {
        return Vec::new();
    };
    let observed = &context.evidence.observed;
    let upstream: Vec<&Replica> = observed
        .replicas_of(&edge.upstream)
        .filter(|replica| replica.is_running())
        .collect();
    let asked = future::join_all(
        upstream
            .iter()
            .map(|replica| context.ask(replica, &request)),
    );
    let (asked, through) = future::join(asked, context.edge_send(&request)).await;
    let mut faults = Vec::new();
    for (replica, answer) in upstream.iter().zip(asked) {
        faults.extend(
            answer
                .err()
                .map(|cause| format!("{}: {cause}", replica.name)),
        );
    }
    faults.extend(through.err().map(|cause| format!("the edge: {cause}")));

    let edges = observed.replicas_of(&edge.service);
    let writers: Vec<&Replica> = upstream.into_iter().chain(edges).collect();
    // Those that do not log the id of a request are waited for in vain, and read all the same.
    logs::lines_with(context.engine, &writers, &mark, writers.len()).await;
    faults
}
