//! What the records say about releases: which runs, which failed, what a rollback goes to, what may
//! be dropped, which run was cut off. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde::Serialize;
use sysndd_protocol::{Event, ReleaseId};

use super::{
    journal::{Begin, JournalEntry, Outcome, Phase, PlannedOperation},
    manifest::{Manifest, RestorePoint, ServiceRecord, Why},
    state::{Run, RunId, State},
    who::Who,
};
use crate::{
    config::ServiceName,
    execute::JobReport,
    plan::{self, Before},
};

/// Runs whose journal is kept, beside those of the releases that are.
const KEPT_RUNS: usize = 20;

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// What the project is now.
    Running,
    /// It was brought up once.
    Previous,
    /// It was not brought up to the end; what was done stands.
    Failed,
    /// It was not brought up to the end, and taken back.
    Undone,
    /// Its run was cut off, or goes on.
    Unfinished,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Previous => "previous",
            Self::Failed => "failed",
            Self::Undone => "undone",
            Self::Unfinished => "unfinished",
        }
    }
}

/// A release in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) status: Status,
    /// What the last `verify` said.
    pub(crate) verified: Option<bool>,
    /// Why it was not brought up.
    pub(crate) cause: Option<&'a str>,
}

/// All releases that were begun, the newest first. `up` says whether anything of the project is
/// there at the engine: then the newest complete release is the one that runs.
pub(crate) fn releases(state: &State, up: bool) -> Vec<Entry<'_>> {
    let running = state.newest().map(|manifest| &manifest.id).filter(|_| up);
    let complete = state.releases.values().map(|manifest| Entry {
        manifest,
        status: if Some(&manifest.id) == running {
            Status::Running
        } else {
            Status::Previous
        },
        verified: state.verdict(&manifest.id).map(|verdict| verdict.pass),
        cause: None,
    });
    let mut entries: Vec<Entry> = complete.collect();
    // What stood and was dropped since did not fail, and there is nothing to go back to.
    let stood: BTreeSet<&ReleaseId> = state
        .runs
        .values()
        .filter(|run| {
            run.end()
                .is_some_and(|end| matches!(end.outcome, Outcome::Done | Outcome::FinishedBy(_)))
        })
        .filter_map(|run| run.begin()?.to.as_ref())
        .collect();
    for run in state.runs.values().rev() {
        let Some(manifest) = run.begin().and_then(|begin| begin.manifest.as_ref()) else {
            continue;
        };
        let is_known = |entry: &Entry| entry.manifest.id == manifest.id;
        if stood.contains(&manifest.id) || entries.iter().any(is_known) {
            continue;
        }
        let status = match run.end().map(|end| &end.outcome) {
            None => Status::Unfinished,
            Some(Outcome::Undone | Outcome::UndoneBy(_)) => Status::Undone,
            Some(_) => Status::Failed,
        };
        entries.push(Entry {
            manifest,
            status,
            verified: None,
            cause: run.end().and_then(|end| end.message.as_deref()),
        });
    }
    entries.sort_by(|a, b| b.manifest.id.cmp(&a.manifest.id));
    entries
}

/// What a rollback goes to when it is not told: the newest release before `running` that was
/// verified, passed, and is another than what runs.
pub(crate) fn rollback_target<'a>(state: &'a State, running: &ReleaseId) -> Option<&'a Manifest> {
    let current = state.manifest(running);
    state.releases.values().rev().find(|candidate| {
        candidate.id < *running
            && state
                .verdict(&candidate.id)
                .is_some_and(|verdict| verdict.pass)
            && current.is_none_or(|current| !candidate.is_same_as(current))
    })
}

/// What a rollback goes to after a run that was cut off: a rollback is finished, any other deployment
/// undone. A run that was to make no release has changed none.
pub(crate) fn way_back<'a>(state: &'a State, run: &InterruptedRun) -> Option<&'a Manifest> {
    let made = run.manifest.as_ref().filter(|_| run.to.is_some());
    let target = match &made?.why {
        Why::Rollback { to } => Some(to),
        Why::Deploy | Why::Adopted => run.from.as_ref(),
    };
    state.releases.get(target?)
}

