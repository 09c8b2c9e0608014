//! `restart`: each replica anew, one after the other, without a request being lost.

use std::{collections::BTreeSet, time::Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    Global,
    deploy::{before, undo, while_held},
    run::{Record, carry_out, explain, interrupt_token, outcome_of, progress, stands},
    running::Running,
    turn::Wait,
};
use crate::{
    config::ServiceName,
    error::Error,
    exit::Exit,
    output::{Printer, seconds},
    plan::{self, Action, Plan},
    release::Turn,
};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy restart api              its replicas, one after the other
  sysndd-deploy restart                  all but the database and the entrance
  sysndd-deploy restart db               the database, since it was named
  sysndd-deploy restart api --dry-run    what would be done";

/// Stop and start the replicas of a service, one after the other: out of the edge's list, requests
/// finished, restarted, ready, back in the list. Release, containers and their volumes stay.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Restart {
    /// Which services; by default all but those that keep data and the edge's entrance
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    wait: Wait,
}

impl Restart {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let running = Running::waiting(global, printer, self.wait).await?;
        let services = self.services(&running)?;
        if self.dry_run {
            let plan = plan_of(&running, &services);
            printer.data(&plan, || plan.to_string());
            return Ok(Exit::Done);
        }
        let plan = Box::pin(self.in_turn(global, running)).await?;
        let restarted: Vec<&str> = plan
            .operations
            .iter()
            .filter(|operation| matches!(operation.action, Action::StartContainer { .. }))
            .map(|operation| operation.action.subject())
            .collect();
        let report = json!({
            "schema": "sysndd-deploy/restart/1",
            "project": plan.project,
            "restarted": restarted,
            "duration_ms": began.elapsed().as_millis(),
        });
        printer.data(&report, || {
            format!(
                "{}: {} replicas restarted in {}\n",
                plan.project,
                restarted.len(),
                seconds(began.elapsed())
            )
        });
        Ok(Exit::Done)
    }

    fn services(&self, running: &Running) -> Result<BTreeSet<ServiceName>, Error> {
        let stack = &running.session.stack;
        let entrance = stack.edge.as_ref().and_then(|edge| edge.entrance.as_ref());
        if self.services.is_empty() {
            let all = stack.services.values();
            let passing = all.filter(|service| !stack.is_spared(service));
            return Ok(passing.map(|service| service.name.clone()).collect());
        }
        let named = self.services.iter();
        let mut named: BTreeSet<ServiceName> = named
            .map(|name| running.service(name))
            .collect::<Result<_, _>>()?;
        // The edge listens on what the entrance gave it at its start.
        if let Some(edge) = &stack.edge
            && entrance.is_some_and(|entrance| named.contains(entrance))
        {
            named.insert(edge.service.clone());
        }
        Ok(named)
    }

    async fn in_turn(&self, global: &Global, mut running: Running) -> Result<Plan, Error> {
        let interrupt = interrupt_token();
        let mut turn = running.turn(global, &interrupt).await?;
        let plan = plan_of(&running, &self.services(&running)?);
        let done = Box::pin(carried_out(&running, &plan, &mut turn, &interrupt)).await;
        let (outcome, reason) = outcome_of(&done);
        let ended = turn.end(outcome, reason).await;
        done?;
        ended?;
        Ok(plan)
    }
}

fn plan_of(running: &Running, services: &BTreeSet<ServiceName>) -> Plan {
    let stack = &running.session.stack;
    let template = running.manifest.edge_template(stack);
    plan::restart(stack, &running.observed, template, services)
}

async fn carried_out(
    running: &Running,
    plan: &Plan,
    turn: &mut Turn,
    interrupt: &CancellationToken,
) -> Result<(), Error> {
    let session = &running.session;
    for note in &plan.notes {
        session.printer.note(note);
    }
    let before = before(session, &running.observed).await?;
    let from = Some(running.manifest.id.clone());
    let record = Record::new(&turn.begin(plan, &before, from, None).await?);
    let leave = while_held(turn, interrupt);
    let template = running.manifest.edge_template(&session.stack);
    let Err(failure) = carry_out(session, plan, template, &leave, &record).await else {
        return Ok(());
    };
    let error = explain(plan, &failure);
    let error = match error.exit {
        // What was stopped starts again, and the edge gets its list back.
        Exit::Interrupted if turn.is_held() => match undo(session, turn, &before, &record).await {
            Ok(undone) => error.with_more(undone),
            Err(second) => error.with_more(format!("undoing it failed as well: {second}")),
        },
        // The edge's list stays as it is: without the replica that did not come back.
        _ => error.with_more(progress(plan, &failure)),
    };
    Err(error
        .with_more(format!("what runs{}", stands(session).await))
        .or_hint("`sysndd-deploy logs` shows more; `sysndd-deploy up` brings back what is missing"))
}
