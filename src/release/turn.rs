//! What a command that changes a project holds from its beginning to its end: the deploy lock, the
//! state, and the journal of what it does.
//!
//! `take` → look at [`Turn::state`] and [`Turn::interrupted`], observe, plan → [`Turn::begin`] →
//! execute, noting in the journal, asking [`Turn::held`] before each operation → [`Turn::complete`]
//! when a release stands → [`Turn::end`].

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use sysndd_protocol::ReleaseId;

use super::{
    audit::{self, AuditRecord, AuditResult},
    history::{self, InterruptedRun, Retention},
    journal::{self, Begin, End, Journal, JournalEntry, Outcome, PlannedOperation},
    lock::{Held, Lock, LockError},
    manifest::Manifest,
    state::{REPORT_SCHEMA, RunId, State, Verdict},
    store::{Record, Store, StoreError},
    who::Who,
};
use crate::{
    config::Stack,
    docker::Engine,
    plan::{Before, Plan},
    points::point,
    tls::{self, IssueError, TlsRecord},
};

/// Why a command cannot have its turn, or cannot record what it did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the journal could not be written: {0}")]
    Journal(String),
    #[error(transparent)]
    Tls(#[from] IssueError),
}

/// A command's turn.
pub(crate) struct Turn {
    lock: Lock,
    store: Store,
    state: State,
    run: RunId,
    /// By the engine's clock.
    began: DateTime<Utc>,
    command: String,
    journal: Option<Journal>,
    /// The release that the command is about.
    release: Option<ReleaseId>,
}

impl Turn {
    /// Takes the lock, with `image` for its container, and reads the state. `command` is what the
    /// operator typed, without the program's name.
    ///
    /// # Errors
    /// [`LockError::Held`], when it is another's turn.
    pub(crate) async fn take(
        engine: &Engine,
        stack: &Stack,
        image: &str,
        command: &str,
    ) -> Result<Self, TurnError> {
        // Operators' clocks differ; the engine has one.
        let began = engine.time().await.map_err(StoreError::from)?;
        let run = RunId::at(began);
        let project = &stack.project;
        point("before the lock");
        let lock = Lock::take(engine, project, image, command, &run).await?;
        point("the lock is taken");
        // Not before the lock is ours: its holder removes what others have open.
        let store = match Store::open(engine, project, image, Some(&run)).await {
            Ok(store) => store,
            Err(error) => {
                // The first error is the one to tell, whatever becomes of the tidying up.
                let _ = lock.release().await;
                return Err(error.into());
            }
        };
        point("a way to the state is made");
        match tokio::try_join!(store.load(), store.sweep(Some(&run))) {
            Ok((state, ())) => Ok(Self {
                lock,
                store,
                state,
                run,
                began,
                command: command.to_owned(),
                journal: None,
                release: None,
            }),
            Err(error) => {
                let _ = tokio::join!(store.close(), lock.release());
                Err(error.into())
            }
        }
    }

    /// What was recorded when the turn began.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// This run: the label of the containers that it creates.
    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    /// The time that a release of this run is named after.
    pub(crate) fn release_time(&self) -> DateTime<Utc> {
        history::next_release(&self.state, self.began)
    }

    /// The release that the command is about, where it is known.
    pub(crate) fn release(&self) -> Option<&ReleaseId> {
        self.release.as_ref()
    }

    /// A run before this one that was cut off, and never dealt with.
    pub(crate) fn interrupted(&self) -> Option<InterruptedRun> {
        history::interrupted(&self.state, Some(&self.run))
    }

    /// Tells whether the lock is still ours: without it no further operation may begin.
    pub(crate) fn held(&self) -> Held {
        self.lock.held()
    }

    pub(crate) fn is_held(&self) -> bool {
        self.lock.held().is_held()
    }

    /// Records what is about to be done, before it is. `manifest` is the release that comes of it, if
    /// one does: with it a later command can finish what this one could not.
    pub(crate) async fn begin(
        &mut self,
        plan: &Plan,
        before: &Before,
        from: Option<ReleaseId>,
        manifest: Option<&Manifest>,
    ) -> Result<Journal, TurnError> {
        self.release = manifest.map(|manifest| manifest.id.clone());
        let begin = Begin {
            run: self.run.clone(),
            command: self.command.clone(),
            by: Who::of_process(),
            at: Utc::now(),
            from,
            to: self.release.clone(),
            operations: PlannedOperation::of(plan),
            retire_from: plan.retire_from.map(|id| id.0),
            before: before.clone(),
            manifest: manifest.cloned(),
        };
        let journal = Journal::begin(&self.store, begin).await?;
        self.journal = Some(journal.clone());
        point("what is to be done is recorded");
        Ok(journal)
    }

    /// Makes and records an authority, where the stack needs one and has none that lasts.
    pub(crate) async fn keep_authority(&mut self, stack: &Stack) -> Result<(), TurnError> {
        let now = Utc::now();
        let asked = stack.services.values().any(|service| service.tls.is_some());
        if !asked || !self.state.tls.wants_authority(now) {
            return Ok(());
        }
        let authority = tls::new_authority(&stack.project, now)?;
        self.record_tls(vec![TlsRecord::Authority(authority)]).await
    }

    /// Records what was made for services.
    pub(crate) async fn record_tls(&mut self, records: Vec<TlsRecord>) -> Result<(), TurnError> {
        if records.is_empty() {
            return Ok(());
        }
        let files: Result<Vec<Record>, StoreError> = records
            .iter()
            .map(|record| Record::new(record.path(), record))
            .collect();
        self.store.put(&files?).await?;
        for record in records {
            self.state.tls.add(record);
        }
        Ok(())
    }

