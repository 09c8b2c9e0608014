//! The program against a real engine, with the real stack: what the issue promises, end to end.
//!
//! Each test has a project of its own, so that they run beside each other and beside a live stack.
//! Needs the images' sources, an engine, and some seconds for each: hence ignored by default. What
//! needs no engine is not.

mod backup;
mod cause;
mod change;
mod commands;
mod configuration;
mod documents;
mod export;
mod failing;
mod faults;
mod fresh;
mod handover;
mod harness;
mod hooks;
mod images;
mod interrupt;
mod isolated;
mod logs;
mod mail;
mod maintenance;
mod migrate;
mod notify;
mod outage;
mod owner;
mod quickstart;
mod remote;
mod replace;
mod retention;
mod rollback;
mod scale;
mod schema;
mod watch;
