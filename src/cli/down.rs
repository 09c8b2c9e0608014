//! `down`: take the stack away.

use std::time::Instant;

use serde_json::json;

use super::{
    Global,
    run::{interrupt_token, run_plan},
    session::Session,
    typed,
};
use crate::{
    error::Error,
    exit::Exit,
    observe::{Observed, observe},
    output::{Printer, seconds},
    plan::{self, Before, DownIntent, Plan},
    release::{self, Outcome, Turn},
};

/// Stop and remove the stack: dependents first, each with its grace period.
///
/// Volumes stay, and with them the data; `up` finds them again.
#[derive(Debug, clap::Args)]
pub(super) struct Down {
    /// Remove the volumes too: the data in them is lost
    #[arg(long)]
    volumes: bool,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Down {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let session = Session::open(global, printer).await?;
        session.refuse_compose().await?;
        let observed = observe(&session.engine, &session.stack.project, None).await?;
        let plan = plan::down(
            &session.stack,
            &observed,
            DownIntent {
                volumes: self.volumes,
            },
        );
        if self.dry_run {
            printer.data(&plan, || plan.to_string());
            return Ok(Exit::Done);
        }
        if !plan.is_empty() {
            self.take_down(&session, &plan, &observed).await?;
        }
        if self.volumes {
            release::erase(&session.engine, &session.stack.project).await?;
        }
        let report = json!({
            "schema": "sysndd-deploy/down/1",
            "project": session.stack.project,
            "operations": plan.operations.len(),
            "duration_ms": began.elapsed().as_millis(),
        });
        printer.data(&report, || {
            if plan.is_empty() {
                format!("{} is down, nothing to do\n", session.stack.project)
            } else {
                format!(
                    "{} is down in {}\n",
                    session.stack.project,
                    seconds(began.elapsed())
                )
            }
        });
        if !self.volumes && !observed.volumes.is_empty() && !plan.is_empty() {
            printer.note(format!(
                "{} volumes stay; --volumes removes them",
                observed.volumes.len()
            ));
        }
        Ok(Exit::Done)
    }

    async fn take_down(
        &self,
        session: &Session,
        plan: &Plan,
        observed: &Observed,
    ) -> Result<(), Error> {
        let (engine, stack) = (&session.engine, &session.stack);
        // Without an image there is no lock; then nothing runs that could be in another's hands.
        let mut turn = match release::helper_image(engine, stack).await {
            Ok(image) => Some(Turn::take(engine, stack, &image, &typed()).await?),
            Err(_) => None,
        };
        if let Some(turn) = &mut turn {
            let from = turn.state().newest().map(|manifest| manifest.id.clone());
            turn.begin(plan, &Before::new(observed, None), from, None)
                .await?;
        }
        let done = run_plan(session, plan, "", &interrupt_token()).await;
        if let Some(turn) = turn {
            let outcome = match &done {
                Ok(()) => Outcome::Done,
                Err(error) if error.exit == Exit::Interrupted => Outcome::Interrupted,
                Err(_) => Outcome::Failed,
            };
            turn.end(outcome, None).await?;
        }
        done
    }
}
