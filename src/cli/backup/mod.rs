//! `backup`: make, list, check, fetch and restore backups of the application's data.

mod download;
mod program;

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;

use self::program::Program;
use super::{
    Global,
    record::{record_entry, typed},
    releases::time,
    run::{interrupt_token, outcome_of},
    running::Running,
    turn::Wait,
};
use crate::{
    backups::Backup,
    config::{self, ProjectName},
    error::Error,
    exit::Exit,
    output::{Printer, Table, human_size},
    release,
};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy backup create                              one more, now
  sysndd-deploy backup list --format json
  sysndd-deploy backup verify --load                       the newest: read whole, and loaded beside the live data
  sysndd-deploy backup download -o /mnt/backups            the newest, to this machine
  sysndd-deploy backup restore manual_2026-11-20_20-01-02.sql.zst --confirm RESTORE

Exit codes: 0 done, 1 it failed or a fault was found, 2 usage or configuration, 5 deploy lock held (restore)";

/// Make, list, check, fetch and restore backups: with the application's own program, in a container
/// like those of its service, so that it works while no replica does.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BackupCommand {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Make one
    Create,
    /// Show all, the newest first
    List,
    /// Read one whole: it must be what it was when it was made
    Verify {
        /// The newest unless told
        filename: Option<String>,
        /// Load it as well, beside the live data, check what came of it, and drop that
        #[arg(long)]
        load: bool,
    },
    /// Replace the data by what is in a backup; one of what is there now is made first
    Restore {
        /// Which
        filename: String,
        /// The word RESTORE: what was written since is gone
        #[arg(long, value_name = "RESTORE")]
        confirm: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Copy one to this machine, and check that it came whole
    Download {
        /// The newest unless told
        filename: Option<String>,
        /// A file, or a directory that is there
        #[arg(short, long, value_name = "PATH", default_value = ".")]
        output: PathBuf,
    },
}

/// The answer of all but `list`, with `--format json`.
#[derive(Debug, Serialize)]
struct One<'a> {
    schema: &'static str,
    project: &'a ProjectName,
    backup: &'a Backup,
    /// Where it was copied to.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
}

/// The answer of `list --format json`.
#[derive(Debug, Serialize)]
struct List<'a> {
    schema: &'static str,
    project: &'a ProjectName,
    /// The newest first.
    backups: &'a [Backup],
}

impl BackupCommand {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        if let Subcommands::Restore {
            filename, confirm, ..
        } = &self.command
            && confirm != "RESTORE"
        {
            return Err(Error::usage(format!(
                "--confirm {confirm}: what is there now would be replaced by {filename}"
            ))
            .with_hint("`--confirm RESTORE` says that this is meant"));
        }
        let running = if let Subcommands::Restore { wait, .. } = self.command {
            Running::waiting(global, printer, wait).await?
        } else {
            Running::open(global, printer).await?
        };
        let backups = backups(&running)?;
        let program = Program {
            running: &running,
            backups: &backups,
            interrupt: interrupt_token(),
        };
        let session = &running.session;
        match self.command {
            Subcommands::List => {
                let list = program.list().await?;
                let list = List {
                    schema: "sysndd-deploy/backup-list/1",
                    project: &session.stack.project,
                    backups: &list.backups,
                };
                printer.data(&list, || list.human());
            }
            Subcommands::Create => {
                let words = ["create".to_owned()];
                let create = program.ask::<Backup>(&["create"]);
                let entered = record_entry(session, "backup", &words);
                let (backup, ()) = tokio::join!(create, entered);
                tell(&running, &backup?, "was made", None);
            }
            Subcommands::Verify { filename, load } => {
                let mut words = vec!["verify", "--format", "json"];
                words.extend(load.then_some("--load"));
                words.extend(filename.as_deref());
                let backup = program.ask::<Backup>(&words).await?;
                let what = if load {
                    "is whole and can be loaded"
                } else {
                    "is whole"
                };
                tell(&running, &backup, what, None);
            }
            Subcommands::Restore { filename, .. } => {
                restore(&program, &filename).await?;
            }
            Subcommands::Download { filename, output } => {
                let (backup, path) =
                    download::download(&program, filename.as_deref(), &output).await?;
                let words = ["download".to_owned(), backup.filename.clone()];
                record_entry(session, "backup", &words).await;
                // Without a checksum there was nothing to compare it with.
                let what = if backup.checksum.is_some() {
                    format!("is whole in {}", path.display())
                } else {
                    format!(
                        "is in {}, and was not compared: nobody has read it yet, so it has no checksum",
                        path.display()
                    )
                };
                tell(&running, &backup, &what, Some(path));
            }
        }
        Ok(Exit::Done)
    }
}

