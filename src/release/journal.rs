//! The journal of a run: what a command set out to do, what it did, how it ended.
//!
//! Entries are taken at once and written in batches by a task of their own, so that no operation
//! waits for the record of another. It never reads.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sysndd_protocol::{ReleaseId, ReplicaName, StartupEvent};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    manifest::Manifest,
    state::RunId,
    store::{Record, Store, StoreError},
    who::Who,
};
use crate::{
    execute::{JobReport, Progress},
    plan::{Before, OpId, Plan},
    points::point,
};

/// The shape of a file of the journal.
pub(super) const SCHEMA: &str = "sysndd-deploy/run-record/1";

/// Between two files: what comes in the meantime is written together. An upload costs the engine
/// tens of milliseconds of a processor, which starting replicas can use better.
const GATHER: Duration = Duration::from_millis(300);

/// One file: what was noted together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RunRecord {
    pub(super) schema: String,
    pub(super) entries: Vec<JournalEntry>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub(crate) enum JournalEntry {
    Begin(Box<Begin>),
    Operation(OperationEntry),
    /// What a replica said about its start.
    Startup {
        replica: ReplicaName,
        event: StartupEvent,
    },
    /// A job that ended, with what it printed.
    Job(Box<JobReport>),
    /// A turning point that is no operation: "undoing", "finishing the run of …".
    Note {
        at: DateTime<Utc>,
        text: String,
    },
    End(End),
}

/// What a run set out to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begin {
    pub(crate) run: RunId,
    /// As the operator would type it, without the program's name.
    pub(crate) command: String,
    pub(crate) by: Who,
    pub(crate) at: DateTime<Utc>,
    pub(crate) from: Option<ReleaseId>,
    pub(crate) to: Option<ReleaseId>,
    pub(crate) operations: Vec<PlannedOperation>,
    /// The first operation that ends what is old: when those before it are done, the way is forward.
    pub(crate) retire_from: Option<usize>,
    /// What was there before, to go back to.
    pub(crate) before: Before,
    /// The release that it was to make, so that a later command can finish it.
    pub(crate) manifest: Option<Manifest>,
}

/// An operation of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlannedOperation {
    /// As in the plan.
    pub(crate) id: usize,
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) cause: String,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OperationEntry {
    pub(crate) id: usize,
    pub(crate) at: DateTime<Utc>,
    #[serde(flatten)]
    pub(crate) phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub(crate) enum Phase {
    Started,
    Done { ms: u64 },
    Failed { cause: Option<String> },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) at: DateTime<Utc>,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    /// The cause, when it did not end well.
    pub(crate) message: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "run", rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// All was done.
    Done,
    /// It failed; what was done was taken back.
    Undone,
    /// It failed; what was done stands.
    Failed,
    /// It was not begun, so no journal has this.
    Refused,
    /// The operator stopped it; what was done stands.
    Interrupted,
    /// Its process died, and a later run finished what it had begun.
    FinishedBy(RunId),
    /// Its process died, and a later run took back what it had done.
    UndoneBy(RunId),
}

impl PlannedOperation {
    /// The operations of a plan.
    pub(crate) fn of(plan: &Plan) -> Vec<Self> {
        plan.operations
            .iter()
            .map(|operation| Self {
                id: operation.id.0,
                action: operation.action.verb().to_owned(),
                subject: operation.action.subject().to_owned(),
                cause: operation.cause.clone(),
            })
            .collect()
    }
}

