//! `sysndd-deploy`: runs a replicated web application on your own servers, and proves that it does.

mod backups;
mod cli;
mod config;
mod database;
mod docker;
mod edge;
mod error;
mod execute;
mod exit;
mod export;
mod host;
mod images;
mod notify;
mod observe;
mod output;
mod plan;
mod points;
mod probe;
mod release;
mod tls;
mod verify;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