/// The release's own `[backups]`; one that was made before there was any is asked as the file says now.
fn backups(running: &Running) -> Result<config::Backups, Error> {
    let stack = &running.session.stack;
    let known = stack.backups.as_ref().or(running.file.backups.as_ref());
    let known = known.filter(|backups| stack.services.contains_key(&backups.service));
    known.cloned().ok_or_else(|| {
        Error::usage("the stack does not say how its backups are made")
            .with_hint("`[backups]` does, in sysndd.toml; `sysndd-deploy config schema` says what belongs there")
    })
}

/// Nobody deploys meanwhile: a new replica would take the data for its own before they are whole.
async fn restore(program: &Program<'_>, filename: &str) -> Result<(), Error> {
    let session = &program.running.session;
    let (engine, stack) = (&session.engine, &session.stack);
    let image = release::helper_image(engine, stack).await?;
    let turn = session.turn(&image, &typed(), &program.interrupt).await?;
    let words = ["restore", filename, "--confirm", "RESTORE"];
    let restored = program.ask::<serde_json::Value>(&words).await;
    let (outcome, reason) = outcome_of(&restored);
    let ended = turn.end(outcome, reason).await;
    let restored = restored.map_err(|error| {
        error.with_hint("what is live is as it was, unless it is said above that all was exchanged: then the next replica that starts finishes it")
    })?;
    ended?;
    let project = &stack.project;
    let answer = serde_json::json!({
        "schema": "sysndd-deploy/backup-restore/1",
        "project": project,
        "restored": restored,
    });
    session
        .printer
        .data(&answer, || format!("{project}: {filename} was restored\n"));
    Ok(())
}

fn tell(running: &Running, backup: &Backup, what: &str, path: Option<PathBuf>) {
    let one = One {
        schema: "sysndd-deploy/backup/1",
        project: &running.session.stack.project,
        backup,
        path,
    };
    running.session.printer.data(&one, || {
        let tables = backup
            .table_count
            .map_or_else(String::new, |count| format!(", {count} tables"));
        let size = human_size(backup.size_bytes);
        format!("{} {what}: {size}{tables}\n", backup.filename)
    });
}

impl List<'_> {
    fn human(&self) -> String {
        if self.backups.is_empty() {
            return format!("{} has no backups\n", self.project);
        }
        let mut table = Table::new(&[
            "BACKUP",
            "MADE",
            "SIZE",
            "TABLES",
            "MIGRATED TO",
            "TRIED",
            "FAULT",
        ]);
        for backup in self.backups {
            let tables = backup.table_count.map(|count| count.to_string());
            table.row([
                backup.filename.clone(),
                time(backup.created_at),
                human_size(backup.size_bytes),
                tables.unwrap_or_else(|| "?".to_owned()),
                backup
                    .migration_head
                    .clone()
                    .unwrap_or_else(|| "-".to_owned()),
                backup.tested_at.map_or_else(|| "-".to_owned(), time),
                backup.fault.clone().unwrap_or_default(),
            ]);
        }
        table.render()
    }
}
