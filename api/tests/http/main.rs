//! The resources, asked over HTTP at real processes before a real `MySQL`, one file per resource as
//! in `src/http`. The database server is the one named by `SYSNDD_TEST_MYSQL`.

mod account;
mod admin;
mod app;
mod auth;
mod bounds;
mod entities;
mod genes;
mod jobs;
mod logs;
mod mail;
mod mailbox;
mod metrics;
mod openapi;
mod statistics;
#[path = "../process/support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the tests of the process"
)]
mod support;
