//! When each replica was created, started and ready, and what it did about migrations.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sysndd_protocol::{Event, MigrationPath, ReplicaName};

use super::{Evidence, ReplicaEvidence};

/// Columns of the drawing between the first start and the last ready.
const WIDTH: usize = 48;

/// All replicas that told when they were ready.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Timeline {
    replicas: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    replica: ReplicaName,
    created: Option<DateTime<Utc>>,
    started: Option<DateTime<Utc>>,
    ready: Option<DateTime<Utc>>,
    migration: Option<MigrationPath>,
    lock_waited_ms: Option<u64>,
}

impl Timeline {
    pub(super) fn of(evidence: &Evidence) -> Self {
        let replicas = evidence.replicas.iter().filter(|replica| replica.has_log());
        Self {
            replicas: replicas.map(Line::of).collect(),
        }
    }

    /// A bar per replica from start to ready; `M` marks the one that migrated.
    pub(super) fn human(&self) -> String {
        let drawn: Vec<(&Line, DateTime<Utc>, DateTime<Utc>)> = self
            .replicas
            .iter()
            .filter_map(|line| Some((line, line.started?, line.ready?)))
            .collect();
        let Some(first) = drawn.iter().map(|(_, started, _)| *started).min() else {
            return String::new();
        };
        let last = drawn
            .iter()
            .map(|(.., ready)| *ready)
            .max()
            .unwrap_or(first);
        let span = (last - first).num_milliseconds().max(1);
        let column = |time: DateTime<Utc>| -> usize {
            let at = (time - first).num_milliseconds().clamp(0, span);
            usize::try_from(at).unwrap_or(0) * WIDTH / usize::try_from(span).unwrap_or(1)
        };
        let name = drawn
            .iter()
            .map(|(line, ..)| line.replica.as_str().len())
            .max()
            .unwrap_or(0);
        let mut text = String::from("start-up, from the first start to the last ready\n");
        for (line, started, ready) in drawn {
            let (from, to) = (column(started), column(ready).max(column(started) + 1));
            let mark = if line.migration == Some(MigrationPath::Applied) {
                "M"
            } else {
                "="
            };
            let path = match line.migration {
                Some(MigrationPath::Applied) => "applied the migrations",
                Some(MigrationPath::FastPath) => "nothing to migrate",
                Some(MigrationPath::Observed) => "observed",
                None => "",
            };
            text.push_str(&format!(
                "{:<name$}  {}{}{}  {:>6} ms  {path}\n",
                line.replica.as_str(),
                " ".repeat(from),
                mark.repeat(to - from),
                " ".repeat(WIDTH + 1 - to.min(WIDTH + 1)),
                (ready - started).num_milliseconds(),
            ));
        }
        text
    }
}

impl Line {
    fn of(evidence: &ReplicaEvidence) -> Self {
        let report = evidence
            .health
            .as_ref()
            .and_then(|health| health.as_ref().ok());
        let startup = report
            .and_then(|answer| answer.report.as_ref().ok())
            .and_then(|report| report.migrations.startup);
        Self {
            replica: evidence.replica.name.clone(),
            created: evidence.replica.created_at,
            started: evidence.replica.started_at,
            ready: evidence.ready_at(),
            migration: path(evidence).or(startup.map(|startup| startup.path)),
            lock_waited_ms: startup.map(|startup| startup.lock_waited_ms),
        }
    }
}

fn path(evidence: &ReplicaEvidence) -> Option<MigrationPath> {
    evidence
        .current_life()
        .iter()
        .find_map(|event| match event.event {
            Event::MigrationFastPath { .. } => Some(MigrationPath::FastPath),
            Event::MigrationComplete { .. } => Some(MigrationPath::Applied),
            Event::MigrationObserved { .. } => Some(MigrationPath::Observed),
            _ => None,
        })
}
