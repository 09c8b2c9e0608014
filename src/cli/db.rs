//! `db`: a console of the stack's database.

use std::process::ExitCode;

use super::{
    Global,
    record::record_entry,
    run::interrupt_token,
    running::replica,
    session::{Session, no_migrations},
    terminal::{converse, is_interactive},
};
use crate::{
    config::ServiceName, database, docker::ExecSpec, error::Error, observe::observe,
    output::Printer,
};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy db                                    a console
  sysndd-deploy db -- -e 'SELECT COUNT(*) FROM user'  one query
  sysndd-deploy db < file.sql                         statements from a file
  sysndd-deploy db -- -t -e 'SHOW PROCESSLIST'        any option of the mysql client

The exit code is that of the client.";

/// Open a console of the stack's database: the mysql client inside the database's container, as the
/// user of `migrations.database`. The password is on no command line.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Db {
    /// Further arguments of the mysql client
    #[arg(last = true, value_name = "ARG")]
    arguments: Vec<String>,
}

impl Db {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<ExitCode, Error> {
        let session = Session::open(global, printer).await?;
        let stack = &session.stack;
        let migrations = stack.migrations.as_ref().ok_or_else(no_migrations)?;
        let login = database::Login::of(migrations)?;
        if !stack
            .services
            .contains_key(&ServiceName::new(login.host.as_str()))
        {
            return Err(Error::usage(format!(
                "{}, the stack's database, is no service of the stack: there is no container with a client",
                login.host
            ))
            .with_hint("connect with a client of this machine"));
        }
        let observed = observe(&session.engine, &stack.project, None).await?;
        let replica = replica(stack, &observed, &login.host)?;
        let tty = is_interactive();
        let spec = ExecSpec {
            command: login.client(&self.arguments),
            // Not an argument: those are seen by everyone who may list processes.
            environment: vec![format!("MYSQL_PWD={}", login.password)],
            user: None,
            tty,
        };
        let interrupt = interrupt_token();
        let conversation = session.engine.talk_in(&replica.container, spec).await?;
        let talk = converse(&session.engine, printer, conversation, tty, &interrupt);
        let mut words = self.arguments;
        if !words.is_empty() {
            words.insert(0, "--".to_owned());
        }
        tokio::join!(talk, record_entry(&session, "db", &words)).0
    }
}
