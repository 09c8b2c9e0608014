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
use crate::{
    config::ServiceName,
    docker::{ContainerSpec, Conversation, Engine},
    error::Error,
    exit::Exit,
    output::Printer,
    plan,
};

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

/// A container like those of a service of the release that runs, under a name of its own.
pub(super) fn like(running: &Running, service: &ServiceName) -> Result<ContainerSpec, Error> {
    let stack = &running.session.stack;
    let image = running.manifest.services.get(service);
    let image = image.map(|record| record.image.id.clone()).ok_or_else(|| {
        Error::usage(format!("no image of {service} is recorded"))
            .with_hint("`sysndd-deploy up` records one")
    })?;
    let name = format!(
        "{}-{service}-run-{:06x}",
        stack.project,
        rand::random::<u32>() & 0x00ff_ffff
    );
    Ok(plan::one_off(
        stack,
        &stack.services[service],
        &image,
        &running.manifest.id,
        &ReplicaName::new(name),
    ))
}

/// Starts a container, hands over what it is told and what it says, and removes it when `talk` is over.
pub(super) async fn run<T>(
    engine: &Engine,
    spec: &ContainerSpec,
    tty: bool,
    talk: impl AsyncFnOnce(Conversation) -> Result<T, Error>,
) -> Result<T, Error> {
    let container = engine.create_one_off(spec, tty).await?;
    let talked = async {
        // Before its start, so that nothing is missed.
        let conversation = engine.talk_to(&container).await?;
        engine.start(&container).await?;
        talk(conversation).await
    }
    .await;
    if matches!(&talked, Err(error) if error.exit == Exit::Interrupted) {
        engine.stop(&container, GRACE).await?;
    }
    let removed = engine.remove(&container).await;
    let answer = talked?;
    removed?;
    Ok(answer)
}

impl Run {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<ExitCode, Error> {
        let running = Running::open(global, printer).await?;
        let engine = &running.session.engine;
        let service = running.service(&self.service)?;
        let entry = self.entry();
        let mut spec = like(&running, &service)?;
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
        let talk = run(engine, &spec, tty, async |conversation| {
            converse(engine, printer, conversation, tty, &interrupt).await
        });
        let entered = record_entry(&running.session, "run", &entry);
        tokio::join!(talk, entered).0
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
