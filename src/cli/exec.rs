//! `exec` and `shell`: a command in a replica that runs.

use std::process::ExitCode;

use super::{
    Global,
    record::record_entry,
    run::interrupt_token,
    running::replica,
    session::Session,
    terminal::{converse, is_interactive},
};
use crate::{docker::ExecSpec, error::Error, observe::observe, output::Printer};

const EXEC_EXAMPLES: &str = "\
Examples:
  sysndd-deploy exec api -- sysndd-api --version     in any replica that runs
  sysndd-deploy exec api.2 -- ls -l /app/data        in number 2
  sysndd-deploy exec -u 0 web -- nginx -T            as another user
  sysndd-deploy exec db -- cat < file                reads what is piped in

The exit code is that of the command.";

/// Run a command in a replica that runs: on a terminal with a terminal, else as a filter.
#[derive(Debug, clap::Args)]
#[command(after_help = EXEC_EXAMPLES)]
pub(super) struct Exec {
    #[command(flatten)]
    place: Place,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<String>,
}

const SHELL_EXAMPLES: &str = "\
Examples:
  sysndd-deploy shell api               in any replica that runs
  sysndd-deploy shell api.2             in number 2
  sysndd-deploy shell web -u 0          as root

The exit code is that of the shell.";

/// Open a shell in a replica that runs: bash where there is one, else sh.
#[derive(Debug, clap::Args)]
#[command(after_help = SHELL_EXAMPLES)]
pub(super) struct Shell {
    #[command(flatten)]
    place: Place,
}

/// Where a command runs, and as whom.
#[derive(Debug, clap::Args)]
struct Place {
    /// A service, or one of its replicas: api, api.2, api-2
    #[arg(value_name = "SERVICE[.N]")]
    replica: String,
    /// Instead of the container's own: a name or an ID
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// No terminal, also where this is one
    #[arg(short = 'T', long)]
    no_tty: bool,
}

/// Images without bash have sh.
const SHELL: &str = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi";

impl Exec {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<ExitCode, Error> {
        let entry = ("exec", self.command.clone());
        self.place.run(global, printer, self.command, entry).await
    }
}

impl Shell {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<ExitCode, Error> {
        let command = ["sh", "-c", SHELL].map(str::to_owned).to_vec();
        self.place
            .run(global, printer, command, ("shell", Vec::new()))
            .await
    }
}

impl Place {
    async fn run(
        self,
        global: &Global,
        printer: Printer,
        command: Vec<String>,
        (what, words): (&str, Vec<String>),
    ) -> Result<ExitCode, Error> {
        let session = Session::open(global, printer).await?;
        let observed = observe(&session.engine, &session.stack.project, None).await?;
        let replica = replica(&session.stack, &observed, &self.replica)?;
        let tty = !self.no_tty && is_interactive();
        let entry = self.entry(words);
        let spec = ExecSpec {
            command,
            user: self.user.clone(),
            tty,
            ..ExecSpec::default()
        };
        let interrupt = interrupt_token();
        let conversation = session.engine.talk_in(&replica.container, spec).await?;
        let talk = converse(&session.engine, printer, conversation, tty, &interrupt);
        // Beside it: nobody waits for the record of a command that takes no time.
        tokio::join!(talk, record_entry(&session, what, &entry)).0
    }

    /// Its own words again.
    fn entry(&self, command: Vec<String>) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(user) = &self.user {
            words.extend(["-u".to_owned(), user.clone()]);
        }
        words.push(self.replica.clone());
        if !command.is_empty() {
            words.push("--".to_owned());
        }
        words.extend(command);
        words
    }
}
