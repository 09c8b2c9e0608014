//! The subcommands about migrations that programs share: their arguments, and a `run` that answers
//! what is to be printed. The program brings the folder, the database and the printer.
//!
//! It prints nothing and reads no environment.

use std::fmt;
use std::path::Path;

use mysql_async::Opts;
use serde::Serialize;
use serde_json::{Value, json};

use crate::baseline::{Upto, baseline};
use crate::error::MigrateError;
use crate::files::{LoadError, MigrationSet};
use crate::ledger::read_ledger;
use crate::lint::{LintRules, lint};
use crate::new_file::{NewMigrationError, new_migration};
use crate::plan::plan;
use crate::resolve::{Decision, resolve};
use crate::session::Dialer;
use crate::settings::Settings;
use crate::status::{LockState, status_with};
use crate::verify::verify;

/// What there is to do about migrations besides applying them.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Show each file: applied when, by whom, how long it took; what is pending; who holds the lock
    Status,
    /// Show what the next start would run, statement by statement, and what it costs; run nothing
    Plan(Plan),
    /// Find faults in the files before they meet a database; exit code 1 when there are any
    Lint(Lint),
    /// Make the ledger of a database that has the schema and no ledger; run no file
    Baseline(BaselineArgs),
    /// Write the next file, with its number and a header to fill in
    New(New),
    /// Ask all post-conditions again, compare files and ledger; exit code 1 when something is wrong
    Verify,
    /// Decide about a file in doubt: run its statement again, or go on behind it
    Resolve(Resolve),
}

/// Arguments of `plan`.
#[derive(Debug, Clone, clap::Args)]
pub struct Plan {
    /// Exit with 10 when something is pending, with 1 when a start would be refused
    #[arg(long)]
    pub exit_code: bool,
}

/// Arguments of `lint`.
#[derive(Debug, Clone, clap::Args)]
pub struct Lint {
    /// Compare with the ledger of the database too; without this no database is needed
    #[arg(long)]
    pub ledger: bool,
    /// Look into files from this number on; those before were released and are not edited any more
    #[arg(long, value_name = "NUMBER")]
    pub from: Option<u64>,
}

/// Arguments of `baseline`.
#[derive(Debug, Clone, clap::Args)]
pub struct BaselineArgs {
    /// The newest file that the schema has, by name or number
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub upto: Option<String>,
    /// The schema has all files
    #[arg(long)]
    pub all: bool,
    /// Also when a post-condition does not hold
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `new`.
#[derive(Debug, Clone, clap::Args)]
pub struct New {
    /// What it does, in a few words: `add index on entity`
    #[arg(required = true, num_args = 1.., value_name = "NAME")]
    pub name: Vec<String>,
}

/// Arguments of `resolve`.
#[derive(Debug, Clone, clap::Args)]
pub struct Resolve {
    /// The file's name
    pub file: String,
    /// Its statement took no effect, or may run again: the next start runs it
    #[arg(long, required_unless_present = "done", conflicts_with = "done")]
    pub retry: bool,
    /// Its statement took effect, or was done by hand: the next start goes on behind it
    #[arg(long)]
    pub done: bool,
}

impl Command {
    /// Whether [`run`] must be given a database.
    pub fn needs_database(&self) -> bool {
        match self {
            Self::New(_) => false,
            Self::Lint(lint) => lint.ledger,
            Self::Status | Self::Plan(_) | Self::Baseline(_) | Self::Verify | Self::Resolve(_) => {
                true
            }
        }
    }
}

/// What the program knows and the command line does not say.
pub struct Frame<'a> {
    /// Folder of the files.
    pub dir: &'a Path,
    /// Who acts, time limits, gaps.
    pub settings: Settings,
    /// What the project asks of its files.
    pub rules: LintRules,
    /// The container that has an address or a name, where the program knows containers.
    pub container: &'a dyn Fn(&str) -> Option<String>,
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("dir", &self.dir)
            .field("settings", &self.settings)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// What a command has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// For people; ends with a line end.
    pub text: String,
    /// The same for programs: one document, with its `schema`.
    pub json: Value,
    /// How the program should end.
    pub end: End,
}

/// How a program should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Exit code 0.
    Fine,
    /// Something was found: exit code 1.
    Findings,
    /// Something is pending, and the caller asked to be told: exit code 10.
    Pending,
}