/// What became of the jobs of a release, the oldest first; a job may have run in several runs.
pub(crate) fn jobs_of<'a>(
    state: &'a State,
    release: &'a ReleaseId,
) -> impl Iterator<Item = &'a JobReport> {
    let runs = state.runs.values().filter(move |run| {
        run.begin()
            .is_some_and(|begin| begin.to.as_ref() == Some(release))
    });
    runs.flat_map(Run::jobs)
}

/// What a plan has to know of releases and their jobs.
pub(crate) fn history(state: &State) -> plan::History {
    let begun = state.runs.values().filter_map(Run::begin);
    let done = begun
        .filter_map(|begin| begin.to.as_ref())
        .flat_map(|release| {
            jobs_of(state, release)
                .filter(|report| report.is_done())
                .map(|report| (release.clone(), report.stage, report.job.clone()))
        });
    plan::History {
        recorded: state.releases.keys().cloned().collect(),
        done: done.collect(),
        newest: state.newest().map(|newest| {
            let services = newest.services.iter();
            let hash = |(name, service): (&ServiceName, &ServiceRecord)| {
                (name.clone(), service.config_hash.clone())
            };
            (newest.id.clone(), services.map(hash).collect())
        }),
        tls: state.tls.clone(),
    }
}

/// The backup that was made for a release before its services were replaced.
pub(crate) fn backup_of(state: &State, release: &ReleaseId) -> Option<RestorePoint> {
    // The first: what was made later may hold what the release itself wrote.
    jobs_of(state, release).find_map(made_by)
}

/// The backup that holds the data as `target` left them, on a schema that it works with: the first one
/// that was made after it; none, if the schema changed before that.
pub(crate) fn restore_point(state: &State, target: &Manifest) -> Option<RestorePoint> {
    for later in state.releases.values().filter(|later| later.id > target.id) {
        if later.migration_head != target.migration_head {
            return before_migration(state, target, later);
        }
        if let Some(point) = &later.restore_point {
            return Some(point.clone());
        }
    }
    None
}

/// The backup from before the schema changed between two releases. `later` need not be the one that
/// changed it: a run before it may have migrated, failed, and been taken back, and a schema is not
/// taken back. Only the first backup on the way is certainly older.
fn before_migration(state: &State, target: &Manifest, later: &Manifest) -> Option<RestorePoint> {
    let on_the_way = |run: &&Run| {
        let to = run.begin().and_then(|begin| begin.to.as_ref());
        to.is_some_and(|to| *to > target.id && *to <= later.id)
    };
    for run in state.runs.values().filter(on_the_way) {
        let backup = run.jobs().find_map(made_by);
        if backup.is_some() || run.entries.iter().any(migrates) {
            return backup;
        }
    }
    later.restore_point.clone()
}

/// The backup that a job made.
fn made_by(report: &JobReport) -> Option<RestorePoint> {
    Some(RestorePoint {
        backup: report.backup.clone().filter(|_| report.is_done())?,
        taken_at: report.began,
    })
}

/// Whether a replica found migrations to apply.
fn migrates(entry: &JournalEntry) -> bool {
    matches!(
        entry,
        JournalEntry::Startup { event, .. } if matches!(event.event, Event::MigrationPending { .. })
    )
}

/// What may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) releases: Vec<ReleaseId>,
    pub(crate) runs: Vec<RunId>,
    /// IDs of images that only they used.
    pub(crate) images: BTreeSet<String>,
}

impl Retention {
    pub(crate) fn is_empty(&self) -> bool {
        self.releases.is_empty() && self.runs.is_empty()
    }

    /// Their paths on the state volume.
    pub(crate) fn paths(&self) -> Vec<String> {
        let of_release = self.releases.iter().flat_map(|release| {
            [
                format!("releases/{release}.json"),
                format!("reports/{release}"),
            ]
        });
        let runs = self.runs.iter().map(|run| format!("runs/{run}"));
        of_release.chain(runs).collect()
    }
}

