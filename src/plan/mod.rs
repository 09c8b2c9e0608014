//! Pure: stack, images and what was observed → a [`Plan`], a graph of operations each of which is
//! one step at the engine with its cause. Nothing here does I/O or reads a clock.

mod action;
mod change;
mod down;
mod maintenance;
mod mounts;
mod old_edge;
mod once;
mod order;
mod restart;
mod spec;
mod text;
mod undo;
mod up;

#[cfg(test)]
mod tests;

pub(crate) use action::{Action, JobStage, Maintenance, OpId, Operation, Plan, Reload, Upstream};
pub(crate) use change::Change;
pub(crate) use down::{DownIntent, down};
pub(crate) use maintenance::maintenance;
pub(crate) use mounts::mount_faults;
pub(crate) use old_edge::OldEdge;
pub(crate) use once::jobs;
pub(crate) use restart::restart;
pub(crate) use spec::{image_name, one_off};
pub(crate) use undo::{Before, ListBefore, undo};
pub(crate) use up::{History, Images, ResolvedImage, UpIntent, Wish, config_hashes, up};
