//! From a wish to a release that serves, in the operator's turn: lock, look, plan, execute, record.
//! When it fails, back to what served before.

use std::collections::BTreeMap;

use chrono::Utc;
use sysndd_protocol::ReleaseId;
use tokio_util::sync::CancellationToken;

use super::{
    images::{self, BuildMode},
    run::{Record, carry_out, explain, progress, stands},
    session::Session,
};
use crate::{
    config::ServiceName,
    docker::labels,
    edge,
    error::Error,
    execute::Failure,
    exit::Exit,
    observe::{Directory, Observed},
    plan::{self, Before, Images, ListBefore, Plan, ResolvedImage, UpIntent, Wish},
    release::{
        self, ImageRecord, Manifest, NewManifest, Outcome, Revision, ServiceRecord, Turn, Who, Why,
    },
};

/// A deployment that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// As it was typed, without the program's name.
    pub(super) command: String,
    pub(super) images: ImageSource,
    pub(super) wish: Wish,
    pub(super) why: Why,
    /// What the operator has to say about it.
    pub(super) message: Option<String>,
}

/// Where a deployment's images come from.
#[derive(Debug, Clone)]
pub(super) enum ImageSource {
    /// The sources that are here.
    Here(BuildMode),
    /// A release that is recorded.
    Recorded(Box<Manifest>),
}

impl Order {
    /// What `up` without options orders.
    pub(super) fn up(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            images: ImageSource::Here(BuildMode::Changed),
            wish: Wish::default(),
            why: Why::Deploy,
            message: None,
        }
    }
}

/// A deployment that did not come to its end, and what is recorded of it.
struct Unfinished {
    outcome: Outcome,
    error: Error,
}

impl<E: Into<Error>> From<E> for Unfinished {
    fn from(error: E) -> Self {
        Self {
            outcome: Outcome::Failed,
            error: error.into(),
        }
    }
}

/// The whole of `up`, also for `quickstart`, `rollback` and `verify --fresh`.
pub(super) async fn deploy(
    session: &Session,
    order: &Order,
    interrupt: &CancellationToken,
) -> Result<Plan, Error> {
    session.refuse_compose().await?;
    // What is as it should be needs no turn, and is told in no time.
    if let Some(plan) = nothing_to_do(session, order).await? {
        return Ok(plan);
    }
    // Refused before anything is made, and before a build has taken its minutes.
    refuse_unwritable_mounts(session, &session.observe().await?)?;
    let image = image_for_lock(session).await?;
    let (engine, stack) = (&session.engine, &session.stack);
    let mut turn = Turn::take(engine, stack, &image, &order.command).await?;
    let done = in_turn(session, order, &mut turn, interrupt).await;
    let (outcome, reason) = match &done {
        Ok(_) => (Outcome::Done, None),
        Err(unfinished) => {
            let first_line = unfinished.error.message.lines().next();
            (unfinished.outcome.clone(), first_line.map(str::to_owned))
        }
    };
    let ended = turn.end(outcome, reason).await;
    match done {
        Ok(plan) => {
            ended?;
            Ok(plan)
        }
        Err(unfinished) => Err(unfinished.error),
    }
}

/// The empty plan of a stack that is as it should be, and recorded so.
async fn nothing_to_do(session: &Session, order: &Order) -> Result<Option<Plan>, Error> {
    let ImageSource::Here(BuildMode::Changed | BuildMode::Never) = order.images else {
        return Ok(None);
    };
    let state = async { Ok(release::read_state(&session.engine, &session.stack).await?) };
    let (plan, state) = match tokio::try_join!(images::preview(session, &order.wish), state) {
        Ok(found) => found,
        // What is missing is made by the deployment itself.
        Err(error) if error.exit != Exit::EngineUnreachable => return Ok(None),
        Err(error) => return Err(error),
    };
    let recorded = session
        .observe()
        .await?
        .release()
        .is_some_and(|release| state.releases.contains_key(release));
    let settled = recorded && release::interrupted(&state, None).is_none();
    Ok((plan.is_empty() && plan.refused.is_empty() && settled).then_some(plan))
}

/// The plan of an order, from what is there; nothing is built, pulled or changed.
pub(super) async fn preview(session: &Session, order: &Order) -> Result<Plan, Error> {
    let ImageSource::Recorded(manifest) = &order.images else {
        return images::preview(session, &order.wish).await;
    };
    let (images, observed) =
        tokio::try_join!(recorded_images(session, manifest), session.observe())?;
    let intent = UpIntent {
        now: Utc::now(),
        run: String::new(),
        wish: order.wish.clone(),
        edge_template: manifest.edge_template(&session.stack).to_owned(),
        resume: None,
    };
    Ok(plan::up(&session.stack, &images, &observed, &intent))
}

