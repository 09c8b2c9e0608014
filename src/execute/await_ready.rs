//! Waiting for a replica, driven by what happens: the engine says when it ends, the replica itself
//! says when it is ready.

use std::{fmt, time::Duration};

use futures::StreamExt as _;
use sysndd_protocol::ReplicaName;
use tokio::{
    sync::broadcast,
    time::{Instant, sleep},
};

use crate::{
    config::Service,
    docker::{ContainerEvent, Engine, EngineError, LogLine, LogQuery},
    observe::{Replica, inspect_replica},
    probe::{Prober, Readiness},
};

/// Between two probes of one replica.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Between two looks at a replica that soaks.
const SOAK_LOOK: Duration = Duration::from_millis(200);
/// A "die" may come before we listen; so the engine is asked now and then.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How much of a failing replica's output is shown.
const LAST_LINES: usize = 20;

/// A replica that did not become ready, with all that is needed to see why.
#[derive(Debug)]
pub(crate) struct ReplicaFailure {
    pub(crate) replica: ReplicaName,
    pub(crate) stage: Stage,
    pub(crate) reason: NotReady,
    /// What it last answered.
    pub(crate) last_answer: Option<String>,
    /// Its last output, oldest first.
    pub(crate) last_lines: Vec<LogLine>,
}

/// What was waited for when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Starting,
    /// It was ready and is watched for a while.
    Soaking,
}

/// How it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotReady {
    Ended {
        exit_code: Option<i64>,
        out_of_memory: bool,
    },
    TimedOut(Duration),
    /// It was ready, and then was not for two looks in a row.
    Relapsed,
    Engine(String),
}

impl fmt::Display for ReplicaFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.replica)?;
        let when = match self.stage {
            Stage::Starting => "before it was ready",
            Stage::Soaking => "soon after it was ready",
        };
        match &self.reason {
            NotReady::Ended {
                out_of_memory: true,
                ..
            } => write!(f, "ran out of memory {when}")?,
            NotReady::Ended {
                exit_code: Some(code),
                ..
            } => write!(f, "ended with exit code {code} {when}")?,
            NotReady::Ended {
                exit_code: None, ..
            } => write!(f, "ended {when}")?,
            NotReady::TimedOut(after) => write!(f, "was not ready within {}s", after.as_secs())?,
            NotReady::Relapsed => write!(f, "was ready and is not any more")?,
            NotReady::Engine(cause) => write!(f, "could not be watched: {cause}")?,
        }
        if let Some(answer) = &self.last_answer {
            write!(f, "\n  its last answer: {answer}")?;
        }
        if !self.last_lines.is_empty() {
            write!(f, "\n  its last output:")?;
            for line in &self.last_lines {
                write!(f, "\n  | {}", line.text)?;
            }
        }
        Ok(())
    }
}

/// One subscription to the engine's events for the whole run.
pub(crate) struct Watcher {
    events: broadcast::Sender<ContainerEvent>,
    pump: tokio::task::JoinHandle<()>,
}

