//! Running a plan in front of the operator: live lines, Ctrl-C, what stands afterwards.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use sysndd_protocol::{Event, ReplicaName, StartupEvent};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::{
    error::Error,
    execute::{self, ExecuteError, Failure, JobReport, Leave, Progress},
    exit::Exit,
    observe::Observed,
    output::{Board, seconds},
    plan::{Action, JobStage, OpId, Plan},
    release::{Journal, JournalEntry, Outcome, RestorePoint},
};

/// A token that Ctrl-C, SIGTERM and the loss of the terminal cancel. A second one of the first two ends
/// the process at once.
pub(super) fn interrupt_token() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        let mut hang_up = if hang_up_is_ignored() {
            None
        } else {
            signal(SignalKind::hangup()).ok()
        };
        let hung_up = async {
            match &mut hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hung_up => {} }
        cancel.cancel();
        // When a terminal goes the shell says so as well as the system: that is no second wish.
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        std::process::exit(i32::from(Exit::Interrupted as u8));
    });
    token
}

/// Whether this process was started to outlive its terminal, as by `nohup`.
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, SignalKind::hangup().as_raw_value())
}

/// Whether a process with this `/proc/‹pid›/status` ignores a signal.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// What is kept of a run while it is shown.
#[derive(Default)]
pub(super) struct Record {
    journal: Option<Journal>,
    migration_head: Mutex<Option<String>>,
    restore_point: Mutex<Option<RestorePoint>>,
}

impl Record {
    pub(super) fn new(journal: &Journal) -> Self {
        Self {
            journal: Some(journal.clone()),
            ..Self::default()
        }
    }

    /// Nothing is kept.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// The newest migration that a replica spoke of.
    pub(super) fn migration_head(&self) -> Option<String> {
        self.migration_head.lock().ok()?.clone()
    }

    /// The backup that was made.
    pub(super) fn restore_point(&self) -> Option<RestorePoint> {
        self.restore_point.lock().ok()?.clone()
    }

    pub(super) fn say(&self, text: &str) {
        if let Some(journal) = &self.journal {
            journal.say(text);
        }
    }

    fn take(&self, progress: &Progress) {
        if let (Some(journal), Some(entry)) = (&self.journal, JournalEntry::of(progress)) {
            journal.note(entry);
        }
        match progress {
            Progress::JobEnded(report, recorded) => {
                self.job_ended(report);
                self.answer(recorded.clone());
            }
            Progress::Proven(recorded) => self.answer(recorded.clone()),
            _ => {}
        }
        let Progress::Startup(_, event) = progress else {
            return;
        };
        let head = match &event.event {
            Event::MigrationFastPath { head } => head.clone(),
            Event::MigrationApplied { file, .. } => Some(file.clone()),
            _ => None,
        };
        if let (Some(head), Ok(mut newest)) = (head, self.migration_head.lock())
            && newest.as_ref().is_none_or(|newest| *newest < head)
        {
            *newest = Some(head);
        }
    }
}

impl Record {
    fn job_ended(&self, report: &JobReport) {
        if let (Some(backup), Ok(mut point)) = (&report.backup, self.restore_point.lock()) {
            *point = Some(RestorePoint {
                backup: backup.clone(),
                taken_at: report.began,
            });
        }
    }

    /// The run goes on when all of it is written: a job that was done is not run again then, and what
    /// was proven is not taken back.
    fn answer(&self, recorded: mpsc::Sender<()>) {
        let Some(journal) = self.journal.clone() else {
            return;
        };
        tokio::spawn(async move {
            // What cannot be written is told at the end of the run.
            let _ = journal.flush().await;
            let _ = recorded.send(()).await;
        });
    }
}

/// Runs `plan` to its end, showing it; a failure is told with what stands.
pub(super) async fn run_plan(
    session: &Session,
    plan: &Plan,
    edge_template: &str,
    leave: &Leave,
    record: &Record,
) -> Result<(), Error> {
    match carry_out(session, plan, edge_template, leave, record).await {
        Ok(()) => Ok(()),
        Err(failure) => {
            let stands = stands(session).await;
            Err(explain(plan, &failure)
                .with_more(format!("{}{stands}", progress(plan, &failure)))
                .or_hint("`sysndd-deploy logs` and `sysndd-deploy status` show more; after mending it run the same command again"))
        }
    }
}

