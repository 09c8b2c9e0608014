//! What outlives a command: releases, runs, verdicts and the audit, kept with the engine in the
//! volume `‹project›-state`, and the lock that lets one operator at a time change a project.
//!
//! `state`, `history` and `diff` are pure; `store` and `lock` talk to the engine and decide nothing;
//! [`Turn`] is what a command that changes something holds from its beginning to its end. No value
//! of a secret is ever written here.

mod audit;
mod diff;
mod history;
mod journal;
mod lock;
mod manifest;
mod state;
mod store;
mod turn;
mod who;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub(crate) use audit::{AuditRecord, AuditResult};
pub(crate) use diff::{Said, SaidOfService, compare, diff};
pub(crate) use history::{
    Entry, InterruptedRun, Retention, Status, backup_of, history, images_needed, interrupted,
    jobs_of, releases, restore_point, retention, rollback_target, way_back,
};
pub(crate) use journal::{Journal, JournalEntry, Outcome};
pub(crate) use lock::{Held, Holder, LockError, LockStatus, lock_status, release_by_force};
pub(crate) use manifest::{ImageRecord, Manifest, NewManifest, RestorePoint, ServiceRecord, Why};
pub(crate) use state::{Damaged, LastRun, StartCall, State, Verdict};
pub(crate) use store::{StoreError, add_to_audit, erase, helper_image, read_state, volume_name};
pub(crate) use turn::{Turn, TurnError};
pub(crate) use who::{Revision, Who};
