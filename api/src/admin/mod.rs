//! `admin …`: what whoever runs the site does from its machine, straight at the database.

mod create;

use std::process::ExitCode;

use clap::Subcommand;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an administrator's account, for instance the first one
    Create(create::Args),
}

/// Does it.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(args) => create::run(args).await,
    }
}