impl Watcher {
    pub(crate) fn new(engine: &Engine, project: &str) -> Self {
        let (sender, _) = broadcast::channel(1024);
        let mut stream = Box::pin(engine.container_events(project));
        let events = sender.clone();
        let pump = tokio::spawn(async move {
            while let Some(event) = stream.next().await {
                // Nobody listening is fine.
                let _ = events.send(event);
            }
        });
        Self {
            events: sender,
            pump,
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// The replica as the engine has it now, without asking it anything.
pub(super) async fn look(engine: &Engine, replica: &ReplicaName) -> Result<Replica, EngineError> {
    inspect_replica(engine, replica).await
}

/// A replica that is waited for, with all that this takes.
pub(super) struct Awaited<'a> {
    pub(super) engine: &'a Engine,
    pub(super) prober: &'a Prober,
    pub(super) watcher: &'a Watcher,
    pub(super) service: &'a Service,
    pub(super) replica: &'a ReplicaName,
}

impl Awaited<'_> {
    /// Returns when the replica is ready; fails when it ends, or when `limit` is over.
    pub(super) async fn ready(&self, limit: Duration) -> Result<(), ReplicaFailure> {
        let mut last_answer = None;
        match self.becomes_ready(limit, &mut last_answer).await {
            Ok(()) => Ok(()),
            Err(reason) => Err(self.failure(Stage::Starting, reason, last_answer).await),
        }
    }

    /// Returns when the replica stayed ready for `soak`; fails when it ends, is restarted, or is not
    /// ready twice in a row.
    pub(super) async fn stable(&self, soak: Duration) -> Result<(), ReplicaFailure> {
        let mut last_answer = None;
        match self.stays_ready(soak, &mut last_answer).await {
            Ok(()) => Ok(()),
            Err(reason) => Err(self.failure(Stage::Soaking, reason, last_answer).await),
        }
    }

    async fn becomes_ready(
        &self,
        limit: Duration,
        last_answer: &mut Option<String>,
    ) -> Result<(), NotReady> {
        let deadline = Instant::now() + limit;
        let mut events = self.watcher.events.subscribe();
        let mut replica = self.alive().await?;
        let mut looked = Instant::now();
        loop {
            match self.prober.readiness(self.service, &replica).await {
                Readiness::Ready | Readiness::Unknown => return Ok(()),
                Readiness::NotReady(reason) => *last_answer = Some(reason),
            }
            if Instant::now() >= deadline {
                return Err(NotReady::TimedOut(limit));
            }
            if looked.elapsed() >= LOOK_AGAIN {
                replica = self.alive().await?;
                looked = Instant::now();
            }
            tokio::select! {
                () = sleep(ASK_AGAIN) => {}
                exit_code = died(&mut events, self.replica) => {
                    // The engine may restart it, but a replica that falls over at its start is not
                    // ready.
                    return Err(self.ended(exit_code).await);
                }
            }
        }
    }

    async fn stays_ready(
        &self,
        soak: Duration,
        last_answer: &mut Option<String>,
    ) -> Result<(), NotReady> {
        let deadline = Instant::now() + soak;
        let mut events = self.watcher.events.subscribe();
        let first = self.alive().await?;
        let mut misses = 0;
        loop {
            let over = Instant::now() >= deadline;
            match self.prober.readiness(self.service, &first).await {
                Readiness::Ready | Readiness::Unknown => misses = 0,
                Readiness::NotReady(reason) => {
                    *last_answer = Some(reason);
                    misses += 1;
                }
            }
            if over && misses == 0 {
                // The engine may have restarted it between two looks.
                let last = self.alive().await?;
                if last.started_at == first.started_at {
                    return Ok(());
                }
                return Err(self.ended(None).await);
            }
            // One that does not answer any more may be about to end, and then that is the cause.
            let pause = if misses > 1 {
                LOOK_AGAIN
            } else {
                SOAK_LOOK.min(soak)
            };
            tokio::select! {
                () = sleep(pause) => {}
                exit_code = died(&mut events, self.replica) => return Err(self.ended(exit_code).await),
            }
            if misses > 1 {
                self.alive().await?;
                return Err(NotReady::Relapsed);
            }
        }
    }

    /// The replica, if it runs and has not been restarted since its start.
    async fn alive(&self) -> Result<Replica, NotReady> {
        let replica = look(self.engine, self.replica)
            .await
            .map_err(|error| NotReady::Engine(error.to_string()))?;
        if replica.is_running() {
            return Ok(replica);
        }
        Err(NotReady::Ended {
            exit_code: replica.exit_code,
            out_of_memory: replica.oom_killed,
        })
    }

    /// How it ended. A restarted one has no exit code any more: the event's is the right one.
    async fn ended(&self, exit_code: Option<i64>) -> NotReady {
        let ended = look(self.engine, self.replica).await.ok();
        NotReady::Ended {
            exit_code: exit_code.or(ended.as_ref().and_then(|replica| replica.exit_code)),
            out_of_memory: ended.is_some_and(|replica| replica.oom_killed),
        }
    }

    async fn failure(
        &self,
        stage: Stage,
        reason: NotReady,
        last_answer: Option<String>,
    ) -> ReplicaFailure {
        let query = LogQuery {
            tail: Some(LAST_LINES),
            ..LogQuery::default()
        };
        let last_lines = self
            .engine
            .logs(self.replica.as_str(), query)
            .filter_map(|line| std::future::ready(line.ok()))
            .collect()
            .await;
        ReplicaFailure {
            replica: self.replica.clone(),
            stage,
            reason,
            last_answer,
            last_lines,
        }
    }
}

/// Returns when the replica ends, with its exit code.
async fn died(events: &mut broadcast::Receiver<ContainerEvent>, name: &ReplicaName) -> Option<i64> {
    loop {
        match events.recv().await {
            Ok(event) if event.container == name.as_str() && event.action == "die" => {
                return event.exit_code;
            }
            // Too slow to hear all: the regular look finds out.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
