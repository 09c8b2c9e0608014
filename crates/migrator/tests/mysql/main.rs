//! The migrator against a real `MySQL`, named by `SYSNDD_TEST_MYSQL`. Each test has a database of
//! its own, which it drops.

mod chaos;
mod failures;
mod ledger;
mod lock;
mod points;
mod resume;
mod start;
mod support;
mod warnings;
