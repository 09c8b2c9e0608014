//! The end of the process: which signal asked for it, and how requests in flight and running jobs are let
//! finish.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sysndd_protocol::Event;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Server;
use crate::state::App;
use crate::telemetry::Events;

/// How long the database may take to hear our farewell.
const FAREWELL: Duration = Duration::from_millis(500);

/// The signals that end this process.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on signals are heard. Process 1 of a container has no default actions: before
    /// this, SIGTERM is lost.
    pub(crate) fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and answers its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The running server.
pub(crate) struct Running {
    pub(crate) server: JoinHandle<std::io::Result<()>>,
    pub(crate) close: CancellationToken,
}

/// The part of the grace period that is kept for giving running jobs back to the queue.
const HAND_BACK: Duration = Duration::from_secs(2);

/// Turns readiness off, stops accepting, lets requests in flight, running jobs and what else is
/// `unfinished` end within the grace period; jobs that do not are given back. A second signal ends the wait.
pub(crate) async fn drain(
    app: &Arc<App>,
    events: &Events,
    config: &Server,
    signals: &mut Signals,
    running: Running,
    unfinished: impl Future<Output = ()>,
    reason: &'static str,
) -> anyhow::Result<()> {
    let began = Instant::now();
    app.lifecycle.draining();
    events.info(Event::ShutdownBegin {
        reason: reason.to_owned(),
    });

    let requests = async {
        tokio::time::sleep(config.drain_delay).await;
        running.close.cancel();
        running.server.await
    };
    let hand_back = HAND_BACK.min(config.grace / 2);
    let jobs = app.jobs.drain(config.grace.saturating_sub(hand_back));
    let ended = tokio::select! {
        (ended, (), jobs) = async { tokio::join!(requests, unfinished, jobs) } => {
            ended??;
            Ok(jobs)
        }
        () = tokio::time::sleep(config.grace) => Err(format!("the grace period of {:?} is over", config.grace)),
        again = signals.next() => Err(format!("{again} came again")),
    };
    let jobs = match ended {
        Ok(jobs) => jobs,
        Err(why) => return Err(cut_short(app, events, &why).await),
    };
    // Politeness only: without it the server logs aborted connections.
    let _ = tokio::time::timeout(FAREWELL, app.db.close()).await;
    events.info(Event::ShutdownDrained {
        requests: app.lifecycle.drained(),
        jobs,
        elapsed_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(())
}

/// What is left behind when there is no more time.
async fn cut_short(app: &App, events: &Events, why: &str) -> anyhow::Error {
    app.jobs.hand_back().await;
    let requests = app.lifecycle.in_flight();
    let migration = if events.applying() {
        " and a migration that the next start has to carry on"
    } else {
        ""
    };
    anyhow::anyhow!("{why}: leaving {requests} requests unanswered{migration}")
}