/// The first of the bases; made, on a machine that has none.
async fn image_for_lock(session: &Session) -> Result<String, Error> {
    let (engine, stack) = (&session.engine, &session.stack);
    if let Ok(image) = release::helper_image(engine, stack).await {
        return Ok(image);
    }
    images::bases(session).await?;
    Ok(release::helper_image(engine, stack).await?)
}

async fn in_turn(
    session: &Session,
    order: &Order,
    turn: &mut Turn,
    interrupt: &CancellationToken,
) -> Result<Plan, Unfinished> {
    let interrupted = turn.interrupted();
    if let Some(run) = &interrupted {
        session.printer.note(run.explain());
    }
    let (images, observed) =
        tokio::try_join!(find_images(session, order, interrupt), session.observe())?;
    let edge_template = match &order.images {
        ImageSource::Here(_) => images::edge_template(&session.stack)?,
        ImageSource::Recorded(manifest) => manifest.edge_template(&session.stack).to_owned(),
    };
    let intent = UpIntent {
        now: Utc::now(),
        run: turn.run().to_string(),
        wish: order.wish.clone(),
        edge_template: edge_template.clone(),
        resume: interrupted.as_ref().and_then(|run| run.to.clone()),
    };
    let plan = plan::up(&session.stack, &images, &observed, &intent);
    refuse_lost_data(&plan)?;
    for note in &plan.notes {
        session.printer.note(note);
    }

    let from = turn.state().newest().map(|manifest| manifest.id.clone());
    let release = plan.release.clone().or_else(|| observed.release().cloned());
    let unrecorded = release.filter(|release| !turn.state().releases.contains_key(release));
    let manifest = match unrecorded {
        Some(id) => Some(manifest(session, order, &images, &edge_template, id).await?),
        None => None,
    };
    // A run that was cut off before it had proven anything is part of what is to be undone.
    let before = match &interrupted {
        Some(run) if !run.proven => run.before.clone(),
        _ => before(session, &observed).await?,
    };
    let journal = turn.begin(&plan, &before, from, manifest.as_ref()).await?;
    let record = Record::new(&journal);
    let token = while_held(turn, interrupt);
    let done = carry_out(session, &plan, &edge_template, &token, &record).await;
    match done {
        Ok(()) => {
            if let Some(mut manifest) = manifest {
                manifest.migration_head = record.migration_head().or_else(|| {
                    let newest = turn.state().newest();
                    newest.and_then(|manifest| manifest.migration_head.clone())
                });
                turn.complete(manifest).await?;
            }
            if let Some(run) = &interrupted {
                turn.close_interrupted(run, true).await?;
            }
            forget_old(session, turn).await?;
            Ok(plan)
        }
        Err(failure) => {
            let unfinished = take_back(session, turn, &plan, &failure, &before, &record).await;
            if let (Some(run), Outcome::Undone) = (&interrupted, &unfinished.outcome) {
                turn.close_interrupted(run, false).await?;
            }
            Err(unfinished)
        }
    }
}

async fn find_images(
    session: &Session,
    order: &Order,
    interrupt: &CancellationToken,
) -> Result<Images, Error> {
    match &order.images {
        ImageSource::Here(mode) => images::resolve(session, *mode, interrupt).await,
        ImageSource::Recorded(manifest) => recorded_images(session, manifest).await,
    }
}

async fn recorded_images(session: &Session, manifest: &Manifest) -> Result<Images, Error> {
    let mut found = Images::new();
    for (service, image) in manifest.images() {
        if session.engine.find_image(&image).await?.is_none() {
            return Err(Error::new(
                Exit::RollbackRefused,
                format!("the image of {service} in {} is gone: {image}", manifest.id),
            )
            .with_hint("`sysndd-deploy releases` lists the others; or check out its revision and run `sysndd-deploy up`"));
        }
        found.insert(service, ResolvedImage::Present(image));
    }
    Ok(found)
}

/// A token that ends with the operator's, or when the turn is lost.
pub(super) fn while_held(turn: &Turn, interrupt: &CancellationToken) -> CancellationToken {
    let (token, lost) = (interrupt.child_token(), interrupt.child_token());
    let cancel = token.clone();
    let mut held = turn.held();
    tokio::spawn(async move {
        tokio::select! {
            () = held.lost() => cancel.cancel(),
            () = lost.cancelled() => {}
        }
    });
    token
}

