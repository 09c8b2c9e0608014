//! `verify`: prove that the deployment is right.

use std::collections::BTreeMap;

use sysndd_protocol::ReleaseId;
use tokio_util::sync::CancellationToken;

use super::{
    Global,
    deploy::{ImageSource, Order, deploy},
    images::BuildMode,
    run::{Record, interrupt_token, run_plan},
    session::{Session, unique_project},
};
use crate::{
    config::{ServiceName, Stack},
    docker::labels,
    error::Error,
    execute::Leave,
    exit::Exit,
    observe::observe,
    output::Printer,
    plan::{self, DownIntent, Wish},
    release::{self, LockError, Turn, TurnError},
    verify::{self, Report, Selection, Suite, Verdict},
};

/// The check that needs a replica which starts on an up-to-date schema.
const FAST_PATH: &str = "migration.fast-path";

/// Prove that the deployment is right, by asking every replica itself. Exit code 1 when a check
/// fails.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// Only these suites
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SUITE")]
    suite: Vec<Suite>,
    /// Only these checks; one that cannot be made is then a failure
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    check: Vec<String>,
    /// How many replicas should be there, instead of the file's count: 4, or api=4
    #[arg(short = 'n', long, value_name = "N")]
    replicas: Vec<String>,
    /// In an isolated copy of the stack, with empty volumes and no host port, that is removed
    /// afterwards; the live stack is not touched
    #[arg(long)]
    fresh: bool,
    /// List the checks
    #[arg(long, exclusive = true)]
    list: bool,
}

impl Verify {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        if self.list {
            let ids: Vec<&str> = verify::ids().collect();
            printer.data(&ids, || ids.join("\n") + "\n");
            return Ok(Exit::Done);
        }
        let selection = Selection {
            suites: self.suite.clone(),
            ids: self.check.clone(),
        };
        if let Some(unknown) = selection.unknown().first() {
            return Err(
                Error::usage(format!("--check {unknown}: there is no such check"))
                    .with_hint("`sysndd-deploy verify --list` names them"),
            );
        }
        let session = Session::open(global, printer).await?;
        let stack = self.expected_stack(&session)?;
        let session = session.with_other_stack(stack);
        let report = if self.fresh {
            fresh(&session, &selection).await?
        } else {
            verify_and_record(&session, &selection).await?
        };
        printer.data(&report, || report.human());
        Ok(if report.verdict == Verdict::Pass {
            Exit::Done
        } else {
            Exit::CheckFailed
        })
    }

    /// The stack with the number of replicas that was asked for.
    fn expected_stack(&self, session: &Session) -> Result<Stack, Error> {
        let counts = session.replica_counts(&self.replicas)?;
        Ok(with_replicas(&session.stack, &counts))
    }
}

/// The stack as it is to be when so many were asked for.
pub(super) fn with_replicas(stack: &Stack, counts: &BTreeMap<ServiceName, u32>) -> Stack {
    let mut stack = stack.clone();
    for (service, count) in counts {
        if let Some(service) = stack.services.get_mut(service) {
            service.replicas = *count;
        }
    }
    stack
}

/// A whole verification becomes part of the release's record; one of some checks does not.
pub(super) async fn verify_and_record(
    session: &Session,
    selection: &Selection,
) -> Result<Report, Error> {
    let report = verify_live(session, selection).await?;
    let whole = selection.suites.is_empty() && selection.ids.is_empty();
    if let (true, Some(release)) = (whole, &report.release)
        // What Compose made has no record to add to.
        && release.as_str() != labels::COMPOSE
    {
        record(session, release, &report).await?;
    }
    Ok(report)
}

async fn record(session: &Session, release: &ReleaseId, report: &Report) -> Result<(), Error> {
    let (engine, stack) = (&session.engine, &session.stack);
    let image = release::helper_image(engine, stack).await?;
    let mut turn = match Turn::take(engine, stack, &image, "verify").await {
        Err(TurnError::Lock(held @ LockError::Held { .. })) => {
            session
                .printer
                .note(format!("the verdict is not recorded: {held}"));
            return Ok(());
        }
        turn => turn?,
    };
    // What was started before releases were recorded has no record to add to.
    let release = turn.state().running(release).clone();
    let recorded = if turn.state().releases.contains_key(&release) {
        let pass = report.verdict == Verdict::Pass;
        let json =
            serde_json::to_value(report).map_err(|error| Error::deploy(error.to_string()))?;
        turn.verdict(&release, pass, json).await
    } else {
        Ok(())
    };
    turn.leave().await?;
    Ok(recorded?)
}

/// All selected checks on the stack as it stands.
pub(super) async fn verify_live(session: &Session, selection: &Selection) -> Result<Report, Error> {
    let observed = session.observe().await?;
    Ok(verify::verify(
        &session.stack,
        &session.engine,
        &session.prober,
        observed,
        selection,
    )
    .await)
}

/// Brings a copy up from nothing, verifies it, and takes it away whatever happens.
async fn fresh(session: &Session, selection: &Selection) -> Result<Report, Error> {
    let copy = session.with_other_stack(isolated(&session.stack));
    copy.printer.note(format!(
        "a fresh copy named {} is brought up",
        copy.stack.project
    ));
    let result = verify_copy(&copy, selection).await;
    let removed = remove(&copy).await;
    let report = result?;
    removed?;
    Ok(report)
}

async fn verify_copy(copy: &Session, selection: &Selection) -> Result<Report, Error> {
    let interrupt = interrupt_token();
    let order = Order::up("verify --fresh");
    deploy(copy, &order, &interrupt).await?;
    let mut report = verify_live(copy, selection).await?;

    let wanted = verify::wanted(selection, FAST_PATH);
    if let (true, Some(migrations)) = (wanted, &copy.stack.migrations) {
        // One more replica, now that the schema is complete: it must not ask for the lock.
        let service = &migrations.service;
        let count = copy.stack.services[service].replicas + 1;
        let order = Order {
            images: ImageSource::Here(BuildMode::Never),
            wish: Wish {
                replicas: BTreeMap::from([(service.clone(), count)]),
                ..Wish::default()
            },
            ..order
        };
        deploy(copy, &order, &interrupt).await?;
        let only = Selection {
            suites: Vec::new(),
            ids: vec![FAST_PATH.to_owned()],
        };
        report.replace(verify_live(copy, &only).await?);
    }
    Ok(report)
}

async fn remove(copy: &Session) -> Result<(), Error> {
    let observed = observe(&copy.engine, &copy.stack.project, None).await?;
    let mut stack = copy.stack.clone();
    for service in stack.services.values_mut() {
        // Nothing in the copy is worth a grace period.
        service.stop_grace_period = std::time::Duration::ZERO;
    }
    let plan = plan::down(&stack, &observed, DownIntent { volumes: true });
    let leave = Leave {
        interrupt: CancellationToken::new(),
        held: None,
    };
    run_plan(copy, &plan, "", &leave, &Record::none()).await?;
    Ok(release::erase(&copy.engine, &copy.stack.project).await?)
}

/// A copy that shares nothing with the original but its images.
fn isolated(stack: &Stack) -> Stack {
    let mut copy = stack.clone();
    copy.project = unique_project(&stack.project, "fresh");
    for service in copy.services.values_mut() {
        service.ports.clear();
    }
    // Of a copy that comes and goes nobody wants to hear.
    copy.notify = None;
    copy
}
