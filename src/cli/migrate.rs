//! `migrate`: the stack's migrations, from where the operator sits. It applies nothing: replicas do
//! that at their start.

use sysndd_migrator::{
    Gaps, LintRules, Settings,
    cli::{Answer, Command, CommandError, End, Frame, run},
};
use sysndd_protocol::ReplicaName;

use super::{
    Global,
    session::{Session, migration_files, no_migrations},
};
use crate::{
    config::MigrationFiles,
    database::Access,
    error::Error,
    exit::Exit,
    observe::{Observed, observe},
    output::Printer,
};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy migrate status                       each file: when, by whom, how long; the lock
  sysndd-deploy migrate plan                         what the next start would run, and its cost
  sysndd-deploy migrate lint                         for a pre-commit hook: no engine, no secret
  sysndd-deploy migrate new add index on entity      writes migrations/NNN_add_index_on_entity.sql
  sysndd-deploy migrate verify                       ask all post-conditions again
  sysndd-deploy migrate resolve 014_x.sql --retry    decide about a file in doubt
  sysndd-deploy migrate baseline --upto 12           a ledger for a database that has none

Exit codes: 0 done, 1 something was found or could not be done, 2 usage or configuration,
3 engine not reachable, 10 something is pending (plan --exit-code)";

/// Show, check, write and repair the schema migrations of the stack. Replicas apply them at their
/// start; nothing here does.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Migrate {
    #[command(subcommand)]
    command: Command,
}

impl Migrate {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let answer = if self.command.needs_database() {
            self.with_database(global, printer).await?
        } else {
            let files = migration_files(global)?;
            run(&self.command, &frame(&files, &|_| None), None).await?
        };
        printer.data(&answer.json, || answer.text.clone());
        Ok(match answer.end {
            End::Fine => Exit::Done,
            End::Findings => Exit::CheckFailed,
            End::Pending => Exit::ChangesPending,
        })
    }

    async fn with_database(&self, global: &Global, printer: Printer) -> Result<Answer, Error> {
        let session = Session::open(global, printer).await?;
        let (stack, engine) = (&session.stack, &session.engine);
        let migrations = stack.migrations.as_ref().ok_or_else(no_migrations)?;
        let mut files = migrations.files.clone();
        files.dir = stack.root.join(&files.dir);
        let observed = observe(engine, &stack.project, None).await?;
        let access = Access::open(stack, migrations, engine, &session.prober, &observed).await?;
        let container = |host: &str| container(&observed, host);
        let answer = run(
            &self.command,
            &frame(&files, &container),
            Some(access.opts()),
        )
        .await;
        answer.map_err(|error| {
            let mut error = Error::from(error);
            error.message = access.explain(&error.message);
            error
        })
    }
}

fn frame<'a>(
    files: &'a MigrationFiles,
    container: &'a dyn Fn(&str) -> Option<String>,
) -> Frame<'a> {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    Frame {
        dir: &files.dir,
        settings: Settings {
            gaps: files.gaps.unwrap_or_default(),
            // Who acts, in the ledger and for those who wait.
            ..Settings::new(ReplicaName::new(format!("sysndd-deploy@{host}")))
        },
        rules: LintRules {
            demand_engine: files.require_engine,
            demand_charset: files.require_charset,
            gaps: files.gaps.unwrap_or(Gaps::Deny),
            ..LintRules::default()
        },
        container,
    }
}

/// Our container that has this address, or this name: servers that look names up say
/// `‹container›.‹network›`.
fn container(observed: &Observed, host: &str) -> Option<String> {
    let address = host.parse().ok();
    let name = host.split('.').next().unwrap_or(host);
    observed
        .replicas
        .iter()
        .find(|replica| {
            (address.is_some() && replica.address == address) || replica.name.as_str() == name
        })
        .map(|replica| replica.name.to_string())
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        let exit = match &error {
            CommandError::New(_) => Exit::Usage,
            CommandError::Load(_) | CommandError::Migrate(_) => Exit::CheckFailed,
        };
        Self::new(exit, error.to_string())
    }
}
