//! The published address, as a browser sees it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

/// One request over a connection of its own.
pub(crate) async fn get(url: &str) -> Result<reqwest::Response, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_mins(1))
        .pool_max_idle_per_host(0)
        .build()?
        .get(url)
        .send()
        .await
}

/// The replica that answered.
async fn one(base: &str) -> Result<String, String> {
    let answer = get(&format!("{base}/api/health/ready"))
        .await
        .map_err(|error| format!("{error:?}"))?;
    let status = answer.status();
    let report: Value = answer
        .json()
        .await
        .map_err(|error| format!("{status}: {error:?}"))?;
    match report["replica"].as_str() {
        Some(replica) if status == 200 => Ok(replica.to_owned()),
        _ => Err(format!("{status}: {report}")),
    }
}

/// Who answers, over so many requests; each must be answered.
pub(crate) async fn replicas_behind(base: &str, requests: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..requests {
        seen.insert(one(base).await.expect("the edge answers"));
    }
    seen
}

/// Sends requests without a pause until it is told to stop; the answer is how many were answered,
/// and the failures.
pub(crate) fn ask_each(
    base: &str,
    stop: Arc<AtomicBool>,
) -> tokio::task::JoinHandle<(usize, Vec<String>)> {
    let base = base.to_owned();
    tokio::spawn(async move {
        let (mut answered, mut failures) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            match one(&base).await {
                Ok(_) => answered += 1,
                Err(failure) => failures.push(failure),
            }
        }
        (answered, failures)
    })
}
