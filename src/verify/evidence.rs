//! What checks look at, gathered once from every replica itself.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, future};
use sysndd_protocol::{Event, HealthReport, StartupEvent};

use super::ledger::{self, Ledger};
use crate::{
    config::{Probe, Stack},
    docker::{Engine, LogQuery},
    observe::{EventReader, Observed, Replica},
    probe::{Prober, Way},
    release::{self, StartCall, State},
};

/// A deployment as it was found.
pub(crate) struct Evidence {
    pub(crate) observed: Observed,
    /// Every replica of every service.
    pub(crate) replicas: Vec<ReplicaEvidence>,
    /// The migration ledger; `None` when the stack has no `[migrations]`.
    pub(crate) ledger: Option<Result<Ledger, String>>,
}

/// One replica, in its own words.
pub(crate) struct ReplicaEvidence {
    pub(crate) replica: Replica,
    /// How the engine was asked to start it, where the journal of its run tells and it has not been
    /// started again since.
    pub(crate) start_call: Option<StartCall>,
    /// Whether an operator restarted it: that goes one by one.
    pub(crate) was_restarted: bool,
    /// Startup events of all its lives, oldest first.
    pub(crate) events: Vec<StartupEvent>,
    /// Its health report; `None` when its service has no HTTP probe or it does not run.
    pub(crate) health: Option<Result<HealthAnswer, String>>,
}

/// A health report is asked for so often until it is quick: a replica that is slow is so each time,
/// a machine that is busy with something else is not.
const TRIES: usize = 10;

/// A health report and how long it took.
pub(crate) struct HealthAnswer {
    pub(crate) status: u16,
    /// Of the quickest request.
    pub(crate) latency: Duration,
    /// What was said, or why it is not a health report.
    pub(crate) report: Result<HealthReport, String>,
}

impl HealthAnswer {
    /// "Health check response time < 100ms" of the production requirements.
    const LIMIT: Duration = Duration::from_millis(100);

    pub(crate) fn is_quick(&self) -> bool {
        self.latency <= Self::LIMIT
    }
}

impl ReplicaEvidence {
    /// Events since the process that runs now began.
    pub(crate) fn current_life(&self) -> &[StartupEvent] {
        let begin = self
            .events
            .iter()
            .rposition(|e| matches!(e.event, Event::StartupBegin { .. }));
        &self.events[begin.unwrap_or(0)..]
    }

    /// Its health report, where it gave one.
    pub(crate) fn report(&self) -> Option<&HealthReport> {
        let answer = self.health.as_ref()?.as_ref().ok()?;
        answer.report.as_ref().ok()
    }

    /// How often it was started, as far as its log goes back.
    pub(crate) fn lives(&self) -> usize {
        self.events
            .iter()
            .filter(|e| matches!(e.event, Event::StartupBegin { .. }))
            .count()
    }

    /// When the process that runs now said that it was ready.
    pub(crate) fn ready_at(&self) -> Option<DateTime<Utc>> {
        let ready = |e: &&StartupEvent| matches!(e.event, Event::StartupReady { .. });
        self.current_life().iter().find(ready).map(|event| event.ts)
    }

    /// Whether its log goes back to its beginning; without that, silence proves nothing.
    pub(crate) fn has_log(&self) -> bool {
        self.events
            .iter()
            .any(|event| matches!(event.event, Event::StartupBegin { .. }))
    }
}

impl Evidence {
    /// Replicas of one service.
    pub(crate) fn of<'a>(
        &'a self,
        service: &'a crate::config::ServiceName,
    ) -> impl Iterator<Item = &'a ReplicaEvidence> {
        self.replicas
            .iter()
            .filter(move |evidence| evidence.replica.service == *service)
    }
}

pub(super) async fn gather(
    stack: &Stack,
    engine: &Engine,
    prober: &Prober,
    observed: Observed,
) -> Evidence {
    // Without records the replicas' own times must do.
    let state = release::read_state(engine, stack).await.unwrap_or_default();
    let replicas = future::join_all(
        observed
            .replicas
            .iter()
            .map(|replica| gather_replica(stack, engine, prober, &state, replica)),
    );
    let ledger = async {
        match &stack.migrations {
            None => None,
            Some(migrations) => {
                Some(ledger::read(stack, migrations, engine, prober, &observed).await)
            }
        }
    };
    let (replicas, ledger) = future::join(replicas, ledger).await;
    Evidence {
        observed,
        replicas,
        ledger,
    }
}

/// The engine's clock may differ from that of the journal by as much.
const CLOCKS: TimeDelta = TimeDelta::seconds(2);

fn start_call(state: &State, replica: &Replica) -> Option<StartCall> {
    let call = state.start_call(&replica.run, replica.name.as_str())?;
    let started = replica.started_at?;
    let of_this_call = call.requested - CLOCKS <= started && started <= call.answered + CLOCKS;
    of_this_call.then_some(call)
}

async fn gather_replica(
    stack: &Stack,
    engine: &Engine,
    prober: &Prober,
    state: &State,
    replica: &Replica,
) -> ReplicaEvidence {
    let reader = EventReader::new(stack.services.get(&replica.service));
    let events = engine
        .logs(&replica.container, LogQuery::default())
        .filter_map(|line| {
            std::future::ready(line.ok().and_then(|line| reader.read(replica, &line)))
        })
        .collect();
    let (events, health) = future::join(events, ask_health(stack, prober, replica)).await;
    ReplicaEvidence {
        start_call: start_call(state, replica),
        was_restarted: state.was_restarted(&replica.run, replica.name.as_str()),
        replica: replica.clone(),
        events,
        health,
    }
}

async fn ask_health(
    stack: &Stack,
    prober: &Prober,
    replica: &Replica,
) -> Option<Result<HealthAnswer, String>> {
    let service = stack.services.get(&replica.service)?;
    let Some(Probe::Http { port, path }) = &service.healthcheck.probe else {
        return None;
    };
    if !replica.is_running() {
        return None;
    }
    let mut best: Option<HealthAnswer> = None;
    let tries = match prober.way() {
        // It is the engine's time that would count.
        Way::Inside => 1,
        Way::Direct | Way::Undecided => TRIES,
    };
    for _ in 0..tries {
        if best.as_ref().is_some_and(HealthAnswer::is_quick) {
            break;
        }
        let began = Instant::now();
        let response = match prober.get(replica, *port, path).await {
            Ok(response) => response,
            Err(error) => return Some(Err(error.to_string())),
        };
        let latency = began.elapsed();
        if best.as_ref().is_none_or(|best| latency < best.latency) {
            let report = serde_json::from_slice(&response.body).map_err(|error| error.to_string());
            best = Some(HealthAnswer {
                status: response.status,
                latency,
                report,
            });
        }
    }
    best.map(Ok)
}
