//! The migrator against a real `MySQL`, named by `SYSNDD_TEST_MYSQL`. Each test has a database of
//! its own, which it drops.

mod baseline;
mod chaos;
mod client;
mod failures;
mod impact;
mod ledger;
mod lock;
mod plan;
mod points;
mod resume;
mod start;
mod support;
mod together;
mod verify;
mod warnings;