/// Runs `plan`, showing it.
pub(super) async fn carry_out(
    session: &Session,
    plan: &Plan,
    edge_template: &str,
    leave: &Leave,
    record: &Record,
) -> Result<(), Failure> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let execution = execute::execute(
        &session.engine,
        &session.prober,
        &session.stack,
        edge_template,
        plan,
        sender,
        leave,
    );
    let mut show = Show {
        plan,
        board: Board::new(session.printer),
        states: BTreeMap::new(),
    };
    tokio::pin!(execution);
    let result = loop {
        tokio::select! {
            biased;
            Some(progress) = receiver.recv() => {
                record.take(&progress);
                show.progress(progress);
            }
            result = &mut execution => break result,
        }
    };
    while let Ok(progress) = receiver.try_recv() {
        record.take(&progress);
        show.progress(progress);
    }
    show.board.close();
    result
}

/// What stands now, as the end of a sentence; nothing where the engine does not say.
pub(super) async fn stands(session: &Session) -> String {
    match session.observe().await {
        Ok(observed) => format!("; now: {}", what_stands(session, &observed)),
        Err(_) => String::new(),
    }
}

pub(super) fn progress(plan: &Plan, failure: &Failure) -> String {
    let (done, total) = (failure.done.len(), plan.operations.len());
    format!("{done} of {total} operations were done")
}

/// One line per service: how many replicas, how many of them ready.
pub(super) fn what_stands(session: &Session, observed: &Observed) -> String {
    let services: Vec<String> = session
        .stack
        .services
        .keys()
        .map(|service| {
            let all = observed.replicas_of(service).count();
            let ready = observed
                .replicas_of(service)
                .filter(|replica| replica.is_ready())
                .count();
            format!("{service} {ready}/{all} ready")
        })
        .collect();
    services.join(", ")
}

/// What is recorded of how something ended that takes back nothing by itself, and why.
pub(super) fn outcome_of<T>(done: &Result<T, Error>) -> (Outcome, Option<String>) {
    match done {
        Ok(_) => (Outcome::Done, None),
        Err(error) => {
            let outcome = match error.exit {
                Exit::Interrupted => Outcome::Interrupted,
                _ => Outcome::Failed,
            };
            (outcome, error.message.lines().next().map(str::to_owned))
        }
    }
}

/// Which operation failed, and why.
pub(super) fn explain(plan: &Plan, failure: &Failure) -> Error {
    if let ExecuteError::Interrupted = failure.error {
        return Error::new(Exit::Interrupted, "interrupted");
    }
    let what = failure.operation.map(|OpId(index)| {
        let action = &plan.operations[index].action;
        format!("{} {}: ", action.verb(), action.subject())
    });
    let mut error = Error::deploy(format!("{}{}", what.unwrap_or_default(), failure.error));
    if let ExecuteError::Engine(engine) = &failure.error {
        if engine.is_unreachable() {
            error.exit = Exit::EngineUnreachable;
        }
        error.hint = engine.hint();
    }
    if let ExecuteError::Job(report) = &failure.error
        && report.stage == JobStage::Backup
    {
        error = error.with_hint(
            "nothing was replaced, since there would be no way back to the data; when the database is what is broken, `--no-backup` goes on without",
        );
    }
    error
}

struct Show<'a> {
    plan: &'a Plan,
    board: Board,
    states: BTreeMap<ReplicaName, Migrating>,
}

/// How far a replica's migrations are.
#[derive(Default)]
struct Migrating {
    applied: usize,
    pending: usize,
}