impl JournalEntry {
    /// The entry for what a running plan reports; not all of it is kept.
    pub(crate) fn of(progress: &Progress) -> Option<Self> {
        let operation = |OpId(id): OpId, phase| {
            Self::Operation(OperationEntry {
                id,
                at: Utc::now(),
                phase,
            })
        };
        Some(match progress {
            Progress::JobLine(..) | Progress::Proven(_) => return None,
            Progress::JobEnded(report, _) => Self::Job(report.clone()),
            Progress::Started(id) => operation(*id, Phase::Started),
            Progress::Done(id, took) => operation(*id, Phase::Done { ms: millis(*took) }),
            Progress::Failed(id) => operation(*id, Phase::Failed { cause: None }),
            Progress::Startup(replica, event) => Self::Startup {
                replica: replica.clone(),
                event: event.clone(),
            },
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A run's journal while it is written. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Journal {
    run: RunId,
    sender: mpsc::UnboundedSender<Message>,
}

enum Message {
    Entry(JournalEntry),
    /// Answered when all that came before is written.
    Flush(oneshot::Sender<Flushed>),
}

/// Number of the next file, or the first that could not be written.
type Flushed = Result<u32, String>;

impl Journal {
    /// Begins: the first record is written when this returns.
    pub(super) async fn begin(store: &Store, begin: Begin) -> Result<Self, StoreError> {
        let run = begin.run.clone();
        let first = file(&run, 0, vec![JournalEntry::Begin(Box::new(begin))])?;
        store.put(&[first]).await?;
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(keep(store.clone(), run.clone(), receiver));
        Ok(Self { run, sender })
    }

    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    /// Takes an entry; it is written within half a second.
    pub(crate) fn note(&self, entry: JournalEntry) {
        // The keeper ends with the last sender: it is there.
        let _ = self.sender.send(Message::Entry(entry));
    }

    /// A turning point, in words.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.note(JournalEntry::Note {
            at: Utc::now(),
            text: text.into(),
        });
    }

    /// Waits until all that was noted is written.
    ///
    /// # Errors
    /// The first record that could not be written.
    pub(crate) async fn flush(&self) -> Result<(), String> {
        self.next().await.map(drop)
    }

    /// Waits until all that was noted is written; the answer is the number of the next file.
    pub(super) async fn next(&self) -> Flushed {
        let (done, answer) = oneshot::channel();
        let _ = self.sender.send(Message::Flush(done));
        let ended = |_| Err("its keeper ended".to_owned());
        answer.await.unwrap_or_else(ended)
    }
}

/// Writes what comes, everything that waits in one file.
async fn keep(store: Store, run: RunId, mut receiver: mpsc::UnboundedReceiver<Message>) {
    let mut number = 1;
    let mut fault = Ok(());
    let mut waiting = Vec::new();
    let mut not_before = Instant::now();
    let asks = |waiting: &[Message]| {
        let flush = |message: &Message| matches!(message, Message::Flush(_));
        waiting.iter().any(flush)
    };
    while receiver.recv_many(&mut waiting, usize::MAX).await > 0 {
        while !asks(&waiting) {
            let more = receiver.recv_many(&mut waiting, usize::MAX);
            if !matches!(timeout_at(not_before, more).await, Ok(1..)) {
                break;
            }
        }
        let (mut entries, mut asking) = (Vec::new(), Vec::new());
        for message in waiting.drain(..) {
            match message {
                Message::Entry(entry) => entries.push(entry),
                Message::Flush(done) => asking.push(done),
            }
        }
        if !entries.is_empty() {
            let written = async { store.put(&[file(&run, number, entries)?]).await };
            let written = written.await;
            point(format_args!("record {number} is written"));
            if let Err(error) = written {
                tracing::warn!(%error, %run, number, "a record of the journal is lost");
                fault = fault.and(Err(error.to_string()));
            }
            number += 1;
            not_before = Instant::now() + GATHER;
        }
        for done in asking {
            let _ = done.send(fault.clone().map(|()| number));
        }
    }
}

/// One file of a run.
pub(super) fn file(
    run: &RunId,
    number: u32,
    entries: Vec<JournalEntry>,
) -> Result<Record, StoreError> {
    let record = RunRecord {
        schema: SCHEMA.to_owned(),
        entries,
    };
    Record::new(format!("runs/{run}/{number:04}.json"), &record)
}
