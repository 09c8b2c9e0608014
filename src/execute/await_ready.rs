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

/// Returns when the replica is ready; fails when it ends, or when `limit` is over.
pub(super) async fn await_ready(
    engine: &Engine,
    prober: &Prober,
    watcher: &Watcher,
    service: &Service,
    name: &ReplicaName,
    limit: Duration,
) -> Result<(), ReplicaFailure> {
    let mut last_answer = None;
    let waited = wait(
        engine,
        prober,
        watcher,
        service,
        name,
        limit,
        &mut last_answer,
    );
    match waited.await {
        Ok(()) => Ok(()),
        Err(reason) => Err(failure(engine, name, Stage::Starting, reason, last_answer).await),
    }
}

/// Returns when the replica stayed ready for `soak`; fails when it ends, is restarted, or is not
/// ready twice in a row.
pub(super) async fn await_stable(
    engine: &Engine,
    prober: &Prober,
    watcher: &Watcher,
    service: &Service,
    name: &ReplicaName,
    soak: Duration,
) -> Result<(), ReplicaFailure> {
    let mut last_answer = None;
    let watched = watch(
        engine,
        prober,
        watcher,
        service,
        name,
        soak,
        &mut last_answer,
    );
    match watched.await {
        Ok(()) => Ok(()),
        Err(reason) => Err(failure(engine, name, Stage::Soaking, reason, last_answer).await),
    }
}

async fn watch(
    engine: &Engine,
    prober: &Prober,
    watcher: &Watcher,
    service: &Service,
    name: &ReplicaName,
    soak: Duration,
    last_answer: &mut Option<String>,
) -> Result<(), NotReady> {
    let deadline = Instant::now() + soak;
    let mut events = watcher.events.subscribe();
    let first = alive(engine, name).await?;
    let mut misses = 0;
    loop {
        let over = Instant::now() >= deadline;
        match prober.readiness(service, &first).await {
            Readiness::Ready | Readiness::Unknown => misses = 0,
            Readiness::NotReady(reason) => {
                *last_answer = Some(reason);
                misses += 1;
            }
        }
        if misses > 1 {
            return Err(NotReady::Relapsed);
        }
        if over && misses == 0 {
            // The engine may have restarted it between two looks.
            let last = alive(engine, name).await?;
            if last.started_at == first.started_at {
                return Ok(());
            }
            return Err(ended(engine, name, None).await);
        }
        let pause = SOAK_LOOK.min(soak);
        tokio::select! {
            () = sleep(pause) => {}
            exit_code = died(&mut events, name) => return Err(ended(engine, name, exit_code).await),
        }
    }
}

/// How a replica ended. A restarted one has no exit code any more: the event's is the right one.
async fn ended(engine: &Engine, name: &ReplicaName, exit_code: Option<i64>) -> NotReady {
    let ended = inspect_replica(engine, name).await.ok();
    NotReady::Ended {
        exit_code: exit_code.or(ended.as_ref().and_then(|replica| replica.exit_code)),
        out_of_memory: ended.is_some_and(|replica| replica.oom_killed),
    }
}

async fn failure(
    engine: &Engine,
    name: &ReplicaName,
    stage: Stage,
    reason: NotReady,
    last_answer: Option<String>,
) -> ReplicaFailure {
    let query = LogQuery {
        tail: Some(LAST_LINES),
        ..LogQuery::default()
    };
    let last_lines = engine
        .logs(name.as_str(), query)
        .filter_map(|line| std::future::ready(line.ok()))
        .collect()
        .await;
    ReplicaFailure {
        replica: name.clone(),
        stage,
        reason,
        last_answer,
        last_lines,
    }
}

async fn wait(
    engine: &Engine,
    prober: &Prober,
    watcher: &Watcher,
    service: &Service,
    name: &ReplicaName,
    limit: Duration,
    last_answer: &mut Option<String>,
) -> Result<(), NotReady> {
    let deadline = Instant::now() + limit;
    let mut events = watcher.events.subscribe();
    let mut replica = alive(engine, name).await?;
    let mut looked = Instant::now();
    loop {
        match prober.readiness(service, &replica).await {
            Readiness::Ready | Readiness::Unknown => return Ok(()),
            Readiness::NotReady(reason) => *last_answer = Some(reason),
        }
        if Instant::now() >= deadline {
            return Err(NotReady::TimedOut(limit));
        }
        if looked.elapsed() >= LOOK_AGAIN {
            replica = alive(engine, name).await?;
            looked = Instant::now();
        }
        tokio::select! {
            () = sleep(ASK_AGAIN) => {}
            exit_code = died(&mut events, name) => {
                // The engine may restart it, but a replica that falls over at its start is not
                // ready.
                return Err(ended(engine, name, exit_code).await);
            }
        }
    }
}

/// The replica, if it runs and has not been restarted since its start.
async fn alive(engine: &Engine, name: &ReplicaName) -> Result<Replica, NotReady> {
    let replica = inspect_replica(engine, name)
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