impl Show<'_> {
    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Started(OpId(index)) => {
                let action = &self.plan.operations[index].action;
                if let Some(state) = going_on(action) {
                    self.board.set(action.subject(), state);
                }
            }
            Progress::Done(OpId(index), elapsed) => {
                let action = &self.plan.operations[index].action;
                self.done(action, elapsed);
            }
            Progress::Failed(OpId(index)) => {
                let action = &self.plan.operations[index].action;
                self.board
                    .failed(action.subject(), &format!("{}: failed", action.verb()));
            }
            Progress::Startup(replica, event) => self.startup(&replica, &event),
            Progress::JobLine(job, line) => self.board.line(job.as_str(), &line),
            Progress::JobEnded(..) | Progress::Proven(_) => {}
        }
    }

    fn done(&mut self, action: &Action, elapsed: Duration) {
        let subject = action.subject();
        match action {
            Action::AwaitReady { .. } => {
                self.board
                    .done(subject, &format!("ready in {}", seconds(elapsed)));
            }
            Action::CreateContainer(_) => self.board.set(subject, "created"),
            Action::StartContainer { .. } => self.board.set(subject, "started"),
            Action::StopContainer { .. } => {
                self.board
                    .set(subject, &format!("stopped in {}", seconds(elapsed)));
            }
            Action::RemoveContainer { .. } => self.board.done(subject, "removed"),
            Action::RemoveNetwork { .. } => self.board.done(subject, "network removed"),
            Action::RemoveVolume { .. } => self.board.done(subject, "volume removed"),
            Action::AwaitStable { .. } => self.board.set(subject, "stable"),
            Action::RestoreUpstream { .. } => {
                self.board.done(subject, "proxies to those of before again");
            }
            Action::ReloadEdge { list, .. } => {
                self.board.done(
                    subject,
                    &format!("proxies to {} replicas", list.servers.len()),
                );
            }
            Action::RunJob { .. } => {
                self.board
                    .done(subject, &format!("done in {}", seconds(elapsed)));
            }
            Action::CreateNetwork { .. } => self.board.done(subject, "network created"),
            Action::CreateVolume { .. } => self.board.done(subject, "volume created"),
            Action::ProvideTls { .. } => self.board.done(subject, "certificates written"),
            Action::BuildImage { .. }
            | Action::WriteMaintenance { .. }
            | Action::OwnDirectory { .. }
            | Action::OwnVolume { .. }
            | Action::DrainEdge { .. }
            | Action::WriteUpstream { .. } => {}
        }
    }

    fn startup(&mut self, replica: &ReplicaName, event: &StartupEvent) {
        let migrating = self.states.entry(replica.clone()).or_default();
        let state = match &event.event {
            Event::MigrationPending { count, .. } => {
                migrating.pending = *count;
                return;
            }
            Event::MigrationLockWait {
                holder: Some(holder),
            } => {
                format!("waiting for the migration lock of {holder}")
            }
            Event::MigrationLockWait { holder: None } => "waiting for the migration lock".into(),
            Event::MigrationLockAcquired { .. } => format!("migrating 0/{}", migrating.pending),
            Event::MigrationApplied { .. } => {
                migrating.applied += 1;
                migrating.pending = migrating.pending.max(migrating.applied);
                format!("migrating {}/{}", migrating.applied, migrating.pending)
            }
            Event::DbConnected { .. } => "connected to the database".into(),
            Event::MigrationFailed { message, .. } => format!("migration failed: {message}"),
            _ => return,
        };
        self.board.set(replica.as_str(), &state);
    }
}

/// Only what takes long is worth a line before it is done.
fn going_on(action: &Action) -> Option<&'static str> {
    match action {
        Action::StopContainer { .. } => Some("stopping"),
        Action::AwaitReady { .. } => Some("starting"),
        Action::RunJob { .. } => Some("running"),
        Action::AwaitStable { .. } => Some("ready, soaking"),
        Action::ReloadEdge { .. } | Action::RestoreUpstream { .. } => Some("reloading"),
        Action::DrainEdge { .. } => Some("draining"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_started_with_nohup_outlives_the_terminal() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        let hang_up = SignalKind::hangup().as_raw_value();
        assert!(ignores(&status("0000000000001001"), hang_up));
        assert!(!ignores(&status("0000000000001000"), hang_up));
        assert!(!ignores("", hang_up));
    }
}
