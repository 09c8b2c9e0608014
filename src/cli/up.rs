//! `up`: bring the stack to what `sysndd.toml` says.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{
    Global,
    deploy::{ImageSource, Order, deploy, preview},
    images::BuildMode,
    run::interrupt_token,
    session::Session,
    status::{self, StatusReport},
    turn::Wait,
    typed,
    verify::{verify_and_record, with_replicas},
};
use crate::{
    error::Error,
    exit::Exit,
    host,
    output::{Printer, seconds},
    plan::{Plan, Wish},
    verify::{Report, Selection, Verdict},
};

/// Less room than that is told before anything is made.
const DISK_BYTES: u64 = 2_000_000_000;

/// Bring the stack to what sysndd.toml says.
///
/// Images whose sources changed are built first. Nothing happens to what is already as it should be.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Up {
    /// How many replicas, instead of the file's count: 4, or api=4
    #[arg(short = 'n', long, value_name = "N")]
    replicas: Vec<String>,
    /// Build all images, also where no source changed
    #[arg(long, conflicts_with = "no_build")]
    build: bool,
    /// Never build: use the images that are there, the newest where the sources changed since
    #[arg(long)]
    no_build: bool,
    /// Recreate everything in a new release, also where nothing changed
    #[arg(long)]
    force: bool,
    /// A service that keeps data (a database) may be replaced if it changed
    #[arg(long, value_name = "SERVICE")]
    allow_recreate: Vec<String>,
    /// Make no backup first, where the file asks for one: when the database is what is broken
    #[arg(long)]
    no_backup: bool,
    /// What is recorded with the release: why, or what is new
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Prove it afterwards, as `verify` does: a later `rollback` goes to what was proven
    #[arg(long, conflicts_with = "dry_run")]
    verify: bool,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    wait: Wait,
}

/// What `up` did.
#[derive(Debug, Serialize)]
pub(super) struct UpReport {
    schema: &'static str,
    changed: bool,
    operations: usize,
    duration_ms: u128,
    #[serde(flatten)]
    status: StatusReport,
    /// What `--verify` found.
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<Report>,
    #[serde(skip)]
    took: Duration,
}

impl Up {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let mut session = Session::open(global, printer).await?;
        session.wait_until = self.wait.deadline();
        let wish = Wish {
            no_backup: self.no_backup,
            ..session.wish(&self.replicas, self.force, &self.allow_recreate)?
        };
        let interrupt = interrupt_token();
        let mode = match (self.build, self.no_build) {
            (true, _) => BuildMode::Always,
            (_, true) => BuildMode::Never,
            _ => BuildMode::Changed,
        };
        let order = Order {
            images: ImageSource::Here(mode),
            wish,
            message: self.message,
            ..Order::up(&typed())
        };
        if self.dry_run {
            let plan = preview(&session, &order).await?;
            printer.data(&plan, || plan.to_string());
            return Ok(Exit::Done);
        }
        warn_of_full_disk(&session).await;
        let done = deploy(&session, &order, &interrupt).await?;
        let mut report = UpReport::new(&session, &done, began).await?;
        if self.verify {
            let stack = with_replicas(&session.stack, &order.wish.replicas);
            let session = session.with_other_stack(stack);
            report.verify = Some(verify_and_record(&session, &Selection::default()).await?);
        }
        report.print(printer);
        if report.is_wrong() {
            printer.hint(
                "`sysndd-deploy rollback` goes back to the newest earlier release that was proven",
            );
            return Ok(Exit::CheckFailed);
        }
        Ok(Exit::Done)
    }
}

/// An image that is built takes some hundred megabytes, and a database that cannot write stops.
async fn warn_of_full_disk(session: &Session) {
    if let Some((directory, free)) = host::free_space(&session.engine).await
        && free < DISK_BYTES
    {
        session.printer.note(format!(
            "only {} MB are free in {directory}; `sysndd-deploy prune --dry-run` shows what is not needed",
            free / 1_000_000
        ));
    }
}

impl UpReport {
    pub(super) async fn new(session: &Session, plan: &Plan, began: Instant) -> Result<Self, Error> {
        let observed = session.observe().await?;
        Ok(Self {
            schema: "sysndd-deploy/up/1",
            changed: !plan.is_empty(),
            operations: plan.operations.len(),
            duration_ms: began.elapsed().as_millis(),
            status: status::report(session, &observed),
            verify: None,
            took: began.elapsed(),
        })
    }

    pub(super) fn print(&self, printer: Printer) {
        printer.data(self, || self.human());
    }

    fn is_wrong(&self) -> bool {
        let verify = self.verify.as_ref();
        verify.is_some_and(|report| report.verdict != Verdict::Pass)
    }

    fn human(&self) -> String {
        let release = self
            .status
            .release
            .as_ref()
            .map_or("", |release| release.as_str());
        let what = if self.changed {
            "is up"
        } else {
            "is up, nothing to do"
        };
        let mut text = self.verify.as_ref().map_or_else(String::new, Report::human);
        text.push_str(&format!(
            "{} {release} {what}: {} in {}\n",
            self.status.project,
            self.status.summary(),
            seconds(self.took)
        ));
        if let Some(url) = &self.status.public_url {
            text.push_str(&format!("{url}\n"));
        }
        if let Some(maintenance) = &self.status.maintenance {
            text.push_str(&format!("{maintenance}\n"));
        }
        text
    }
}
