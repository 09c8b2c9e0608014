//! The files of the state volume → [`State`]. Pure.
//!
//! Every record is a file of its own that is never rewritten, so what a crash leaves is at worst
//! one short file: it is left out and reported, and all others stand.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use sysndd_protocol::ReleaseId;

use super::{
    audit::AuditRecord,
    journal::{Begin, End, JournalEntry, Phase, RunRecord},
    manifest::Manifest,
    who::Who,
};
use crate::{execute::JobReport, tls};

/// The shape of a report's file.
pub(super) const REPORT_SCHEMA: &str = "sysndd-deploy/verdict/1";

/// As in a plan: the verb of starting a container.
const START: &str = "start";
/// And that of stopping one.
const STOP: &str = "stop";

/// One run of a command; also label `dev.sysndd.run` of the containers that it creates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RunId(String);

impl RunId {
    /// The run that began at this time. Runs that change something hold the lock, so no two begin
    /// in the same millisecond.
    pub(crate) fn at(time: DateTime<Utc>) -> Self {
        Self(time.format("%Y%m%d-%H%M%S%.3f").to_string())
    }

    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// All that is recorded of a project.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// Releases that were brought up to the end. IDs sort by time.
    pub(crate) releases: BTreeMap<ReleaseId, Manifest>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    /// In the order in which they were added.
    pub(crate) audit: Vec<AuditRecord>,
    /// Verdicts beside each release, the last one last.
    pub(crate) verdicts: BTreeMap<ReleaseId, Vec<Verdict>>,
    /// The project's authorities, and what they signed.
    pub(crate) tls: tls::Known,
    /// Files that could not be read.
    pub(crate) damaged: Vec<Damaged>,
    /// Number of the next record of the audit.
    pub(super) next_audit: u32,
    /// Number of the next report, by release.
    pub(super) next_report: BTreeMap<ReleaseId, u32>,
}

/// The journal of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Run {
    pub(crate) entries: Vec<JournalEntry>,
    /// Number of the file that would come next.
    pub(super) next: u32,
}

impl Run {
    /// What it set out to do; absent when its first record is damaged.
    pub(crate) fn begin(&self) -> Option<&Begin> {
        self.entries.iter().find_map(|entry| match entry {
            JournalEntry::Begin(begin) => Some(&**begin),
            _ => None,
        })
    }

    /// What became of its jobs, the oldest first.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &JobReport> {
        self.entries.iter().filter_map(|entry| match entry {
            JournalEntry::Job(report) => Some(&**report),
            _ => None,
        })
    }

    /// How it ended; absent while it goes on and when it was cut off.
    pub(crate) fn end(&self) -> Option<&End> {
        self.entries.iter().rev().find_map(|entry| match entry {
            JournalEntry::End(end) => Some(end),
            _ => None,
        })
    }
}

/// How far the record had come when somebody looked: as long as it is the same, nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastRun {
    pub(crate) id: RunId,
    /// Whether it has an end.
    is_over: bool,
}

/// A call of the engine, by the clock of who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StartCall {
    pub(crate) requested: DateTime<Utc>,
    pub(crate) answered: DateTime<Utc>,
}

impl State {
    /// Whether a later run than the one that made it stopped this container and started it again,
    /// as `restart` does one by one.
    pub(crate) fn was_restarted(&self, run: &str, container: &str) -> bool {
        let made_by = RunId::new(run);
        let mut later = self.runs.iter().filter(|(id, _)| **id > made_by);
        later.any(|(_, run)| {
            let did = |verb: &str| {
                run.begin().is_some_and(|begin| {
                    let mut operations = begin.operations.iter();
                    operations
                        .any(|operation| operation.action == verb && operation.subject == container)
                })
            };
            did(STOP) && did(START)
        })
    }

