//! `rollback`: an earlier release again, whole, by the same way as any other.

use std::time::Instant;

use sysndd_migrator::{Compat, LedgerRow};
use sysndd_protocol::ReleaseId;

use super::{
    Global, cut_off,
    deploy::{ImageSource, Order, deploy, preview},
    releases::find,
    run::interrupt_token,
    session::{self, Session},
    turn::Wait,
    typed,
    up::UpReport,
};
use crate::{
    config::{Environment, Secrets, Stack},
    error::Error,
    exit::Exit,
    output::Printer,
    plan::Wish,
    release::{self, AuditRecord, AuditResult, InterruptedRun, Manifest, RestorePoint, State, Why},
    verify,
};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy rollback                      the newest earlier release that was verified
  sysndd-deploy rollback r20261119-1015       this one; the beginning of its name is enough
  sysndd-deploy rollback --restore-backup     with the data as they were before the next deployment
  sysndd-deploy rollback --plan               what would be done";

/// Bring an earlier release back: its images, its configuration, its replicas; secrets as they are
/// now. It is recorded as a release of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Rollback {
    /// A release, or the beginning of its name; by default the newest earlier one that was verified
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Show the plan and change nothing
    #[arg(long, alias = "dry-run")]
    plan: bool,
    /// Even if the schema has migrations that the earlier release does not work with
    #[arg(long)]
    allow_schema_ahead: bool,
    /// Bring the data back as well: the backup that was made before the next deployment
    #[arg(long)]
    restore_backup: bool,
    /// A service that keeps data (a database) may be replaced if it changed
    #[arg(long, value_name = "SERVICE")]
    allow_recreate: Vec<String>,
    /// Make no backup first, where the file asks for one: when the database is what is broken
    #[arg(long)]
    no_backup: bool,
    /// What is recorded with the release: why
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    wait: Wait,
}

impl Rollback {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let mut now = Session::open(global, printer).await?;
        now.wait_until = self.wait.deadline();
        now.wait_for_lock().await?;
        let state = release::read_state(&now.engine, &now.stack).await?;
        let chosen = self.choose(&now, &state).await;
        if let Err(error) = &chosen
            && error.exit == Exit::RollbackRefused
            && !(self.plan || state.releases.is_empty())
        {
            let record = AuditRecord {
                reason: error.message.lines().next().map(str::to_owned),
                ..AuditRecord::now(typed(), AuditResult::Refused)
            };
            if let Err(cause) = release::add_to_audit(&now.engine, &now.stack, &record).await {
                printer.note(format!("the refusal is not recorded: {cause}"));
            }
        }
        let (target, restore) = chosen?;

        let environment = Environment::of_process()?;
        let path = session::path(global, &environment)?;
        let secrets = Secrets::beside(&path, &environment)?;
        let mut stack = target.stack(&secrets)?;
        if let Some(point) = &restore {
            with_restore_job(&mut stack, &now.stack, point)?;
        }
        // Who is told is a matter of now.
        stack.notify.clone_from(&now.stack.notify);
        let session = now.with_other_stack(stack);
        let wish = session.wish(&[], false, &self.allow_recreate)?;
        let order = Order {
            command: typed(),
            images: ImageSource::Recorded {
                manifest: Box::new(target.clone()),
                seen: state.last_run(),
            },
            wish: Wish {
                replicas: target.replicas(),
                no_backup: self.no_backup,
                restore: restore.as_ref().map(|point| point.backup.clone()),
                ..wish
            },
            why: Why::Rollback {
                to: target.id.clone(),
            },
            message: self.message.clone(),
        };
        if self.plan {
            let plan = preview(&session, &order).await?;
            printer.data(&plan, || plan.to_string());
            return Ok(Exit::Done);
        }
        printer.note(format!("rolling back to {}", target.id));
        if let Some(RestorePoint { backup, taken_at }) = &restore {
            let taken_at = taken_at.format("%Y-%m-%d %H:%M:%S UTC");
            printer.note(format!(
                "with the data of {backup}, made {taken_at}: what was written since is lost"
            ));
        }
        let plan = deploy(&session, &order, &interrupt_token()).await?;
        UpReport::new(&session, &plan, began).await?.print(printer);
        Ok(Exit::Done)
    }

    /// Where to go, with which data.
    async fn choose<'a>(
        &self,
        now: &Session,
        state: &'a State,
    ) -> Result<(&'a Manifest, Option<RestorePoint>), Error> {
        let observed = now.observe().await?;
        let interrupted = cut_off::interrupted(now, state).await?;
        let running = observed.release().map(|seen| state.running(seen));
        let target = self.target(state, running, interrupted.as_ref())?;
        let restore = self.restore_point(state, target)?;
        if restore.is_none() {
            self.guard_schema(now, &observed, target).await?;
        }
        Ok((target, restore))
    }

    /// The backup that holds the data as the target left them, where one is asked for.
    fn restore_point(
        &self,
        state: &State,
        target: &Manifest,
    ) -> Result<Option<RestorePoint>, Error> {
        if !self.restore_backup {
            return Ok(None);
        }
        release::restore_point(state, target).map(Some).ok_or_else(|| {
            refused(format!(
                "{} has no restore point: no backup was made between it and the next change of the schema",
                target.id
            ))
            .with_hint("roll back without --restore-backup, or restore a backup by hand first; `[deploy] pre_deploy_backup` makes one before each deployment")
        })
    }

    fn target<'a>(
        &self,
        state: &'a State,
        running: Option<&ReleaseId>,
        interrupted: Option<&InterruptedRun>,
    ) -> Result<&'a Manifest, Error> {
        if let Some(id) = &self.id {
            return brought_up(state, &find(state, id)?.id);
        }
        if let Some(target) = interrupted.and_then(|run| release::way_back(state, run)) {
            return Ok(target);
        }
        let running = running
            .cloned()
            .or_else(|| state.newest().map(|manifest| manifest.id.clone()))
            .ok_or_else(|| refused("nothing was released yet"))?;
        release::rollback_target(state, &running).ok_or_else(|| {
            refused(format!(
                "there is no release before {running} that was verified and differs from it"
            ))
            .with_hint("`sysndd-deploy releases` lists all; name one to go there all the same")
        })
    }

    /// An earlier release must be able to work on the schema as it is.
    async fn guard_schema(
        &self,
        session: &Session,
        observed: &crate::observe::Observed,
        target: &Manifest,
    ) -> Result<(), Error> {
        let Some(migrations) = &session.stack.migrations else {
            return Ok(());
        };
        let ledger = verify::read_ledger(
            &session.stack,
            migrations,
            &session.engine,
            &session.prober,
            observed,
        );
        let rows = match ledger.await {
            Ok(ledger) => ledger.rows,
            Err(_) if self.allow_schema_ahead => return Ok(()),
            Err(cause) => {
                return Err(refused(format!(
                    "it cannot be told whether {} works on the schema: the ledger cannot be read: {cause}",
                    target.id
                ))
                .with_hint("--allow-schema-ahead goes on without knowing"));
            }
        };
        let ahead = breaking_above(&rows, target.migration_head.as_deref());
        if ahead.is_empty() {
            return Ok(());
        }
        let files = ahead.join(", ");
        if self.allow_schema_ahead {
            session.printer.note(format!(
                "{} does not work with {files}, which the schema has; --allow-schema-ahead was given",
                target.id
            ));
            return Ok(());
        }
        Err(refused(format!(
            "{} does not work on the schema as it is: {files} came after it and breaks earlier releases",
            target.id
        ))
        .with_hint("roll forward with a new release; or --allow-schema-ahead, if you know better"))
    }
}

