//! The database: first contact, the pool that requests use, and the probe behind the health report.
//!
//! Statements are kept beside the resource that they serve; what is here knows no table.

mod connect;
mod pool;
mod probe;
#[cfg(test)]
mod testing;

pub(crate) use connect::await_database;
pub(crate) use pool::{Db, Error};
pub(crate) use probe::{Probe, Schema, Seen};
#[cfg(test)]
pub(crate) use testing::with_schema;
