//! `up`: bring the stack to what `sysndd.toml` says.

use std::{collections::BTreeMap, time::Instant};

use chrono::Utc;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    Global,
    images::{self, BuildMode},
    run::{interrupt_token, run_plan},
    session::Session,
    status::{self, StatusReport},
};
use crate::{
    config::ServiceName,
    error::Error,
    exit::Exit,
    observe::{Directory, Observed},
    output::{Printer, seconds},
    plan::{self, Plan, UpIntent},
};

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
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `up` did.
#[derive(Debug, Serialize)]
struct UpReport {
    schema: &'static str,
    changed: bool,
    operations: usize,
    duration_ms: u128,
    #[serde(flatten)]
    status: StatusReport,
}

impl Up {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let session = Session::open(global, printer).await?;
        let counts = session.replica_counts(&self.replicas)?;
        let interrupt = interrupt_token();
        let mode = match (self.build, self.no_build) {
            (true, _) => BuildMode::Always,
            (_, true) => BuildMode::Never,
            _ => BuildMode::Changed,
        };
        if self.dry_run {
            let plan = images::preview(&session, &counts, self.force).await?;
            printer.data(&plan, || plan.to_string());
            return Ok(Exit::Done);
        }
        let done = bring_up(&session, mode, &counts, self.force, &interrupt).await?;
        let observed = session.observe().await?;
        let report = UpReport {
            schema: "sysndd-deploy/up/1",
            changed: !done.is_empty(),
            operations: done.operations.len(),
            duration_ms: began.elapsed().as_millis(),
            status: status::report(&session, &observed),
        };
        printer.data(&report, || report.human(began.elapsed()));
        Ok(Exit::Done)
    }
}

impl UpReport {
    fn human(&self, elapsed: std::time::Duration) -> String {
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
        let mut text = format!(
            "{} {release} {what}: {} in {}\n",
            self.status.project,
            self.status.summary(),
            seconds(elapsed)
        );
        if let Some(url) = &self.status.url {
            text.push_str(&format!("{url}\n"));
        }
        text
    }
}

/// Images, plan, execution: the whole of `up`, also for `quickstart` and `verify --fresh`.
pub(super) async fn bring_up(
    session: &Session,
    mode: BuildMode,
    counts: &BTreeMap<ServiceName, u32>,
    force: bool,
    interrupt: &CancellationToken,
) -> Result<Plan, Error> {
    let observe = async {
        let observed = session.observe().await?;
        // Refused before a build has taken its minutes.
        refuse_unwritable_mounts(session, &observed)?;
        Ok(observed)
    };
    let (images, observed) = tokio::try_join!(images::resolve(session, mode, interrupt), observe)?;
    let edge_template = images::edge_template(&session.stack)?;
    let intent = UpIntent {
        now: Utc::now(),
        replicas: counts.clone(),
        force,
        edge_template: edge_template.clone(),
    };
    let plan = plan::up(&session.stack, &images, &observed, &intent);
    for note in &plan.notes {
        session.printer.note(note);
    }
    run_plan(session, &plan, &edge_template, interrupt).await?;
    Ok(plan)
}

/// The classic of a scaled deployment: a directory that the container's user cannot write to.
fn refuse_unwritable_mounts(session: &Session, observed: &Observed) -> Result<(), Error> {
    let faults = plan::mount_faults(&session.stack, observed, false);
    if faults.is_empty() {
        return Ok(());
    }
    let (mut text, mut commands) = (Vec::new(), Vec::new());
    for fault in faults {
        let path = fault.path.display();
        let (uid, gid) = (fault.user.uid, fault.user.gid);
        match fault.directory {
            Directory::Missing => {
                text.push(format!("{}: {path} does not exist", fault.service));
                commands.push(format!("sudo install -d -o {uid} -g {gid} {path}"));
            }
            Directory::Present { owner, mode } => {
                text.push(format!(
                    "{} runs as {uid}:{gid} and cannot write to {path}, which is {}:{} with mode {:04o}",
                    fault.service, owner.uid, owner.gid, mode & 0o7777,
                ));
                commands.push(format!("sudo chown {uid}:{gid} {path}"));
            }
        }
    }
    let hint = format!(
        "{}; or say `chown = true` at the mount",
        commands.join(" && ")
    );
    Err(Error::usage(text.join("\n")).with_hint(hint))
}
