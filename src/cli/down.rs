//! `down`: take the stack away.

use std::time::Instant;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    Global,
    deploy::{lock_lost, while_held},
    run::{Record, interrupt_token, outcome_of, run_plan},
    session::Session,
    turn::Wait,
    typed,
};
use crate::{
    error::Error,
    execute::Leave,
    exit::Exit,
    observe::{Observed, observe},
    output::{Printer, seconds},
    plan::{self, Before, DownIntent, Plan},
    release::{self, Turn},
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
    #[command(flatten)]
    wait: Wait,
}

impl Down {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let mut session = Session::open(global, printer).await?;
        session.wait_until = self.wait.deadline();
        session.refuse_compose().await?;
        let (mut observed, mut plan) = self.plan(&session).await?;
        if self.dry_run {
            printer.data(&plan, || plan.to_string());
            return Ok(Exit::Done);
        }
        if !plan.is_empty() {
            (observed, plan) = self.take_down(&session).await?;
        } else if self.volumes {
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

    async fn plan(&self, session: &Session) -> Result<(Observed, Plan), Error> {
        let observed = observe(&session.engine, &session.stack.project, None).await?;
        let intent = DownIntent {
            volumes: self.volumes,
        };
        let plan = plan::down(&session.stack, &observed, intent);
        Ok((observed, plan))
    }

    /// The answer is what was there, and what was done.
    async fn take_down(&self, session: &Session) -> Result<(Observed, Plan), Error> {
        let (engine, stack) = (&session.engine, &session.stack);
        let interrupt = interrupt_token();
        // Without an image there is no lock; then nothing runs that could be in another's hands.
        let Ok(image) = release::helper_image(engine, stack).await else {
            let (observed, plan) = self.plan(session).await?;
            let leave = Leave {
                interrupt,
                held: None,
            };
            run_plan(session, &plan, "", &leave, &Record::none()).await?;
            if self.volumes {
                release::erase(engine, &stack.project).await?;
            }
            return Ok((observed, plan));
        };
        let mut turn = session.turn(&image, &typed(), &interrupt).await?;
        let done = self.in_turn(session, &mut turn, &interrupt).await;
        let ended = if done.is_ok() && self.volumes {
            turn.erase().await
        } else {
            let (outcome, reason) = outcome_of(&done);
            turn.end(outcome, reason).await
        };
        let done = done?;
        ended?;
        Ok(done)
    }

    async fn in_turn(
        &self,
        session: &Session,
        turn: &mut Turn,
        interrupt: &CancellationToken,
    ) -> Result<(Observed, Plan), Error> {
        // What stands now, and not what stood before it was our turn.
        let (observed, plan) = self.plan(session).await?;
        let from = turn.state().newest().map(|manifest| manifest.id.clone());
        let before = Before::new(&observed, None);
        let record = Record::new(&turn.begin(&plan, &before, from, None).await?);
        let leave = while_held(turn, interrupt);
        match run_plan(session, &plan, "", &leave, &record).await {
            Err(error) if !turn.is_held() => return Err(lock_lost(error)),
            done => done?,
        }
        // Nothing is left of it, nor of what it would have gone back to.
        if let Some(run) = turn.interrupted() {
            turn.close_interrupted(&run, false).await?;
        }
        Ok((observed, plan))
    }
}
