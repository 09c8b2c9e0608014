//! The command line: one file per command, each short: load → observe → plan → execute → print.

mod address;
mod audit;
mod backup;
mod build;
mod completions;
mod config;
mod cut_off;
mod db;
mod deploy;
mod doctor;
mod down;
mod exec;
mod export;
mod images;
mod lock;
mod logs;
mod maintenance;
mod man;
mod migrate;
mod one_off;
mod plan;
mod prune;
mod quickstart;
mod record;
mod releases;
mod restart;
mod rollback;
mod run;
mod running;
mod scale;
mod session;
mod status;
mod status_watch;
mod terminal;
mod turn;
mod up;
mod verify;
mod watch;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{
    docker::{self, EngineChoice},
    error::Error,
    exit::Exit,
    output::{Format, Printer},
};
use record::typed;

/// Runs a replicated web application on your own servers, and proves that it does.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy quickstart             from nothing to four proven replicas
  sysndd-deploy up --replicas 8        bring the stack to what sysndd.toml says, with 8 replicas
  sysndd-deploy verify --suite data    prove that all replicas share their data directory
  sysndd-deploy logs -f api            follow all replicas of one service
  sysndd-deploy migrate status         what is applied, by whom, and what is pending

Exit codes: 0 done, 1 a check failed or `migrate` found something, 2 usage or configuration, 3 engine not reachable,
4 deploy failed, 5 deploy lock held, 10 changes pending (plan --exit-code, migrate plan --exit-code), 130 interrupted";

/// Options of every command.
#[derive(Debug, Clone, Args)]
struct Global {
    /// The stack; by default sysndd.toml here or in a directory above
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "SYSNDD_DEPLOY_CONFIG"
    )]
    config: Option<PathBuf>,
    /// Project name, instead of the one in the file
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAME",
        env = "SYSNDD_DEPLOY_PROJECT"
    )]
    project: Option<String>,
    /// Engine: `unix://…`, `tcp://…` or `ssh://user@host`, instead of `DOCKER_HOST`
    #[arg(
        short = 'H',
        long,
        global = true,
        value_name = "URL",
        conflicts_with = "context"
    )]
    host: Option<String>,
    /// Engine, by the name of a Docker context; instead of `DOCKER_HOST` and `DOCKER_CONTEXT`
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// How answers are printed
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    format: Format,
    /// How replicas are asked: `auto` finds out, `inside` goes through the engine
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide = true,
        env = "SYSNDD_DEPLOY_PROBE"
    )]
    probe: ProbeWay,
}

impl Global {
    fn engine(&self) -> EngineChoice {
        EngineChoice {
            host: self.host.clone(),
            context: self.context.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum ProbeWay {
    #[default]
    Auto,
    Direct,
    Inside,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// From a fresh machine to four proven replicas; run again it changes nothing
    Quickstart(quickstart::Quickstart),
    /// Bring the stack to what sysndd.toml says
    Up(up::Up),
    /// Bring an earlier release back
    Rollback(rollback::Rollback),
    /// Change how many replicas run; the release stays
    Scale(scale::Scale),
    /// Restart replicas, one after the other
    Restart(restart::Restart),
    /// Show what `up` would do
    Plan(plan::PlanCommand),
    /// Prove that the deployment is right
    Verify(verify::Verify),
    /// Show what runs
    Status(status::Status),
    /// Show what the replicas print, together
    Logs(logs::Logs),
    /// Run a command in a replica
    Exec(exec::Exec),
    /// Open a shell in a replica
    Shell(exec::Shell),
    /// Open a console of the database
    Db(db::Db),
    /// Run a command in a new container like those of a service
    Run(one_off::Run),
    /// Close the edge for everybody: 503 and a page
    Maintenance(maintenance::MaintenanceCommand),
    /// Make, list, check, fetch and restore backups
    Backup(backup::BackupCommand),
    /// Show, check, write and repair schema migrations
    Migrate(migrate::Migrate),
    /// List releases; show one; compare two
    Releases(releases::Releases),
    /// Show who did what to which release, with which result
    Audit(audit::Audit),
    /// Show the deploy lock, or take it from its holder
    Lock(lock::Lock),
    /// Build the images
    Build(build::Build),
    /// Stop and remove the stack; volumes stay unless asked for
    Down(down::Down),
    /// Remove images, records and build cache that are not needed any more
    Prune(prune::Prune),
    /// Check this machine and its engine
    Doctor(doctor::Doctor),
    /// Keep the edge's list in step with what is ready, for as long as it runs
    Watch(watch::Watch),
    /// Write the stack for Docker Compose, or a unit for systemd
    Export(export::Export),
    /// Check or show sysndd.toml
    Config(config::Config),
    /// Print a completion script for a shell
    Completions(completions::Completions),
    /// Write manual pages
    Man(man::Man),
}

/// Parses, runs, prints what went wrong.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(cli.global.format);
    trace();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.error(&Error::usage(format!("no threads can be started: {error}")));
            return Exit::Usage.into();
        }
    };
    let result = runtime.block_on(async {
        match dispatch(cli, printer).await {
            Err(error) => Err(after_lost_link(error).await),
            done => done,
        }
    });
    // A log follower may still be reading; nothing that matters runs in the background.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            error.exit.into()
        }
    }
}

