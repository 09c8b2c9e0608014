//! `quickstart`: from a fresh machine to proven replicas.

use std::{
    collections::BTreeMap, io::Write as _, os::unix::fs::OpenOptionsExt as _, time::Instant,
};

use rand::{Rng as _, distr::Alphanumeric};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    Global,
    deploy::{Order, before, deploy, lock_lost, while_held},
    run::{Record, interrupt_token, outcome_of, run_plan, what_stands},
    session::{self, Session},
    verify::verify_and_record,
};
use crate::{
    config::{self, SecretSpec},
    docker::Engine,
    error::Error,
    exit::Exit,
    host,
    observe::observe,
    output::{Printer, seconds},
    plan,
    release::{self, Turn},
    verify::{Selection, Verdict},
};

/// From a fresh machine to proven replicas: finds or installs and starts a Docker Engine, gets the
/// base images, writes .env with fresh secrets, builds, brings the stack up and verifies it.
///
/// Run again it changes nothing and ends in seconds.
#[derive(Debug, clap::Args)]
pub(super) struct Quickstart {}

impl Quickstart {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let began = Instant::now();
        let engine = host::ensure_engine(&global.engine(), |step| printer.say(step)).await?;
        write_secrets(global, printer, &engine).await?;

        let stack = session::load(global)?;
        let mut session = Session::on_engine(global, printer, stack, engine);
        session.may_install = true;
        let order = Order::up("quickstart");
        let interrupt = interrupt_token();
        let done = deploy(&session, &order, &interrupt).await?;
        run_jobs(&session, &interrupt).await?;
        let report = verify_and_record(&session, &Selection::default()).await?;
        let observed = session.observe().await?;
        let public_url = session.public_url(&observed);

        let answer = json!({
            "schema": "sysndd-deploy/quickstart/1",
            "changed": !done.is_empty(),
            "duration_ms": began.elapsed().as_millis(),
            "url": session.url(&observed),
            "public_url": public_url,
            "tell": session.stack.quickstart.tell,
            "verify": report,
        });
        printer.data(&answer, || {
            let changed = if done.is_empty() {
                ", nothing to do"
            } else {
                ""
            };
            let tell = session.stack.quickstart.tell.as_deref();
            let tell = tell.map(|line| format!("{line}\n")).unwrap_or_default();
            format!(
                "{}\n{} in {}{changed}: {}\n{}\n{tell}",
                report.human(),
                session.stack.project,
                seconds(began.elapsed()),
                what_stands(&session, &observed),
                public_url.as_deref().unwrap_or("no port is published"),
            )
        });
        Ok(if report.verdict == Verdict::Pass {
            Exit::Done
        } else {
            Exit::CheckFailed
        })
    }
}

/// Runs what `[quickstart]` names, in a turn of its own: another's would take the jobs for left over.
/// It is said what each job prints.
async fn run_jobs(session: &Session, interrupt: &CancellationToken) -> Result<(), Error> {
    let (engine, stack) = (&session.engine, &session.stack);
    if stack.quickstart.jobs.is_empty() {
        return Ok(());
    }
    let image = release::helper_image(engine, stack).await?;
    let mut turn = session.turn(&image, "quickstart", interrupt).await?;
    let done = jobs_in_turn(session, &mut turn, interrupt).await;
    let (outcome, reason) = outcome_of(&done);
    let ended = turn.end(outcome, reason).await;
    done?;
    Ok(ended?)
}

async fn jobs_in_turn(
    session: &Session,
    turn: &mut Turn,
    interrupt: &CancellationToken,
) -> Result<(), Error> {
    let stack = &session.stack;
    let observed = session.observe().await?;
    let Some(release) = observed.release() else {
        return Ok(());
    };
    let run = turn.run().to_string();
    let plan = plan::jobs(stack, &observed, release, &stack.quickstart.jobs, &run);
    let before = before(session, &observed).await?;
    let from = turn.state().newest().map(|manifest| manifest.id.clone());
    let record = Record::new(&turn.begin(&plan, &before, from, None).await?);
    let leave = while_held(turn, interrupt);
    match run_plan(session, &plan, "", &leave, &record).await {
        Err(error) if !turn.is_held() => Err(lock_lost(error)),
        done => done,
    }
}

/// Writes the secrets of `[secrets]` that neither the environment nor `.env` has.
async fn write_secrets(global: &Global, printer: Printer, engine: &Engine) -> Result<(), Error> {
    let environment = config::Environment::of_process()?;
    let path = session::path(global, &environment)?;
    let missing = config::missing_secrets(&path, &environment)?;
    if missing.is_empty() {
        return Ok(());
    }
    // The rest of the file must be right before anything is written.
    let mut filled = environment.clone();
    filled.variables.extend(
        missing
            .keys()
            .map(|name| (name.clone(), "to be made".to_owned())),
    );
    let stack = config::load(&path, &filled)?;
    let project = match &global.project {
        Some(name) => config::project_name(name).map_err(Error::usage)?,
        None => stack.project,
    };
    let observed = observe(engine, &project, None).await?;
    let names: Vec<&str> = missing.keys().map(String::as_str).collect();
    let early = missing.values().any(|spec| !spec.late);
    if early && !observed.volumes.is_empty() {
        // A new password would not open a database that was made with the old one.
        return Err(Error::usage(format!(
            "{} is not in .env, but {project} has volumes that were made with it",
            names.join(", ")
        ))
        .with_hint("bring the .env of that time back; or give the data up with `sysndd-deploy down --volumes`"));
    }
    let file = path.with_file_name(".env");
    append(&file, &missing)
        .map_err(|error| Error::usage(format!("writing {}: {error}", file.display())))?;
    printer.say(format!("{} written to .env", names.join(", ")));
    Ok(())
}

fn append(file: &std::path::Path, secrets: &BTreeMap<String, SecretSpec>) -> std::io::Result<()> {
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let mut text = String::new();
    if !before.is_empty() && !before.ends_with('\n') {
        text.push('\n');
    }
    for (name, spec) in secrets {
        let value: String = rand::rng()
            .sample_iter(Alphanumeric)
            .take(spec.length)
            .map(char::from)
            .collect();
        text.push_str(&format!("{name}={value}\n"));
    }
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