impl End {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::Pending => 10,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The files cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database, or what was asked of it.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// No file was written.
    #[error(transparent)]
    New(#[from] NewMigrationError),
}

/// Does what was asked. `database` is looked at only where [`Command::needs_database`] says so.
pub async fn run(
    command: &Command,
    frame: &Frame<'_>,
    database: Option<Opts>,
) -> Result<Answer, CommandError> {
    let settings = &frame.settings;
    let database = database.ok_or(MigrateError::NoDatabase);
    match command {
        Command::New(new) => {
            let path = new_migration(frame.dir, &new.name.join(" "))?;
            let file = path.file_name().map(|name| name.to_string_lossy());
            let json = json!({ "file": file, "path": path });
            Ok(answer("new", &path.display(), json, End::Fine))
        }
        Command::Lint(arguments) => {
            let rules = LintRules {
                from: arguments.from.or(frame.rules.from),
                ..frame.rules.clone()
            };
            let mut report = lint(frame.dir, &rules);
            if arguments.ledger {
                let dialer = Dialer::new(database?, settings)?;
                let mut conn = dialer.connect().await?;
                let rows = dialer.bounded("reading the ledger", read_ledger(&mut conn));
                report.compare(&rows.await?);
            }
            let end = if report.is_clean() {
                End::Fine
            } else {
                End::Findings
            };
            Ok(answer("lint", &report, document(&report), end))
        }
        Command::Status => {
            let set = MigrationSet::load(frame.dir)?;
            let dialer = Dialer::new(database?, settings)?;
            let mut conn = dialer.connect().await?;
            let status = status_with(&mut conn, &set, settings.gaps);
            let mut status = dialer.bounded("reading the ledger", status).await?;
            name_container(&mut status.lock, frame);
            Ok(answer("status", &status, document(&status), End::Fine))
        }
        Command::Plan(arguments) => {
            let set = MigrationSet::load(frame.dir)?;
            let dialer = Dialer::new(database?, settings)?;
            let mut conn = dialer.connect().await?;
            let plan = plan(&mut conn, &set, settings.gaps);
            let mut plan = dialer
                .bounded("reading the ledger and the tables", plan)
                .await?;
            name_container(&mut plan.lock, frame);
            let end = match (arguments.exit_code, plan.is_blocked(), plan.is_empty()) {
                (false, ..) | (true, false, true) => End::Fine,
                (true, true, _) => End::Findings,
                (true, false, false) => End::Pending,
            };
            Ok(answer("plan", &plan, document(&plan), end))
        }
        Command::Verify => {
            let set = MigrationSet::load(frame.dir)?;
            let dialer = Dialer::new(database?, settings)?;
            let mut conn = dialer.connect().await?;
            let report = verify(&mut conn, &set, settings.gaps).await?;
            let end = if report.holds() {
                End::Fine
            } else {
                End::Findings
            };
            let mut json = document(&report);
            json["holds"] = report.holds().into();
            Ok(answer("verify", &report, json, end))
        }
        Command::Baseline(arguments) => {
            let set = MigrationSet::load(frame.dir)?;
            let upto = arguments.upto.clone().map_or(Upto::All, Upto::File);
            let made = baseline(database?, &set, settings, &upto, arguments.force).await?;
            Ok(answer("baseline", &made, document(&made), End::Fine))
        }
        Command::Resolve(arguments) => {
            let set = MigrationSet::load(frame.dir)?;
            let decision = if arguments.done {
                Decision::Done
            } else {
                Decision::Retry
            };
            let file = &arguments.file;
            let next = resolve(database?, &set, settings, file, decision).await?;
            let text = format!("the next start goes on with statement {next} of {file}");
            let json = json!({ "file": file, "next_statement": next });
            Ok(answer("resolve", &text, json, End::Fine))
        }
    }
}

/// Names the container that the holder's connection comes from.
fn name_container(lock: &mut LockState, frame: &Frame<'_>) {
    lock.container = lock.host.as_deref().and_then(frame.container);
}

fn answer(command: &str, text: &dyn fmt::Display, mut json: Value, end: End) -> Answer {
    let mut text = text.to_string();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    json["schema"] = format!("sysndd-migrate/{command}/1").into();
    Answer { text, json, end }
}

/// A report as JSON. Reports are plain structs with text keys, which always can be written.
fn document(report: &impl Serialize) -> Value {
    serde_json::to_value(report).unwrap_or_else(|error| json!({ "error": error.to_string() }))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use sysndd_protocol::ReplicaName;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(subcommand)]
        command: Command,
    }

    fn parse(arguments: &[&str]) -> Result<Command, clap::Error> {
        let all = std::iter::once("program").chain(arguments.iter().copied());
        Program::try_parse_from(all).map(|program| program.command)
    }

    /// Runs a command that needs no database.
    fn without_database(dir: &Path, arguments: &[&str]) -> Result<Answer, CommandError> {
        let command = parse(arguments).expect("arguments");
        assert!(!command.needs_database(), "{arguments:?}");
        let frame = Frame {
            dir,
            settings: Settings::new(ReplicaName::new("test")),
            rules: LintRules::default(),
            container: &|_| None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(run(&command, &frame, None))
    }

    #[test]
    fn the_command_line_is_consistent_and_decisions_must_be_taken() {
        <Program as clap::CommandFactory>::command().debug_assert();
        for wrong in [
            &["baseline"][..],
            &["baseline", "--all", "--upto", "3"],
            &["resolve", "001_a.sql"],
            &["resolve", "001_a.sql", "--retry", "--done"],
            &["new"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        for right in [
            &["baseline", "--all"][..],
            &["baseline", "--upto", "3", "--force"],
            &["resolve", "001_a.sql", "--done"],
            &["lint", "--ledger"],
        ] {
            assert!(parse(right).expect("right").needs_database(), "{right:?}");
        }
    }

    #[test]
    fn lint_and_new_need_no_database() {
        let dir = tempfile::tempdir().expect("a directory");
        let made = without_database(dir.path(), &["new", "Add", "a note"]).expect("a file");
        assert_eq!(
            (made.json["file"].as_str(), made.end),
            (Some("001_add_a_note.sql"), End::Fine)
        );
        assert_eq!(made.json["schema"], "sysndd-migrate/new/1");

        std::fs::write(dir.path().join("nonsense.sql"), "SELECT '").expect("written");
        let found = without_database(dir.path(), &["lint"]).expect("a report");
        assert_eq!(found.end, End::Findings);
        assert!(found.text.contains("nonsense.sql"), "{}", found.text);
    }
}
