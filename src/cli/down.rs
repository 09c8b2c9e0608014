//! `down`: take the stack away.

use std::time::Instant;

use serde_json::json;

use super::{
    Global,
    run::{interrupt_token, run_plan},
    session::Session,
};
use crate::{
    error::Error,
    exit::Exit,
    observe::observe,
    output::{Printer, seconds},
    plan::{self, DownIntent},
    release,
};

/// Stop and remove the stack: dependents first, each with its grace period.
///
/// Volumes stay, and with them the data; `up` finds them again.
#[derive(Debug, clap::Args)]
pub(super) struct Down {
    /// Remove the volumes too: the data in them is lost, and the record of releases
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
        run_plan(&session, &plan, "", &interrupt_token()).await?;
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
}
