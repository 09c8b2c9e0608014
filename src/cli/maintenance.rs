//! `maintenance`: 503 for everybody while the operator works, and the page again.

use std::time::Duration;

use chrono::Utc;
use clap::Subcommand;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    Global,
    deploy::{before, undo, while_held},
    run::{Record, carry_out, explain, interrupt_token, outcome_of},
    running::Running,
    session::Session,
    turn::Wait,
};
use crate::{
    config::ProjectName,
    edge,
    error::Error,
    exit::Exit,
    observe::Replica,
    output::Printer,
    plan::{self, Action, Maintenance, Plan, Upstream},
    release::{Turn, Who},
};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy maintenance on --message \"Back at 14:00 UTC\" --retry-after 30m
  sysndd-deploy maintenance status
  sysndd-deploy maintenance off";

/// Close the edge for everybody: 503 with a page, for programs a JSON problem, until `off`.
///
/// Replicas go on running, and so does what they do by themselves. It outlives `up`, a new edge and a
/// restart of the engine. The edge's own health answers as before.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MaintenanceCommand {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Answer 503 to everybody
    On {
        /// What users are told
        #[arg(
            short,
            long,
            value_name = "TEXT",
            default_value = "We are working on it. Please come back in a moment."
        )]
        message: String,
        /// When clients may ask again: 90s, 30m
        #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
        retry_after: Duration,
        #[command(flatten)]
        wait: Wait,
    },
    /// Serve again
    Off {
        #[command(flatten)]
        wait: Wait,
    },
    /// Say whether it is on, since when, by whom
    Status,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = crate::config::duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_hours(24 * 7)).contains(&duration) {
        Ok(duration)
    } else {
        Err("between 1s and a week".to_owned())
    }
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    schema: &'static str,
    project: &'a ProjectName,
    on: bool,
    changed: bool,
    #[serde(flatten)]
    maintenance: Option<&'a Maintenance>,
}

impl MaintenanceCommand {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let (wanted, wait) = match self.command {
            Subcommands::Status => return status(global, printer).await,
            Subcommands::Off { wait } => (None, wait),
            Subcommands::On {
                message,
                retry_after,
                wait,
            } => {
                let wanted = Maintenance {
                    message,
                    retry_after: u32::try_from(retry_after.as_secs()).unwrap_or(u32::MAX),
                    since: Utc::now(),
                    by: Who::of_process().to_string(),
                };
                (Some(wanted), wait)
            }
        };
        let mut running = Running::waiting(global, printer, wait).await?;
        refuse_what_cannot_close(&running)?;
        let changed = in_turn(global, &mut running, wanted.as_ref()).await?;
        answer(&running.session, wanted.as_ref(), changed);
        Ok(Exit::Done)
    }
}

async fn status(global: &Global, printer: Printer) -> Result<Exit, Error> {
    let session = Session::open(global, printer).await?;
    let observed = session.observe().await?;
    answer(&session, observed.maintenance.as_ref(), false);
    Ok(Exit::Done)
}

fn answer(session: &Session, maintenance: Option<&Maintenance>, changed: bool) {
    let project = &session.stack.project;
    let answer = Answer {
        schema: "sysndd-deploy/maintenance/1",
        project,
        on: maintenance.is_some(),
        changed,
        maintenance,
    };
    session.printer.data(&answer, || match maintenance {
        Some(maintenance) => format!("{project}: {maintenance}\n  {}\n", maintenance.message),
        None => format!("{project}: maintenance is off\n"),
    });
}

