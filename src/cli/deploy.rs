//! From a wish to a release that serves: images, plan, execution. When it fails, back to what
//! served before.

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use super::{
    images::{self, BuildMode},
    run::{carry_out, explain, progress, stands},
    session::Session,
};
use crate::{
    config::ServiceName,
    edge,
    error::Error,
    execute::Failure,
    exit::Exit,
    observe::{Directory, Observed},
    plan::{self, Before, ListBefore, Plan, UpIntent, Wish},
};

/// The whole of `up`, also for `quickstart` and `verify --fresh`.
pub(super) async fn bring_up(
    session: &Session,
    mode: BuildMode,
    wish: &Wish,
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
        wish: wish.clone(),
        edge_template: edge_template.clone(),
    };
    let plan = plan::up(&session.stack, &images, &observed, &intent);
    refuse_lost_data(&plan)?;
    for note in &plan.notes {
        session.printer.note(note);
    }
    let before = before(session, &observed).await?;
    match carry_out(session, &plan, &edge_template, interrupt).await {
        Ok(()) => Ok(plan),
        Err(failure) => Err(take_back(session, &plan, &failure, &before).await),
    }
}

/// What is needed to come back here.
async fn before(session: &Session, observed: &Observed) -> Result<Before, Error> {
    let mut list = None;
    if let (Some(config), Some(generation)) = (&session.stack.edge, observed.edge_generation) {
        let mut edges = observed.replicas_of(&config.service);
        if let Some(replica) = edges.find(|replica| replica.is_running()) {
            let content = edge::read(&session.engine, &session.stack, config, &replica.container);
            list = content.await?.map(|content| ListBefore {
                generation,
                content,
            });
        }
    }
    Ok(Before::new(observed, list))
}

/// Undoes a failed run, where there is something to go back to. The answer tells all of it.
async fn take_back(session: &Session, plan: &Plan, failure: &Failure, before: &Before) -> Error {
    let error = explain(plan, failure);
    let again = "`sysndd-deploy logs` and `sysndd-deploy status` show more; after mending it run the same command again";
    if plan.is_proven(&failure.done) {
        let what = "the new release serves; what it replaced is not all gone";
        return error
            .with_more(format!(
                "{what}: {}{}",
                progress(plan, failure),
                stands(session).await
            ))
            .or_hint("run the same command again: it finishes the job");
    }
    if !before.served() {
        // There is nothing to go back to, and what stands shows why.
        return error
            .with_more(format!(
                "{}{}",
                progress(plan, failure),
                stands(session).await
            ))
            .or_hint(again);
    }
    if error.exit == Exit::EngineUnreachable {
        return error
            .with_more(
                "nothing could be undone; the old replicas serve, new ones may run beside them",
            )
            .or_hint("when the engine answers, run the same command again");
    }
    match undo(session, before).await {
        Ok(undone) => error
            .with_more(format!("{undone}{}", stands(session).await))
            .or_hint(again),
        Err(failed) => error
            .with_more(format!(
                "undoing it failed as well: {failed}{}",
                stands(session).await
            ))
            .or_hint(
                "mend what is named and run the same command again: it starts from what stands",
            ),
    }
}

/// Back to what was there before. Ctrl-C does not end this half-way; a second one ends the process.
async fn undo(session: &Session, before: &Before) -> Result<String, Error> {
    let observed = session.observe().await?;
    let plan = plan::undo(&session.stack, before, &observed);
    if plan.is_empty() {
        return Ok("nothing had been changed".to_owned());
    }
    session
        .printer
        .note("undoing what was done; the old replicas serve meanwhile");
    for note in &plan.notes {
        session.printer.note(note);
    }
    match carry_out(session, &plan, "", &CancellationToken::new()).await {
        Ok(()) => Ok("undone: everything is as it was before".to_owned()),
        Err(failure) => Err(explain(&plan, &failure)),
    }
}

/// A database is never recreated in passing.
fn refuse_lost_data(plan: &Plan) -> Result<(), Error> {
    if plan.refused.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = plan.refused.iter().map(ServiceName::as_str).collect();
    let flags: Vec<String> = names
        .iter()
        .map(|name| format!("--allow-recreate {name}"))
        .collect();
    Err(Error::usage(format!(
        "{} would be recreated: it keeps data in a volume of its own, and is away until its new replica is ready",
        names.join(", ")
    ))
    .with_hint(format!(
        "`sysndd-deploy plan` shows what would be done; `sysndd-deploy up {}` does it (the volume stays)",
        flags.join(" ")
    )))
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
