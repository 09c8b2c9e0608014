//! `admin …`: what whoever runs the site does from its machine, straight at the database.

mod create;
mod mail;
mod restore_account;
mod seed;

#[cfg(test)]
pub(crate) use seed::make as seed;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

use clap::Subcommand;

use crate::backups::refuse_behind_the_fence;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an administrator's account, for instance the first one
    Create(create::Args),
    /// Send a test letter by way of the queue
    Mail(mail::Args),
    /// Make the account that restores backups, with the rights that this takes
    RestoreAccount(restore_account::Args),
    /// Make, or remove, synthetic entities for tests and measurements
    Seed(seed::Args),
}

/// Does it.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let writes = matches!(
        command,
        Command::Create(_) | Command::Mail(_) | Command::Seed(_)
    );
    if writes {
        refuse_behind_the_fence().await?;
    }
    match command {
        Command::Create(args) => create::run(args).await,
        Command::Mail(args) => mail::run(args).await,
        Command::RestoreAccount(restore_account::Args {}) => restore_account::run().await,
        Command::Seed(args) => seed::run(args).await,
    }
}

fn say(line: &str) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stdout(), "{line}").context("printing the answer")?;
    Ok(ExitCode::SUCCESS)
}
