//! `admin …`: what an operator does to a site's data, apart from serving it.

mod seed;

use std::process::ExitCode;

use clap::Subcommand;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make, or remove, synthetic entities for tests and measurements
    Seed(seed::Args),
}

/// Runs the chosen action.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Seed(args) => seed::run(args).await,
    }
}
