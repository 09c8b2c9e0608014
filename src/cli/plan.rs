//! `plan`: what `up` would do.

use super::{
    Global,
    deploy::{Order, preview},
    session::Session,
};
use crate::{error::Error, exit::Exit, output::Printer, plan::Wish};

/// Show what `up` would do, and why; change nothing.
#[derive(Debug, clap::Args)]
pub(super) struct PlanCommand {
    /// How many replicas, instead of the file's count: 4, or api=4
    #[arg(short = 'n', long, value_name = "N")]
    replicas: Vec<String>,
    /// As `up --force`
    #[arg(long)]
    force: bool,
    /// As `up --allow-recreate`
    #[arg(long, value_name = "SERVICE")]
    allow_recreate: Vec<String>,
    /// As `up --no-backup`
    #[arg(long)]
    no_backup: bool,
    /// Exit with 10 when something would change
    #[arg(long)]
    exit_code: bool,
}

impl PlanCommand {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let session = Session::open(global, printer).await?;
        let wish = Wish {
            no_backup: self.no_backup,
            ..session.wish(&self.replicas, self.force, &self.allow_recreate)?
        };
        let order = Order {
            wish,
            ..Order::up("plan")
        };
        let plan = preview(&session, &order).await?;
        printer.data(&plan, || plan.to_string());
        Ok(if self.exit_code && !plan.is_empty() {
            Exit::ChangesPending
        } else {
            Exit::Done
        })
    }
}
