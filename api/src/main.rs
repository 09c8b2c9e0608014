//! The SysNDD web API: one program, one role per subcommand.
//!
//! This file parses, picks the role, and turns its outcome into an exit code; nothing else.
//! Exit codes: 0 done, 1 failed, 2 usage or configuration, 10 pending (`migrate plan --exit-code`).

mod accounts;
mod admin;
mod auth;
mod backups;
mod config;
mod data_dir;
mod db;
mod healthcheck;
mod hex;
mod http;
mod jobs;
mod lifecycle;
mod mail;
mod migrate;
mod shutdown;
mod startup;
mod state;
mod storage;
mod telemetry;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// The SysNDD web API.
#[derive(Debug, Parser)]
#[command(name = "sysndd-api", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Bring the schema up to date and serve HTTP until SIGTERM or SIGINT
    Serve,
    /// Bring the schema up to date and run background jobs; HTTP answers for the health alone
    Worker,
    /// Ask the server on this machine whether it is ready; exit 0 if it is
    Healthcheck(healthcheck::Args),
    /// Look after the site from its machine
    #[command(subcommand)]
    Admin(admin::Command),
    /// Make, inspect and restore backups of the database
    Backup(backups::Args),
    /// Print the API description of this version as `OpenAPI` JSON
    Openapi,
    /// Apply, inspect, check or write schema migrations without serving
    Migrate(migrate::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("starting the runtime")),
    };
    let outcome = runtime.block_on(async {
        match cli.role {
            Role::Serve => replica(startup::Duty::Everything).await,
            Role::Worker => replica(startup::Duty::Jobs).await,
            Role::Healthcheck(args) => healthcheck::run(args).await.map(|()| ExitCode::SUCCESS),
            Role::Admin(command) => admin::run(command).await,
            Role::Backup(args) => Box::pin(backups::run(args)).await,
            Role::Openapi => openapi(),
            Role::Migrate(args) => migrate::run(args).await,
        }
    });
    // A name lookup or a write to a dead network file system may still sit in a blocking thread;
    // it must not keep the process from ending.
    runtime.shutdown_timeout(Duration::ZERO);
    match outcome {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

async fn replica(duty: startup::Duty) -> anyhow::Result<ExitCode> {
    startup::serve(duty)
        .await
        .inspect_err(|error| {
            tracing::error!(error = format!("{error:#}"), "the replica ends");
        })
        .map(|()| ExitCode::SUCCESS)
}

fn openapi() -> anyhow::Result<ExitCode> {
    let document = http::document().to_pretty_json()?;
    writeln!(std::io::stdout(), "{document}")?;
    Ok(ExitCode::SUCCESS)
}

/// Says what went wrong, with its causes, on standard error.
fn fail(error: &anyhow::Error) -> ExitCode {
    // Nothing is left to try when standard error is closed as well.
    let _ = writeln!(std::io::stderr(), "sysndd-api: {error:#}");
    if error.is::<config::Faults>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
