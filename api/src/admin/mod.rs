//! `admin …`: what whoever runs the site does from its machine, straight at the database.

mod create;
mod mail;
mod seed;

#[cfg(test)]
pub(crate) use seed::make as seed;

use std::process::ExitCode;

use clap::Subcommand;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an administrator's account, for instance the first one
    Create(create::Args),
    /// Send a test letter by way of the queue
    Mail(mail::Args),
    /// Make, or remove, synthetic entities for tests and measurements
    Seed(seed::Args),
}

/// Does it.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(args) => create::run(args).await,
        Command::Mail(args) => mail::run(args).await,
        Command::Seed(args) => seed::run(args).await,
    }
}
