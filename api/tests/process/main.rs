//! The real program as a process: boot, outage, shutdown, commands. What needs a database takes
//! the `MySQL` named by `SYSNDD_TEST_MYSQL`; each test makes a database of its own and drops it.

mod boot;
mod commands;
mod fault;
mod jobs;
mod outage;
mod shutdown;
mod support;
