//! `run`: a command in a container of its own, made like those of a service.

use std::{process::ExitCode, time::Duration};

use sysndd_protocol::ReplicaName;

use super::{
    Global,
    record::record_entry,
    run::interrupt_token,
    running::Running,
    terminal::{converse, is_interactive},
};
use crate::{error::Error, exit::Exit, output::Printer, plan};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy run api -- migrate status --help       arguments for the image's entrypoint
  sysndd-deploy run --entrypoint sh api -- -c env      another entrypoint
  tar c . | sysndd-deploy run --entrypoint tar api -- x -C /app/data

The exit code is that of the command.";

/// On Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);

/// Run a command in a new container with the image, environment, volumes and network of a service of
/// the release that runs. It takes part in nothing, and is removed when the command ends.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// The service to be like
    service: String,
    /// Instead of the service's or image's own
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Instead of the service's: a name or an ID
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// No terminal, also where this is one
    #[arg(short = 'T', long)]
    no_tty: bool,
    /// The command, in the place of the service's; its own when there is none
    #[arg(trailing_var_arg = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Run {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<ExitCode, Error> {
        let running = Running::open(global, printer).await?;
        let (engine, stack) = (&running.session.engine, &running.session.stack);
        let service = running.service(&self.service)?;
        let image = running.manifest.services.get(&service);
        let image = image.map(|record| record.image.id.clone()).ok_or_else(|| {
            Error::usage(format!("no image of {service} is recorded"))
                .with_hint("`sysndd-deploy up` records one")
        })?;
        let name = format!(
            "{}-{service}-run-{:06x}",
            stack.project,
            rand::random::<u32>() & 0x00ff_ffff
        );
        let entry = self.entry();
        let mut spec = plan::one_off(
            stack,
            &stack.services[&service],
            &image,
            &running.manifest.id,
            &ReplicaName::new(name),
        );
        if self.entrypoint.is_some() {
            spec.entrypoint = self.entrypoint.map(|program| vec![program]);
            spec.command = None;
        }
        if !self.command.is_empty() {
            spec.command = Some(self.command);
        }
        if self.user.is_some() {
            spec.user = self.user;
        }
        let tty = !self.no_tty && is_interactive();
        let interrupt = interrupt_token();
        let container = engine.create_one_off(&spec, tty).await?;
        let ended = async {
            // Before its start, so that nothing is missed.
            let conversation = engine.talk_to(&container).await?;
            engine.start(&container).await?;
            converse(engine, printer, conversation, tty, &interrupt).await
        };
        let entered = record_entry(&running.session, "run", &entry);
        let (ended, ()) = tokio::join!(ended, entered);
        if matches!(&ended, Err(error) if error.exit == Exit::Interrupted) {
            engine.stop(&container, GRACE).await?;
        }
        let removed = engine.remove(&container).await;
        let code = ended?;
        removed?;
        Ok(code)
    }
    /// Its own words again.
    fn entry(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (option, value) in [("--entrypoint", &self.entrypoint), ("-u", &self.user)] {
            if let Some(value) = value {
                words.extend([option.to_owned(), value.clone()]);
            }
        }
        words.push(self.service.clone());
        if !self.command.is_empty() {
            words.push("--".to_owned());
        }
        words.extend(self.command.iter().cloned());
        words
    }
}
