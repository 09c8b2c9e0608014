//! `lock`: who holds the deploy lock, and how to take it from them.

use clap::Subcommand;
use serde::Serialize;

use super::{Global, session::Session};
use crate::{
    config::ProjectName,
    error::Error,
    exit::Exit,
    output::Printer,
    release::{self, AuditRecord, AuditResult, Holder, LockStatus},
};

/// Show the deploy lock, or take it from its holder.
///
/// A command that changes something holds the lock while it runs. When its process dies or loses
/// the engine the lock goes by itself, within 15 seconds at most.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Lock {
    #[command(subcommand)]
    command: Subcommands,
}

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy lock status
  sysndd-deploy lock release --force --reason \"the build agent hangs, its deploy is abandoned\"";

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Say who holds it, since when, for what
    Status,
    /// Take it from whoever holds it; their command begins no further operation
    Release {
        /// That you know what you do: the holder may be in the middle of a deploy
        #[arg(long, required = true)]
        force: bool,
        /// Why; it is recorded in the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// The answer of both with `--format json`.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    schema: &'static str,
    project: &'a ProjectName,
    held: bool,
    /// Who holds it; after `release`, who held it.
    holder: Option<&'a Holder>,
}

const SCHEMA: &str = "sysndd-deploy/lock/1";

impl Lock {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let session = Session::open(global, printer).await?;
        match self.command {
            Subcommands::Status => status(&session).await,
            Subcommands::Release { reason, .. } => release(&session, &reason).await,
        }
    }
}

async fn status(session: &Session) -> Result<Exit, Error> {
    let project = &session.stack.project;
    let status = release::lock_status(&session.engine, project).await?;
    let (held, holder) = match &status {
        LockStatus::Free => (false, None),
        LockStatus::Held(holder) => (true, Some(holder)),
        LockStatus::Ending(holder) => (false, Some(holder)),
    };
    let answer = Answer {
        schema: SCHEMA,
        project,
        held,
        holder,
    };
    session.printer.data(&answer, || match &status {
        LockStatus::Free => format!("{project} is not locked\n"),
        LockStatus::Held(holder) => format!("{project} is locked by {holder}\n"),
        LockStatus::Ending(holder) => {
            format!("{project} is not locked; the lock of {holder} is going\n")
        }
    });
    Ok(Exit::Done)
}

async fn release(session: &Session, reason: &str) -> Result<Exit, Error> {
    let (engine, project) = (&session.engine, &session.stack.project);
    if reason.trim().is_empty() {
        return Err(Error::usage("--reason: say why")
            .with_hint("those who read the audit will want to know"));
    }
    let holder = release::release_by_force(engine, project).await?;
    if let Some(holder) = &holder {
        let record = AuditRecord {
            run: Some(holder.run.clone()),
            reason: Some(format!("{} (the lock was {holder}'s)", reason.trim())),
            ..AuditRecord::now("lock release --force", AuditResult::Done)
        };
        release::add_to_audit(engine, &session.stack, &record).await?;
    }
    let answer = Answer {
        schema: SCHEMA,
        project,
        held: false,
        holder: holder.as_ref(),
    };
    session.printer.data(&answer, || match &holder {
        Some(holder) => format!("the lock of {project} was taken from {holder}\n"),
        None => format!("{project} was not locked\n"),
    });
    if holder.is_some() {
        session.printer.hint(
            "the next `sysndd-deploy up` or `rollback` says what the run left, and deals with it",
        );
    }
    Ok(Exit::Done)
}