/// IDs of the images that somebody may come back to, when the releases in `dropped` are gone: those of
/// the others, and of what was tried since the newest, or cut off and is to be dealt with.
pub(crate) fn images_needed(state: &State, dropped: &[ReleaseId]) -> BTreeSet<String> {
    let newest = state.newest().map(|manifest| &manifest.id);
    let kept = state.releases.values();
    let kept = kept.filter(|manifest| !dropped.contains(&manifest.id));
    let tried = state.runs.values().filter_map(|run| {
        let manifest = run.begin()?.manifest.as_ref()?;
        let is_open = run.end().is_none();
        (is_open || Some(&manifest.id) > newest).then_some(manifest)
    });
    kept.chain(tried)
        .flat_map(|manifest| manifest.images().into_values())
        .collect()
}

/// What is beyond the newest `keep` releases: never the newest, which runs, nor what a rollback
/// would go to. The audit is kept for ever.
pub(crate) fn retention(state: &State, keep: usize) -> Retention {
    let Some(running) = state.newest().map(|manifest| &manifest.id) else {
        return Retention::default();
    };
    let target = rollback_target(state, running).map(|manifest| &manifest.id);
    let mut kept: BTreeSet<&ReleaseId> = state.releases.keys().rev().take(keep.max(1)).collect();
    kept.extend(target);
    let go: Vec<&Manifest> = state
        .releases
        .values()
        .filter(|manifest| !kept.contains(&manifest.id))
        .collect();
    let newest: BTreeSet<&RunId> = state.runs.keys().rev().take(KEPT_RUNS).collect();
    let is_of_kept = |run: &Run| {
        run.begin()
            .is_some_and(|begin| begin.to.as_ref().is_some_and(|to| kept.contains(to)))
    };
    // Of what was tried after a kept release, the first backup is how its data come back.
    let backups = kept.iter().filter_map(|release| {
        let mut later = state.runs.iter().filter(|(_, run)| {
            run.begin()
                .is_some_and(|begin| begin.to.as_ref() > Some(release))
        });
        later.find(|(_, run)| run.jobs().any(|report| made_by(report).is_some()))
    });
    let backups: BTreeSet<&RunId> = backups.map(|(id, _)| id).collect();
    let is_kept =
        |id: &RunId, run: &Run| newest.contains(id) || backups.contains(id) || is_of_kept(run);
    let runs: Vec<RunId> = state
        .runs
        .iter()
        .filter(|(id, run)| !is_kept(id, run) && run.end().is_some())
        .map(|(id, _)| id.clone())
        .collect();
    let dropped: Vec<ReleaseId> = go.iter().map(|manifest| manifest.id.clone()).collect();
    let needed = images_needed(state, &dropped);
    // Of what was only tried the run is the record.
    let tried = runs
        .iter()
        .filter_map(|id| state.runs[id].begin()?.manifest.as_ref());
    let images = go
        .iter()
        .copied()
        .chain(tried)
        .flat_map(|manifest| manifest.images().into_values())
        .filter(|image| !needed.contains(image))
        .collect();
    Retention {
        releases: dropped,
        runs,
        images,
    }
}

/// The time that the next release is named after: `now`, and later than that of all that are known, so
/// that names sort as they came about, whatever a clock said.
pub(crate) fn next_release(state: &State, now: DateTime<Utc>) -> DateTime<Utc> {
    let tried = state
        .runs
        .values()
        .filter_map(|run| run.begin()?.to.as_ref());
    let newest = state.releases.keys().chain(tried).filter_map(time_of).max();
    newest.map_or(now, |newest| now.max(newest + Duration::seconds(1)))
}

/// By its name.
fn time_of(release: &ReleaseId) -> Option<DateTime<Utc>> {
    let time = release.as_str().strip_prefix('r')?.get(..15)?;
    let time = NaiveDateTime::parse_from_str(time, "%Y%m%d-%H%M%S").ok()?;
    Some(time.and_utc())
}