    /// When a run asked the engine to start this container.
    pub(crate) fn start_call(&self, run: &str, container: &str) -> Option<StartCall> {
        let run = self.runs.get(&RunId::new(run))?;
        let mut starts = run
            .begin()?
            .operations
            .iter()
            .filter(|operation| operation.action == START && operation.subject == container);
        let id = starts.next()?.id;
        let at = |wanted: fn(&Phase) -> bool| {
            run.entries.iter().find_map(|entry| match entry {
                JournalEntry::Operation(entry) if entry.id == id && wanted(&entry.phase) => {
                    Some(entry.at)
                }
                _ => None,
            })
        };
        Some(StartCall {
            requested: at(|phase| matches!(phase, Phase::Started))?,
            answered: at(|phase| matches!(phase, Phase::Done { .. }))?,
        })
    }
}

/// What a `verify` said about a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) schema: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: Who,
    pub(crate) pass: bool,
    /// The report, as `verify --format json` prints it.
    pub(crate) report: Json,
}

/// A file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Damaged {
    pub(crate) path: String,
    pub(crate) cause: String,
}

impl State {
    /// Reads files, by their paths below the root of the volume.
    pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut state = Self {
            next_audit: 1,
            ..Self::default()
        };
        for (path, content) in files {
            if let Err(cause) = state.file(path, content) {
                state.damaged.push(Damaged {
                    path: path.clone(),
                    cause,
                });
            }
        }
        state
    }

    fn file(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        let steps: Vec<&str> = path.split('/').collect();
        match steps.as_slice() {
            ["releases", _] => {
                let manifest: Manifest = json(content)?;
                self.releases.insert(manifest.id.clone(), manifest);
            }
            ["runs", run, file] => {
                let run = self.runs.entry(RunId::new(*run)).or_default();
                run.next = run.next.max(number(file)? + 1);
                run.entries.extend(json::<RunRecord>(content)?.entries);
            }
            ["audit", file] => {
                self.next_audit = self.next_audit.max(number(file)? + 1);
                self.audit.push(json(content)?);
            }
            ["reports", release, file] => {
                let release = ReleaseId::new(*release);
                let next = self.next_report.entry(release.clone()).or_insert(1);
                *next = (*next).max(number(file)? + 1);
                self.verdicts
                    .entry(release)
                    .or_default()
                    .push(json(content)?);
            }
            ["tls", _] => self.tls.add(json(content)?),
            // What a newer version of the program keeps here is its own business.
            _ => {}
        }
        Ok(())
    }

    /// A release, also one that was begun and never completed.
    pub(crate) fn manifest(&self, release: &ReleaseId) -> Option<&Manifest> {
        self.releases.get(release).or_else(|| {
            let begun = self.runs.values().rev().filter_map(Run::begin);
            begun
                .filter_map(|begin| begin.manifest.as_ref())
                .find(|manifest| manifest.id == *release)
        })
    }

    /// The newest release that was brought up to the end.
    pub(crate) fn newest(&self) -> Option<&Manifest> {
        self.releases.values().next_back()
    }

    /// The last run that changed something, or tried to.
    pub(crate) fn last_run(&self) -> Option<LastRun> {
        let (id, run) = self.runs.last_key_value()?;
        Some(LastRun {
            id: id.clone(),
            is_over: run.end().is_some(),
        })
    }

    /// The release that runs, where `seen` is the newest that has a container: when that was brought up
    /// to its end, the newest that was, which may have made no container of its own.
    pub(crate) fn running<'a>(&'a self, seen: &'a ReleaseId) -> &'a ReleaseId {
        let newest = self.releases.contains_key(seen).then(|| self.newest());
        newest.flatten().map_or(seen, |manifest| &manifest.id)
    }

    /// The last verdict about a release.
    pub(crate) fn verdict(&self, release: &ReleaseId) -> Option<&Verdict> {
        self.verdicts.get(release)?.last()
    }
}

fn json<T: DeserializeOwned>(content: &[u8]) -> Result<T, String> {
    if content.is_empty() {
        return Err("it is empty".to_owned());
    }
    serde_json::from_slice(content).map_err(|error| {
        if error.is_eof() {
            format!("it ends too early, after {} bytes", content.len())
        } else {
            error.to_string()
        }
    })
}

/// The number that a file's name begins with.
fn number(file: &str) -> Result<u32, String> {
    let digits = file.split(|c: char| !c.is_ascii_digit()).next();
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| "its name does not begin with a number".to_owned())
}

#[cfg(test)]
mod tests;
