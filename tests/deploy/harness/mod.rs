//! What every test here uses: a deployment that is taken away again, the program as a user calls
//! it, and a second way to look at the engine, which shares no code with the program.

mod call;
mod deployment;
mod edge;
mod engine;
mod load;
mod report;
mod second_engine;
mod sshd;
mod stack_file;

pub(crate) use call::{Answer, Call, program};
pub(crate) use deployment::Deployment;
pub(crate) use edge::{ask_each, get, replicas_behind};
pub(crate) use engine::{Engine, Image};
pub(crate) use load::Load;
pub(crate) use report::Report;
pub(crate) use second_engine::SecondEngine;
pub(crate) use sshd::{FAR, Sshd};
pub(crate) use stack_file::{StackFile, root};

use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything that a test waits for may take, builds apart; on a machine that others use as
/// well, too.
pub(crate) const DEADLINE: Duration = Duration::from_mins(3);

/// Asks again and again until there is an answer, or the deadline is over.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            began.elapsed() < DEADLINE,
            "{what} did not come about within {DEADLINE:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The page comes back by itself within this. Ten seconds are promised; a machine that others use as
/// well gets more.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// Until the right answer comes, and again half a second later: an old server may still end.
pub(crate) async fn is_back(what: &str, began: Instant, mut answers: impl AsyncFnMut() -> bool) {
    let mut since = None;
    eventually(what, async || {
        since = if answers().await {
            since.or_else(|| Some(Instant::now()))
        } else {
            None
        };
        (since?.elapsed() > Duration::from_millis(500)).then_some(())
    })
    .await;
    let took = since.expect("it is back") - began;
    assert!(took < BACK_WITHIN, "{what}: back after {took:?}");
}

/// Replicas of one service in the answer of `up` or `status`.
pub(crate) fn replicas<'a>(status: &'a Value, service: &str) -> &'a [Value] {
    status["services"]
        .as_array()
        .and_then(|services| services.iter().find(|found| found["name"] == service))
        .and_then(|found| found["replicas"].as_array())
        .unwrap_or_else(|| panic!("no replicas of {service} in {status:#}"))
}

/// One field of all replicas of a service, by number.
pub(crate) fn each(status: &Value, service: &str, field: &str) -> Vec<String> {
    replicas(status, service)
        .iter()
        .map(|replica| text(&replica[field]))
        .collect()
}

/// A string of a JSON document.
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not a string"))
        .to_owned()
}
