//! `migrate …`: the migrations of a folder against a database, without serving. Needs nothing else
//! that a server needs, and `lint` and `new` need not even a database.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use sysndd_migrator::cli::{Command, Frame, run as run_shared};
use sysndd_migrator::{Gaps, LintRules, MigrationSet, Settings};

use crate::backups::refuse_behind_the_fence;
use crate::config::{DatabaseUrl, Fault, Identity, Migrations, Source, Telemetry};
use crate::telemetry::{self, Events};

const EXAMPLES: &str = "\
Examples:
  sysndd-api migrate up --dir migrations --database-url mysql://user:password@host:3306/database
  sysndd-api migrate lint --dir migrations              no database is needed
  sysndd-api migrate new --dir migrations add a note    writes the next file
  sysndd-api migrate status --format json

Exit codes: 0 done, 1 failed or something was found, 2 usage or configuration,
10 something is pending (plan --exit-code)";

/// What to do, with which files, to which database.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Folder of `NNN_name.sql` files, in place of `SYSNDD_MIGRATIONS_DIR`
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// `mysql://user:password@host:port/database`, in place of `SYSNDD_DATABASE_URL`; others on
    /// this machine can see arguments, so prefer the variable
    #[arg(long, global = true)]
    database_url: Option<String>,
    /// How answers are printed; `up` always prints events
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Apply what is pending; events go to standard output
    Up,
    #[command(flatten)]
    Shared(Command),
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// Runs the chosen action.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut source = Source::from_process();
    let identity = Identity::read(&mut source);
    let migrations = Migrations::read(&mut source);
    let dir = args.dir.unwrap_or_else(|| migrations.dir.clone());
    let settings = Settings {
        release: identity.release.clone(),
        wait_budget: migrations.wait,
        gaps: migrations.gaps.unwrap_or_default(),
        ..Settings::new(identity.replica.clone())
    };
    match args.action {
        Action::Up => {
            let telemetry = Telemetry::read(&mut source);
            let fault = Fault::read(&mut source);
            let url = database_url(&mut source, args.database_url.as_deref());
            let url = source.finish(url)?;
            let set = MigrationSet::load(&dir)?;
            telemetry::init(telemetry.filter);
            refuse_behind_the_fence().await?;
            let events = Events::new(identity).dying_at(fault);
            sysndd_migrator::migrate(url.opts(), &set, &settings, &events).await?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Shared(command) => {
            let database = if command.needs_database() {
                let url = database_url(&mut source, args.database_url.as_deref());
                Some(source.finish(url)?.opts())
            } else {
                source.finish(Some(()))?;
                None
            };
            let rules = LintRules {
                gaps: migrations.gaps.unwrap_or(Gaps::Deny),
                ..LintRules::default()
            };
            let frame = Frame {
                dir: &dir,
                settings,
                rules,
                container: &|_| None,
            };
            let answer = run_shared(&command, &frame, database).await?;
            let text = match args.format {
                Format::Text => answer.text,
                Format::Json => format!("{}\n", answer.json),
            };
            print(&text)?;
            Ok(ExitCode::from(answer.end.code()))
        }
    }
}

fn database_url(source: &mut Source, argument: Option<&str>) -> Option<DatabaseUrl> {
    match argument {
        None => DatabaseUrl::read(source),
        Some(text) => DatabaseUrl::given(source, "--database-url", text),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("printing the answer")
}