/// A release that was named: of one that was only tried nobody knows that it can run.
fn brought_up<'a>(state: &'a State, id: &ReleaseId) -> Result<&'a Manifest, Error> {
    state.releases.get(id).ok_or_else(|| {
        refused(format!("{id} was never brought up to its end"))
            .with_hint("`sysndd-deploy releases` says why, and which were; `sysndd-deploy up` at its revision tries it again")
    })
}

/// The job that brings a backup back: the target's own, else the one that the file has now.
fn with_restore_job(stack: &mut Stack, now: &Stack, point: &RestorePoint) -> Result<(), Error> {
    if stack.deploy.restore_backup.is_some() {
        return Ok(());
    }
    let job = now.deploy.restore_backup.as_ref();
    let job = job.map(|name| &now.jobs[name]);
    let Some(job) = job.filter(|job| stack.services.contains_key(&job.service)) else {
        return Err(refused(format!(
            "no job is known that brings {} back",
            point.backup
        ))
        .with_hint("name one in `[deploy] restore_backup`; or restore it by hand and roll back without --restore-backup"));
    };
    stack.jobs.insert(job.name.clone(), job.clone());
    stack.deploy.restore_backup = Some(job.name.clone());
    Ok(())
}

/// Migrations above `head` that earlier releases do not work with.
fn breaking_above<'a>(rows: &'a [LedgerRow], head: Option<&str>) -> Vec<&'a str> {
    let number = |name: &str| -> Option<u64> { name.split('_').next()?.parse().ok() };
    let head = head.and_then(number);
    rows.iter()
        .filter(|row| row.compat == Some(Compat::Breaking))
        .filter(|row| row.version.or_else(|| number(&row.filename)) > head)
        .map(|row| row.filename.as_str())
        .collect()
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Exit::RollbackRefused, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(file: &str, compat: &str) -> LedgerRow {
        serde_json::from_value(serde_json::json!({
            "filename": file, "version": null, "checksum": null, "compat": compat,
            "state": "applied", "applied_by": null, "run_id": null, "release": null,
            "applied_at": null, "duration_ms": 1, "statements_done": 1, "statements_total": 1,
            "in_doubt": null, "before_hash": null, "done_hash": null, "error": null,
        }))
        .unwrap()
    }

    #[test]
    fn only_breaking_migrations_above_the_head_stand_in_the_way() {
        let rows = [
            row("008_old.sql", "breaking"),
            row("009_head.sql", "backward"),
            row("010_wide.sql", "backward"),
            row("011_drop.sql", "breaking"),
        ];
        assert_eq!(
            breaking_above(&rows, Some("009_head.sql")),
            ["011_drop.sql"]
        );
        assert_eq!(breaking_above(&rows, Some("011_drop.sql")), [] as [&str; 0]);
        assert_eq!(breaking_above(&rows, None), ["008_old.sql", "011_drop.sql"]);
    }
}