fn refuse_what_cannot_close(running: &Running) -> Result<(), Error> {
    let stack = &running.session.stack;
    let Some(config) = &stack.edge else {
        return Err(Error::usage("the stack has no [edge] that could be closed")
            .with_hint("`sysndd-deploy config schema` says what belongs there"));
    };
    if config.maintenance.is_none() {
        let message = format!("{} has no page for maintenance", running.manifest.id);
        return Err(Error::usage(message).with_hint(
            "name its template in `[edge] maintenance`, and deploy that with `sysndd-deploy up`",
        ));
    }
    let mut edges = running.observed.replicas_of(&config.service);
    if !edges.any(Replica::is_running) {
        return Err(Error::deploy(format!("{} does not run", config.service))
            .with_hint("`sysndd-deploy up` starts it"));
    }
    // A template that does not ask for it would be reloaded to no effect.
    let template = running.manifest.edge_template(stack);
    let mut list = Upstream::of(config, template, Vec::new(), None);
    let open = edge::render(config, template, &list);
    list.maintenance = Some(1);
    match (open, edge::render(config, template, &list)) {
        (Ok(open), Ok(closed)) if open == closed => Err(Error::usage(format!(
            "{} does not say what is done under maintenance",
            config.template.display()
        ))
        .with_hint("use its variable `maintenance`, and deploy that with `sysndd-deploy up`")),
        (Err(error), _) | (_, Err(error)) => Err(Error::usage(error.to_string())),
        _ => Ok(()),
    }
}

/// Whether anything was changed.
async fn in_turn(
    global: &Global,
    running: &mut Running,
    wanted: Option<&Maintenance>,
) -> Result<bool, Error> {
    let interrupt = interrupt_token();
    let mut turn = running.turn(global, &interrupt).await?;
    refuse_what_cannot_close(running)?;
    // The page is that of now: the release's own file may be gone.
    let mut stack = running.session.stack.clone();
    if let (Some(edge), Some(now)) = (&mut stack.edge, &running.file.edge)
        && now.maintenance.is_some()
    {
        edge.maintenance.clone_from(&now.maintenance);
        stack.root.clone_from(&running.file.root);
    }
    running.session = running.session.with_other_stack(stack);
    let template = running
        .manifest
        .edge_template(&running.session.stack)
        .to_owned();
    let plan = plan::maintenance(&running.session.stack, &running.observed, &template, wanted);
    if plan.is_empty() {
        turn.leave().await?;
        return Ok(false);
    }
    let done = Box::pin(carried_out(
        running, &plan, &template, &mut turn, &interrupt,
    ))
    .await;
    let (outcome, reason) = outcome_of(&done);
    let ended = turn.end(outcome, reason).await;
    done?;
    ended?;
    Ok(true)
}

async fn carried_out(
    running: &Running,
    plan: &Plan,
    template: &str,
    turn: &mut Turn,
    interrupt: &CancellationToken,
) -> Result<(), Error> {
    let session = &running.session;
    let before = before(session, &running.observed).await?;
    let from = Some(running.manifest.id.clone());
    let record = Record::new(&turn.begin(plan, &before, from, None).await?);
    let leave = while_held(turn, interrupt);
    let Err(failure) = carry_out(session, plan, template, &leave, &record).await else {
        return Ok(());
    };
    let mut error = explain(plan, &failure);
    if turn.is_held() {
        // What the edge refused must not come into force with its next list.
        if let Err(second) = write_back(running, plan).await {
            error = error.with_more(format!("it may come into force later: {second}"));
        }
        match undo(session, turn, &before, &record).await {
            Ok(undone) => error = error.with_more(undone),
            Err(second) => error = error.with_more(format!("undoing it failed as well: {second}")),
        }
    }
    Err(error.or_hint("`sysndd-deploy maintenance status` says what is in force"))
}

async fn write_back(running: &Running, plan: &Plan) -> Result<(), Error> {
    let stack = &running.session.stack;
    let Some(config) = &stack.edge else {
        return Ok(());
    };
    for operation in &plan.operations {
        if let Action::WriteMaintenance { edge, .. } = &operation.action {
            let engine = &running.session.engine;
            let was = running.observed.maintenance.as_ref();
            edge::write_maintenance(engine, stack, config, edge.as_str(), was)
                .await
                .map_err(|error| Error::deploy(error.to_string()))?;
        }
    }
    Ok(())
}