    /// Records that a release stands. From here on it is the one that runs.
    pub(crate) async fn complete(&mut self, manifest: Manifest) -> Result<(), TurnError> {
        if let Some(journal) = &self.journal {
            journal.flush().await.map_err(TurnError::Journal)?;
        }
        point("before the release is recorded");
        let path = format!("releases/{}.json", manifest.id);
        self.store.put(&[Record::new(path, &manifest)?]).await?;
        point("the release is recorded");
        self.release = Some(manifest.id.clone());
        self.state.releases.insert(manifest.id.clone(), manifest);
        Ok(())
    }

    /// Puts a report beside a release, as `verify --format json` prints it.
    pub(crate) async fn verdict(
        &mut self,
        release: &ReleaseId,
        pass: bool,
        report: Json,
    ) -> Result<(), TurnError> {
        let verdict = Verdict {
            schema: REPORT_SCHEMA.to_owned(),
            at: Utc::now(),
            by: Who::of_process(),
            pass,
            report,
        };
        let next = self.state.next_report.entry(release.clone()).or_insert(1);
        let path = format!("reports/{release}/{next:04}-verify.json");
        self.store.put(&[Record::new(path, &verdict)?]).await?;
        *next += 1;
        self.state
            .verdicts
            .entry(release.clone())
            .or_default()
            .push(verdict);
        Ok(())
    }

    /// Records that a run that was cut off is dealt with: it and those before it were finished or
    /// undone by this one.
    pub(crate) async fn close_interrupted(
        &mut self,
        interrupted: &InterruptedRun,
        finished: bool,
    ) -> Result<(), TurnError> {
        let mut records = Vec::new();
        for id in std::iter::once(&interrupted.run).chain(&interrupted.older) {
            let by = self.run.clone();
            let end = JournalEntry::End(End {
                at: Utc::now(),
                outcome: if finished {
                    Outcome::FinishedBy(by)
                } else {
                    Outcome::UndoneBy(by)
                },
                message: None,
            });
            let run = self.state.runs.entry(id.clone()).or_default();
            records.push(journal::file(id, run.next, vec![end.clone()])?);
            run.next += 1;
            run.entries.push(end);
        }
        Ok(self.store.put(&records).await?)
    }

    /// What is beyond the newest `keep` releases.
    pub(crate) fn beyond(&self, keep: usize) -> Retention {
        history::retention(&self.state, keep)
    }

    /// Removes the records of what is beyond. Its images are for the caller to remove.
    pub(crate) async fn forget(&mut self, retention: &Retention) -> Result<(), TurnError> {
        self.store.remove(&retention.paths()).await?;
        for release in &retention.releases {
            self.state.releases.remove(release);
            self.state.verdicts.remove(release);
        }
        for run in &retention.runs {
            self.state.runs.remove(run);
        }
        Ok(())
    }

    /// Records how it ended, adds to the audit, and gives the turn to the next. The lock is let go
    /// also when a record cannot be written. Without the lock there is no end to record: the run was
    /// cut off, and what becomes of it is for whoever has the next turn.
    pub(crate) async fn end(
        mut self,
        outcome: Outcome,
        reason: Option<String>,
    ) -> Result<(), TurnError> {
        point("before the end is recorded");
        let recorded = self.record_end(outcome, reason).await;
        point("the end is recorded");
        self.let_go().await.and(recorded)
    }

    /// Gives the turn to the next without a word: nothing was to be done.
    pub(crate) async fn leave(self) -> Result<(), TurnError> {
        self.let_go().await
    }

    /// Gives the turn to the next, with nothing left of what was ever recorded.
    pub(crate) async fn erase(self) -> Result<(), TurnError> {
        if let Some(journal) = &self.journal {
            // Nothing is to come after; whether it was written does not matter.
            let _ = journal.flush().await;
        }
        let erased = self.store.erase().await;
        self.let_go().await?;
        Ok(erased?)
    }

    async fn let_go(self) -> Result<(), TurnError> {
        let (closed, released) = tokio::join!(self.store.close(), self.lock.release());
        point("the lock is let go");
        closed?;
        Ok(released?)
    }

    async fn record_end(
        &mut self,
        outcome: Outcome,
        reason: Option<String>,
    ) -> Result<(), TurnError> {
        let result = match outcome {
            Outcome::Done | Outcome::FinishedBy(_) => AuditResult::Done,
            Outcome::Undone | Outcome::UndoneBy(_) => AuditResult::Undone,
            Outcome::Failed => AuditResult::Failed,
            Outcome::Refused => AuditResult::Refused,
            Outcome::Interrupted => AuditResult::Interrupted,
        };
        let is_held = self.is_held();
        let mut records = Vec::new();
        if let Some(journal) = self.journal.as_ref().filter(|_| is_held) {
            let number = journal.next().await.map_err(TurnError::Journal)?;
            let end = JournalEntry::End(End {
                at: Utc::now(),
                outcome,
                message: reason.clone(),
            });
            records.push(journal::file(&self.run, number, vec![end])?);
        }
        let record = AuditRecord {
            release: self.release.clone(),
            run: self.journal.as_ref().map(|journal| journal.run().clone()),
            reason,
            ..AuditRecord::now(self.command.clone(), result)
        };
        let add = if is_held {
            audit::locked
        } else {
            audit::unlocked
        };
        records.push(add(&self.state, &record)?);
        Ok(self.store.put(&records).await?)
    }
}
