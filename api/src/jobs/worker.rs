//! One job, from its claim to its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::claim::{Claim, Kept};
use super::handler::Failure;
use super::turn::Turn;
use crate::db;
use crate::state::App;

/// How soon a job hears that it is to stop, at the latest.
const LOOK_FOR_CANCEL: Duration = Duration::from_secs(1);
/// Between two tries to write down how a job ended.
const SETTLE_AGAIN: Duration = Duration::from_millis(200);

/// Runs a job and writes down how it ended.
pub(super) async fn run(app: &Arc<App>, claim: Claim) {
    let (job_id, attempt) = (claim.job_id, claim.attempt);
    let span = tracing::info_span!("job", job_id, kind = claim.kind, attempt);
    run_inside(app, claim).instrument(span).await;
}

async fn run_inside(app: &Arc<App>, claim: Claim) {
    let began = Instant::now();
    let outcome = attend(app, &claim).await;
    settle(app, &claim, &outcome).await;
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &outcome {
        Ok(_) => tracing::info!(duration_ms, "the job succeeded"),
        Err(Failure::Cancelled) => tracing::info!(duration_ms, "the job was cancelled"),
        Err(Failure::HandBack) => tracing::info!(duration_ms, "the job was given back"),
        Err(Failure::Lost) => {
            tracing::warn!(duration_ms, "the job went to another worker meanwhile");
        }
        Err(Failure::Again { code, message } | Failure::Final { code, message }) => {
            tracing::warn!(duration_ms, code, error = message, "the job failed");
        }
    }
    app.metrics.job(&claim.kind, word(&outcome));
    app.jobs.ended(matches!(outcome, Err(Failure::HandBack)));
}

/// How an attempt ended, for those who count.
fn word(outcome: &Result<Value, Failure>) -> &'static str {
    match outcome {
        Ok(_) => "succeeded",
        Err(Failure::Cancelled) => "cancelled",
        Err(Failure::HandBack) => "given_back",
        Err(Failure::Lost) => "lost",
        Err(Failure::Again { .. } | Failure::Final { .. }) => "failed",
    }
}

/// Runs the handler for as long as the job is ours.
async fn attend(app: &Arc<App>, claim: &Claim) -> Result<Value, Failure> {
    let cancel = CancellationToken::new();
    let turn = Turn {
        job_id: claim.job_id,
        begun: claim.begun,
        fence: claim.fence,
        cancel: cancel.clone(),
        stopping: app.jobs.stopping.clone(),
        is_last: claim.attempt >= claim.max_attempts,
        db: app.db.clone(),
    };
    let payload = claim.payload.clone();
    let Some(work) = app
        .jobs
        .kinds
        .run(&claim.kind, Arc::clone(app), turn, payload)
    else {
        // Only known kinds are claimed.
        return Err(Failure::HandBack);
    };
    tokio::select! {
        // When both are over, what was done counts.
        biased;
        outcome = AssertUnwindSafe(work).catch_unwind() => {
            outcome.unwrap_or_else(|_| Err(Failure::again("panic", "the handler panicked; the log says where")))
        }
        () = keep(app, claim, &cancel) => Err(Failure::Lost),
        () = app.jobs.give_back.cancelled() => Err(Failure::HandBack),
    }
}

/// Prolongs the lease again and again; returns when it is lost.
async fn keep(app: &App, claim: &Claim, cancel: &CancellationToken) {
    let lease = app.jobs.config().lease;
    let every = LOOK_FOR_CANCEL.min(lease / 4);
    let mut kept_at = Instant::now();
    loop {
        tokio::time::sleep(every).await;
        let asked = Instant::now();
        let kept = async { claim.keep(&mut app.db.conn().await?, lease).await };
        let left = lease.saturating_sub(kept_at.elapsed());
        match tokio::time::timeout(left.min(lease / 2), kept).await {
            Ok(Ok(Kept::Lost)) => return,
            Ok(Ok(Kept::Ours)) => kept_at = asked,
            Ok(Ok(Kept::CancelRequested)) => {
                kept_at = asked;
                cancel.cancel();
            }
            Ok(Err(error)) => tracing::debug!(%error, "the lease could not be prolonged"),
            Err(_) => tracing::debug!("the database does not answer about the lease"),
        }
        // By now another worker may have it.
        if kept_at.elapsed() >= lease {
            return;
        }
    }
}

/// Writes down how a job ended, as long as the lease lasts. When that fails the job runs again.
async fn settle(app: &App, claim: &Claim, outcome: &Result<Value, Failure>) {
    let lease = app.jobs.config().lease;
    let write = async {
        loop {
            let written: Result<bool, db::Error> =
                async { claim.settle(&mut app.db.conn().await?, outcome).await }.await;
            match written {
                Ok(written) => return written,
                Err(error) => {
                    tracing::debug!(%error, "the end of a job could not be written; trying again");
                }
            }
            tokio::time::sleep(SETTLE_AGAIN).await;
        }
    };
    match tokio::time::timeout(lease, write).await {
        Ok(true) => {}
        Ok(false) if matches!(outcome, Err(Failure::Lost)) => {}
        Ok(false) => tracing::warn!("the job went to another worker before its end was written"),
        Err(_) => tracing::warn!("the end of a job could not be written; it will run again"),
    }
}