async fn manifest(
    session: &Session,
    order: &Order,
    images: &Images,
    edge_template: &str,
    id: ReleaseId,
) -> Result<Manifest, Error> {
    let stack = &session.stack;
    let mut services = BTreeMap::new();
    for (name, config_hash) in plan::config_hashes(stack, images) {
        let ResolvedImage::Present(image) = &images[name] else {
            unreachable!("images are made before a release is");
        };
        let found = session.engine.find_image(image).await?;
        let (reference, digest) = found.map_or((None, None), |image| {
            (
                image.tags.into_iter().next(),
                image.digests.into_iter().next(),
            )
        });
        let asked = order.wish.replicas.get(name).copied();
        let record = ServiceRecord {
            image: ImageRecord {
                id: image.clone(),
                reference,
                digest,
            },
            replicas: asked.unwrap_or(stack.services[name].replicas),
            config_hash,
        };
        services.insert(name.clone(), record);
    }
    let new = NewManifest {
        id,
        created_at: Utc::now(),
        by: Who::of_process(),
        why: order.why.clone(),
        message: order.message.clone(),
        revision: Revision::of(&stack.root),
        services,
        migration_head: None,
        restore_point: None,
        edge_template: edge_template.to_owned(),
    };
    Ok(Manifest::new(stack, new))
}

/// Releases beyond `keep_releases`, and the images that only they used.
async fn forget_old(session: &Session, turn: &mut Turn) -> Result<(), Error> {
    let keep = session.stack.deploy.keep_releases as usize;
    let beyond = turn.beyond(keep);
    if beyond.is_empty() {
        return Ok(());
    }
    turn.forget(&beyond).await?;
    for id in &beyond.images {
        let Some(image) = session.engine.find_image(id).await? else {
            continue;
        };
        if !image.labels.contains_key(labels::PROJECT) {
            continue;
        }
        for tag in &image.tags {
            // A container that someone made by hand, or a copy of the stack, may use it.
            if let Err(error) = session.engine.remove_image(tag).await {
                tracing::debug!(tag, %error, "the image of a dropped release stays");
            }
        }
    }
    Ok(())
}

/// What is needed to come back here.
pub(super) async fn before(session: &Session, observed: &Observed) -> Result<Before, Error> {
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
async fn take_back(
    session: &Session,
    turn: &Turn,
    plan: &Plan,
    failure: &Failure,
    before: &Before,
    record: &Record,
) -> Unfinished {
    let error = explain(plan, failure);
    let failed = match error.exit {
        Exit::Interrupted => Outcome::Interrupted,
        _ => Outcome::Failed,
    };
    let again = "`sysndd-deploy logs` and `sysndd-deploy status` show more; after mending it run the same command again";
    if !turn.is_held() {
        return Unfinished {
            outcome: failed,
            error: Error::new(Exit::LockHeld, "the deploy lock was lost: the link to the engine was cut, or someone released it by force")
                .with_more(format!("{}{}", progress(plan, failure), stands(session).await))
                .with_hint("when nobody else deploys, run the same command again: it goes on from what stands"),
        };
    }
    if plan.is_proven(&failure.done) {
        let what = "the new release serves; what it replaced is not all gone";
        let stands = format!(
            "{what}: {}{}",
            progress(plan, failure),
            stands(session).await
        );
        let error = error.with_more(stands);
        return Unfinished {
            outcome: failed,
            error: error.or_hint("run the same command again: it finishes the job"),
        };
    }
    if !before.served() {
        // There is nothing to go back to, and what stands shows why.
        let stands = format!("{}{}", progress(plan, failure), stands(session).await);
        return Unfinished {
            outcome: failed,
            error: error.with_more(stands).or_hint(again),
        };
    }
    if error.exit == Exit::EngineUnreachable {
        let stands =
            "nothing could be undone; the old replicas serve, new ones may run beside them";
        return Unfinished {
            outcome: failed,
            error: error
                .with_more(stands)
                .or_hint("when the engine answers, run the same command again"),
        };
    }
    match undo(session, before, record).await {
        Ok(undone) => Unfinished {
            outcome: Outcome::Undone,
            error: error
                .with_more(format!("{undone}{}", stands(session).await))
                .or_hint(again),
        },
        Err(second) => {
            let stands = format!(
                "undoing it failed as well: {second}{}",
                stands(session).await
            );
            Unfinished {
                outcome: failed,
                error: error.with_more(stands).or_hint(
                    "mend what is named and run the same command again: it goes on from what stands",
                ),
            }
        }
    }
}

/// Back to what was there before. Ctrl-C does not end this half-way; a second one ends the process.
pub(super) async fn undo(
    session: &Session,
    before: &Before,
    record: &Record,
) -> Result<String, Error> {
    let observed = session.observe().await?;
    let plan = plan::undo(&session.stack, before, &observed);
    if plan.is_empty() {
        return Ok("nothing had been changed".to_owned());
    }
    session
        .printer
        .note("undoing what was done; the old replicas serve meanwhile");
    record.say("undoing what was done");
    for note in &plan.notes {
        session.printer.note(note);
    }
    let token = CancellationToken::new();
    match carry_out(session, &plan, "", &token, &Record::none()).await {
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
