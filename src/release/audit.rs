//! Who did what to which release, with which result: records that are only ever added.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sysndd_protocol::ReleaseId;

use super::{
    state::{RunId, State},
    store::{Record, StoreError},
    who::Who,
};

/// The shape of the file.
pub(super) const SCHEMA: &str = "sysndd-deploy/audit/1";

/// One deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuditRecord {
    pub(crate) schema: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: Who,
    /// As the operator would type it.
    pub(crate) command: String,
    pub(crate) release: Option<ReleaseId>,
    /// Where its journal is, when it has one.
    pub(crate) run: Option<RunId>,
    pub(crate) result: AuditResult,
    /// The operator's, where one is asked for; else the cause of a failure.
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuditResult {
    Done,
    /// Somebody entered the stack; how that ended is theirs to know.
    Begun,
    Failed,
    Undone,
    Refused,
    Interrupted,
}

impl AuditResult {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Begun => "begun",
            Self::Failed => "failed",
            Self::Undone => "undone",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
        }
    }
}

impl AuditRecord {
    /// A deed of this process, now.
    pub(crate) fn now(command: impl Into<String>, result: AuditResult) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            at: Utc::now(),
            by: Who::of_process(),
            command: command.into(),
            release: None,
            run: None,
            result,
            reason: None,
        }
    }
}

/// The file of a record that is added under the lock.
pub(super) fn locked(state: &State, record: &AuditRecord) -> Result<Record, StoreError> {
    let number = state.next_audit;
    Record::new(format!("audit/{number:06}.json"), record)
}

/// The file of a record that is added without the lock: the time in its name keeps it apart from
/// what the lock's holder writes in the same moment.
pub(super) fn unlocked(state: &State, record: &AuditRecord) -> Result<Record, StoreError> {
    let number = state.next_audit;
    let time = record.at.format("%Y%m%dT%H%M%S%.6f");
    Record::new(format!("audit/{number:06}-{time}.json"), record)
}
