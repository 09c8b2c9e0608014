//! Work that outlives a request: a table that all replicas share, and the workers that empty it.
//!
//! A job is run by whoever claims it, under a lease and a fence: what a worker writes after its
//! lease went to another one has no effect. A worker may die at any moment, so every kind of job is
//! written to be run again.

mod queue;
mod wake;

pub(crate) use queue::{Enqueued, NewJob, enqueue};
