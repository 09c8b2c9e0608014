//! Work that outlives a request: a table that all replicas share, and the workers that empty it.
//!
//! A job is run by whoever claims it, under a lease and a fence: what a worker writes after its
//! lease went to another one has no effect. A worker may die at any moment, so every kind of job is
//! written to be run again.

mod backoff;
mod care;
mod claim;
mod drill;
mod handler;
mod kinds;
mod purge;
mod queue;
mod report;
mod schedule;
mod steer;
mod turn;
mod wake;
mod worker;
mod workers;

pub(crate) use handler::{Failure, Handler};
pub(crate) use purge::delete;
pub(crate) use queue::{Enqueued, NewJob, enqueue};
pub(crate) use report::{AdminReport, Filter, Report, Status, find, list, report};
pub(crate) use steer::{Refused, cancel, retry};
pub(crate) use turn::Turn;
pub(crate) use workers::Jobs;