/// What failed because the link to the engine was lost failed for that reason alone.
async fn after_lost_link(error: Error) -> Error {
    let may_be = matches!(error.exit, Exit::EngineUnreachable | Exit::LockHeld);
    let Some(how) = (if may_be {
        docker::link_ended().await
    } else {
        None
    }) else {
        return error;
    };
    let told = error.message.contains(&how);
    let error = Error {
        exit: Exit::EngineUnreachable,
        hint: Some("when the engine can be reached, run the same command again: it goes on from what stands".to_owned()),
        ..error
    };
    if told { error } else { error.with_more(how) }
}

/// What goes on inside, for those who look for a fault: `SYSNDD_DEPLOY_LOG=debug`, on stderr.
fn trace() {
    let filter =
        EnvFilter::try_from_env("SYSNDD_DEPLOY_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

async fn dispatch(cli: Cli, printer: Printer) -> Result<ExitCode, Error> {
    let Cli { global, command } = cli;
    let exit = match command {
        // These end as the command that they run.
        Command::Exec(command) => return command.run(&global, printer).await,
        Command::Shell(command) => return command.run(&global, printer).await,
        Command::Db(command) => return command.run(&global, printer).await,
        Command::Run(command) => return command.run(&global, printer).await,
        Command::Quickstart(command) => command.run(&global, printer).await,
        Command::Build(command) => command.run(&global, printer).await,
        Command::Backup(command) => command.run(&global, printer).await,
        Command::Migrate(command) => command.run(&global, printer).await,
        Command::Doctor(command) => command.run(&global, printer).await,
        Command::Up(command) => command.run(&global, printer).await,
        Command::Rollback(command) => Box::pin(command.run(&global, printer)).await,
        Command::Scale(command) => command.run(&global, printer).await,
        Command::Restart(command) => Box::pin(command.run(&global, printer)).await,
        Command::Plan(command) => command.run(&global, printer).await,
        Command::Verify(command) => Box::pin(command.run(&global, printer)).await,
        Command::Status(command) => command.run(&global, printer).await,
        Command::Logs(command) => command.run(&global, printer).await,
        Command::Releases(command) => command.run(&global, printer).await,
        Command::Audit(command) => command.run(&global, printer).await,
        Command::Lock(command) => command.run(&global, printer).await,
        Command::Maintenance(command) => Box::pin(command.run(&global, printer)).await,
        Command::Down(command) => command.run(&global, printer).await,
        Command::Prune(command) => command.run(&global, printer).await,
        Command::Watch(command) => Box::pin(command.run(&global, printer)).await,
        Command::Export(command) => command.run(&global, printer).await,
        Command::Config(command) => command.run(&global, printer),
        Command::Completions(command) => Ok(command.run(printer)),
        Command::Man(command) => command.run(printer),
    };
    exit.map(ExitCode::from)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_in_the_documents_exist_with_their_options() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut pages = vec![root.join("README.md")];
        for directory in ["docs", "docs/reference", "docs/adr"] {
            let entries = std::fs::read_dir(root.join(directory)).unwrap();
            pages.extend(entries.map(|entry| entry.unwrap().path()));
        }
        pages.retain(|page| page.extension().is_some_and(|end| end == "md"));
        let (mut seen, mut wrong) = (0, Vec::new());
        for page in pages {
            let text = std::fs::read_to_string(&page).unwrap();
            let mut in_shell = false;
            for line in text.lines() {
                if let Some(kind) = line.trim().strip_prefix("```") {
                    in_shell = kind == "sh";
                }
                // In a block a line is a command; in the text, what stands between backticks.
                let commands: Vec<&str> = match line.trim() {
                    line if in_shell => vec![line],
                    line => line.split('`').skip(1).step_by(2).collect(),
                };
                for command in commands {
                    let Some(words) = words(command) else {
                        continue;
                    };
                    seen += 1;
                    if let Some(fault) = fault(&words, in_shell) {
                        wrong.push(format!("{}: {command}: {fault}", page.display()));
                    }
                }
            }
        }
        assert!(seen > 50, "only {seen} commands were found");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn examples_of_the_help_exist_with_their_options() {
        fn of(command: &clap::Command, found: &mut Vec<String>) {
            let help = command.get_after_help().map(ToString::to_string);
            found.extend(help.iter().flat_map(|help| help.lines()).map(str::to_owned));
            for sub in command.get_subcommands() {
                of(sub, found);
            }
        }
        let mut lines = Vec::new();
        of(&Cli::command(), &mut lines);
        let mut wrong = Vec::new();
        let mut seen = 0;
        for line in &lines {
            // What it is for stands behind a gap.
            let command = line.trim().split("   ").next().unwrap_or_default();
            let command = command.split("  ").next().unwrap_or_default();
            let Some(words) = words(command) else {
                continue;
            };
            seen += 1;
            if let Some(fault) = fault(&words, true) {
                wrong.push(format!("{command}: {fault}"));
            }
        }
        assert!(seen > 20, "only {seen} examples were found");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The words of a call of this program, as a shell takes them apart; without its comment, and
    /// what follows a redirection or another program.
    fn words(command: &str) -> Option<Vec<String>> {
        let rest = command.strip_prefix("sysndd-deploy ")?;
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for letter in rest.chars() {
            match (quote, letter) {
                (Some(open), _) if letter == open => quote = None,
                (None, '"' | '\'') => {
                    quote = Some(letter);
                    word.get_or_insert_default();
                }
                (None, '#' | '>' | '|' | ';' | '&' | '<') if word.is_none() => break,
                (None, ' ') => words.extend(word.take()),
                _ => word.get_or_insert_default().push(letter),
            }
        }
        words.extend(word);
        // `sysndd-deploy [OPTIONS] COMMAND` is a pattern.
        let is_pattern = |word: &String| word.starts_with('[') || word == "COMMAND" || word == "…";
        (!words.iter().any(is_pattern)).then_some(words)
    }

    /// What is wrong with a call; a `whole` one could be typed as it stands.
    fn fault(words: &[String], whole: bool) -> Option<String> {
        use clap::error::ErrorKind;

        let call = std::iter::once("sysndd-deploy".to_owned()).chain(words.iter().cloned());
        let error = Cli::command().try_get_matches_from(call).err()?;
        let harmless = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
        // A sentence may name a command, or a group of them, without more.
        let incomplete = [
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ErrorKind::MissingRequiredArgument,
            ErrorKind::MissingSubcommand,
        ];
        if harmless.contains(&error.kind()) || !whole && incomplete.contains(&error.kind()) {
            return None;
        }
        let text = error.to_string();
        Some(text.lines().next().unwrap_or_default().to_owned())
    }
}