/// A run that was cut off: it began, has no end, and nobody holds the lock for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InterruptedRun {
    pub(crate) run: RunId,
    pub(crate) command: String,
    pub(crate) by: Who,
    pub(crate) began: DateTime<Utc>,
    /// Time of its last record.
    pub(crate) last: DateTime<Utc>,
    pub(crate) from: Option<ReleaseId>,
    pub(crate) to: Option<ReleaseId>,
    /// The release that it was to make.
    pub(crate) manifest: Option<Manifest>,
    pub(crate) done: Vec<PlannedOperation>,
    /// Begun, and not known to be done.
    pub(crate) under_way: Vec<PlannedOperation>,
    pub(crate) not_begun: Vec<PlannedOperation>,
    /// What was there when it began.
    pub(crate) before: Before,
    /// Whether all that was new was proven: only old things were left to end.
    pub(crate) proven: bool,
    /// What it said of itself last: that it was undoing, for example.
    pub(crate) note: Option<String>,
    /// Older runs that were cut off too, and never dealt with.
    pub(crate) older: Vec<RunId>,
}

/// The newest run that was cut off. `live` is the run that holds the lock, if any does.
pub(crate) fn interrupted(state: &State, live: Option<&RunId>) -> Option<InterruptedRun> {
    let mut open = state
        .runs
        .iter()
        .rev()
        .filter(|(id, run)| run.end().is_none() && Some(*id) != live)
        // A run whose first record is damaged did nothing: that one is written before all else.
        .filter_map(|(_, run)| Some((run, run.begin()?)));
    let (run, begin) = open.next()?;
    let mut found = told(run, begin);
    found.older = open.map(|(_, begin)| begin.run.clone()).collect();
    Some(found)
}

fn told(run: &Run, begin: &Begin) -> InterruptedRun {
    let (mut started, mut done) = (BTreeSet::new(), BTreeSet::new());
    let (mut last, mut note) = (begin.at, None);
    for entry in &run.entries {
        match entry {
            JournalEntry::Operation(operation) => {
                last = last.max(operation.at);
                match operation.phase {
                    Phase::Started => started.insert(operation.id),
                    Phase::Done { .. } => done.insert(operation.id),
                    Phase::Failed { .. } => false,
                };
            }
            JournalEntry::Startup { event, .. } => last = last.max(event.ts),
            JournalEntry::Note { at, text } => {
                last = last.max(*at);
                note = Some(text.clone());
            }
            JournalEntry::Job(_) | JournalEntry::Begin(_) | JournalEntry::End(_) => {}
        }
    }
    let of = |wanted: &dyn Fn(usize) -> bool| {
        let operations = begin.operations.iter();
        operations
            .filter(|operation| wanted(operation.id))
            .cloned()
            .collect()
    };
    InterruptedRun {
        run: begin.run.clone(),
        command: begin.command.clone(),
        by: begin.by.clone(),
        began: begin.at,
        last,
        from: begin.from.clone(),
        to: begin.to.clone(),
        manifest: begin.manifest.clone(),
        done: of(&|id| done.contains(&id)),
        under_way: of(&|id| started.contains(&id) && !done.contains(&id)),
        not_begun: of(&|id| !started.contains(&id) && !done.contains(&id)),
        before: begin.before.clone(),
        proven: begin
            .retire_from
            .is_some_and(|retire_from| (0..retire_from).all(|id| done.contains(&id))),
        note,
        older: Vec::new(),
    }
}

impl InterruptedRun {
    /// For people: which run, by whom, how far.
    pub(crate) fn explain(&self) -> String {
        let total = self.done.len() + self.under_way.len() + self.not_begun.len();
        let mut text = format!(
            "`{}` of {} was cut off: begun {}, last heard of {}, {} of {total} operations done",
            self.command,
            self.by,
            self.began.format("%Y-%m-%d %H:%M:%S UTC"),
            self.last.format("%H:%M:%S"),
            self.done.len(),
        );
        if !self.under_way.is_empty() {
            let under_way: Vec<String> = self
                .under_way
                .iter()
                .map(|operation| format!("{} {}", operation.action, operation.subject))
                .collect();
            text.push_str(&format!("; under way: {}", under_way.join(", ")));
        }
        if let Some(note) = &self.note {
            text.push_str(&format!("; it was {note}"));
        }
        text
    }
}

#[cfg(test)]
mod tests;
