//! From a wish to a release that serves, in the operator's turn: lock, look, plan, execute, record.
//! When it fails, back to what served before.

mod changes;
mod look;
mod record;
mod refuse;
mod take_back;

pub(super) use take_back::{before, lock_lost, undo};

use std::{collections::BTreeSet, sync::Arc};

use chrono::Utc;
use sysndd_protocol::ReleaseId;
use tokio_util::sync::CancellationToken;

use super::{
    cut_off,
    images::{self, BuildMode},
    run::{Record, carry_out},
    session::Session,
};
use crate::{
    error::Error,
    execute::Leave,
    exit::Exit,
    notify::{self, Ended, Notice},
    observe::Observed,
    plan::{self, Action, History, Images, OldEdge, OpId, Operation, Plan, UpIntent, Wish},
    release::{self, LastRun, Manifest, Outcome, State, Turn, Why},
    tls::TlsRecord,
};
use changes::describe;
use look::{images_that_are_there, look};
use record::{forget_old, manifest};
use refuse::{refuse_another_choice, refuse_lost_data, refuse_unwritable_mounts};
use take_back::{as_it_ran, take_back};

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
    Recorded {
        manifest: Box<Manifest>,
        /// How far the record had come when it was chosen.
        seen: Option<LastRun>,
    },
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
        let error = error.into();
        let outcome = match error.exit {
            Exit::RollbackRefused => Outcome::Refused,
            Exit::Interrupted => Outcome::Interrupted,
            _ => Outcome::Failed,
        };
        Self { outcome, error }
    }
}

impl Unfinished {
    /// Nothing was begun.
    fn refused(error: Error) -> Self {
        Self {
            outcome: Outcome::Refused,
            error,
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
    if let ImageSource::Here(mode) = order.images {
        // What is as it should be needs no turn, and is told in no time.
        let observed = session.observe().await?;
        if mode != BuildMode::Always
            && let Some(plan) = nothing_to_do(session, order, &observed).await?
        {
            return Ok(plan);
        }
        // Refused before a build has taken its minutes.
        refuse_unwritable_mounts(session, &observed)?;
    }
    let image = image_for_lock(session).await?;
    let stack = &session.stack;
    let began_at = Utc::now();
    let mut turn = session.turn(&image, &order.command, interrupt).await?;
    let done = Box::pin(in_turn(session, order, &mut turn, interrupt)).await;
    let (outcome, reason) = match &done {
        Ok(_) => (Outcome::Done, None),
        Err(unfinished) => {
            let first_line = unfinished.error.message.lines().next();
            (unfinished.outcome.clone(), first_line.map(str::to_owned))
        }
    };
    let release = turn.release().cloned();
    let ended = turn.end(outcome.clone(), reason.clone()).await;
    if !matches!(&done, Ok(plan) if plan.is_empty()) {
        let ended = Ended {
            project: &stack.project,
            why: &order.why,
            outcome: &outcome,
            release: release.as_ref(),
            command: &order.command,
            message: order.message.as_deref(),
            began_at,
            reason: reason.as_deref(),
        };
        tell(session, &ended).await;
    }
    match done {
        Ok(plan) => {
            ended?;
            Ok(plan)
        }
        Err(unfinished) => Err(unfinished.error),
    }
}

/// Tells who asked to be told. That it does not arrive is worth a note, and nothing more.
async fn tell(session: &Session, ended: &Ended<'_>) {
    let Some(notify) = &session.stack.notify else {
        return;
    };
    if let Err(cause) = notify::post(notify, &Notice::of(ended)).await {
        session
            .printer
            .note(format!("[notify] webhook was not told: {cause}"));
    }
}

/// The empty plan of a stack that is as it should be, and recorded so.
async fn nothing_to_do(
    session: &Session,
    order: &Order,
    observed: &Observed,
) -> Result<Option<Plan>, Error> {
    let images = images_that_are_there(session, order);
    let state = async { Ok(release::read_state(&session.engine, &session.stack).await?) };
    let (images, state) = match tokio::try_join!(images, state) {
        Ok(found) => found,
        // What is missing is made by the deployment itself.
        Err(error) if error.exit != Exit::EngineUnreachable => return Ok(None),
        Err(error) => return Err(error),
    };
    let known = Known {
        history: release::history(&state),
        resume: None,
        old_edge: old_edge(session, &state),
    };
    let plan = shown_plan(session, order, observed, &images, known)?;
    let recorded = observed
        .release()
        .is_some_and(|release| state.releases.contains_key(release));
    let recorded = recorded && plan.release.is_none();
    let settled = recorded && release::interrupted(&state, None).is_none();
    Ok((plan.is_empty() && plan.refused.is_empty() && settled).then_some(plan))
}

/// The plan of an order, from what is there; nothing is built, pulled or changed.
pub(super) async fn preview(session: &Session, order: &Order) -> Result<Plan, Error> {
    session.refuse_compose().await?;
    let state = async {
        let read = release::read_state(&session.engine, &session.stack).await;
        Ok(read.map_err(Error::from))
    };
    let images = images_that_are_there(session, order);
    let (observed, images, state) = tokio::try_join!(session.observe(), images, state)?;
    let (state, unread) = match state {
        Ok(state) => (state, None),
        Err(error) if error.exit == Exit::EngineUnreachable => return Err(error),
        // What there is can be told without it.
        Err(error) => (State::default(), Some(error)),
    };
    let interrupted = cut_off::tell_of(session, &state).await;
    let known = Known {
        history: release::history(&state),
        resume: interrupted.and_then(|run| run.to),
        old_edge: old_edge(session, &state),
    };
    let mut plan = shown_plan(session, order, &observed, &images, known)?;
    match unread {
        Some(error) => plan
            .notes
            .push(format!("what changed cannot be told: {error}")),
        None => describe(session, order, &observed, &images, &state, &mut plan).await?,
    }
    Ok(plan)
}

/// What the record says of earlier runs.
struct Known {
    history: History,
    /// The release that a run which was cut off was making.
    resume: Option<ReleaseId>,
    old_edge: Option<Arc<OldEdge>>,
}

/// The edge of the release that runs, as it is recorded.
fn old_edge(session: &Session, state: &State) -> Option<Arc<OldEdge>> {
    let manifest = state.newest()?;
    let ran = as_it_ran(session, state);
    let template = manifest.edge_template(&ran.stack);
    OldEdge::new(&ran.stack, template, &session.stack).map(Arc::new)
}

/// A plan that is not carried out.
fn shown_plan(
    session: &Session,
    order: &Order,
    observed: &Observed,
    images: &Images,
    known: Known,
) -> Result<Plan, Error> {
    let intent = UpIntent {
        now: Utc::now(),
        run: String::new(),
        wish: order.wish.clone(),
        edge_template: edge_template(session, order)?,
        old_edge: known.old_edge,
        resume: known.resume,
        history: known.history,
    };
    Ok(plan::up(&session.stack, images, observed, &intent))
}

fn edge_template(session: &Session, order: &Order) -> Result<String, Error> {
    match &order.images {
        ImageSource::Here(_) => images::edge_template(&session.stack),
        ImageSource::Recorded { manifest, .. } => {
            Ok(manifest.edge_template(&session.stack).to_owned())
        }
    }
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
    if let ImageSource::Recorded { seen, .. } = &order.images {
        refuse_another_choice(seen.as_ref(), turn.state()).map_err(Unfinished::refused)?;
    }
    let (images, observed) = look(session, order, interrupt).await?;
    refuse_unwritable_mounts(session, &observed).map_err(Unfinished::refused)?;
    let edge_template = edge_template(session, order)?;
    turn.keep_authority(&session.stack).await?;
    let intent = UpIntent {
        now: turn.release_time(),
        run: turn.run().to_string(),
        wish: order.wish.clone(),
        edge_template: edge_template.clone(),
        old_edge: old_edge(session, turn.state()),
        resume: interrupted.as_ref().and_then(|run| run.to.clone()),
        history: release::history(turn.state()),
    };
    let plan = plan::up(&session.stack, &images, &observed, &intent);
    refuse_lost_data(&plan).map_err(Unfinished::refused)?;
    for note in &plan.notes {
        session.printer.note(note);
    }

    let from = turn.state().newest().map(|manifest| manifest.id.clone());
    let release = plan.release_after(&observed);
    let unrecorded = release
        .clone()
        .filter(|release| !turn.state().releases.contains_key(release));
    let manifest = match unrecorded {
        Some(id) => Some(manifest(session, order, &images, &edge_template, id).await?),
        None => None,
    };
    // A run that was cut off before it had proven anything is part of what is to be undone.
    let before = match &interrupted {
        Some(run) if !run.proven => run.before.clone(),
        _ => before(&as_it_ran(session, turn.state()), &observed).await?,
    };
    let journal = turn.begin(&plan, &before, from, manifest.as_ref()).await?;
    let record = Record::new(&journal);
    let leave = while_held(turn, interrupt);
    let done = carry_out(session, &plan, &edge_template, &leave, &record).await;
    let provided = provided(&plan, done.as_ref().err().map(|failure| &failure.done));
    let provided = if turn.is_held() {
        turn.record_tls(provided).await
    } else {
        Ok(())
    };
    match done {
        Ok(()) => {
            provided.map_err(unrecorded_though_it_serves)?;
            if let Some(mut manifest) = manifest {
                // What a run that was cut off made is older than what the release wrote.
                manifest.restore_point = release::backup_of(turn.state(), &manifest.id)
                    .or_else(|| record.restore_point());
                manifest.migration_head = record.migration_head().or_else(|| {
                    let newest = turn.state().newest();
                    newest.and_then(|manifest| manifest.migration_head.clone())
                });
                let completed = turn.complete(manifest).await;
                completed.map_err(unrecorded_though_it_serves)?;
            }
            if let Some(run) = &interrupted {
                let closed = turn.close_interrupted(run, run.to == release).await;
                closed.map_err(unrecorded_though_it_serves)?;
            }
            if let Err(error) = forget_old(session, turn).await {
                // The next deployment does it.
                session
                    .printer
                    .note(format!("what is older than is to be kept stays: {error}"));
            }
            Ok(plan)
        }
        Err(failure) => {
            let mut unfinished = take_back(session, turn, &plan, &failure, &before, &record).await;
            if let Err(cause) = provided {
                unfinished.error = unfinished
                    .error
                    .with_more(format!("certificates are not recorded: {cause}"));
            }
            if let Some(point) = record.restore_point() {
                let backup = point.backup;
                unfinished.error = unfinished
                    .error
                    .with_more(format!("a backup was made before: {backup}"));
            }
            // One that had proven all that it made is what was gone back to: the next `up` finishes it.
            if let (Some(run), Outcome::Undone) = (&interrupted, &unfinished.outcome)
                && !run.proven
                && let Err(cause) = turn.close_interrupted(run, false).await
            {
                let told = format!("that `{}` is undone is not recorded: {cause}", run.command);
                unfinished.error = unfinished.error.with_more(told);
            }
            Err(unfinished)
        }
    }
}

/// All was done, and is not on record.
fn unrecorded_though_it_serves(cause: impl Into<Error>) -> Error {
    let mut error: Error = cause.into();
    error.message = format!("what was asked for serves, and is not recorded: {error}");
    error.or_hint("run the same command again: it records it")
}

/// The certificates that a plan wrote. `done` are the operations that were, when not all were.
fn provided(plan: &Plan, done: Option<&BTreeSet<OpId>>) -> Vec<TlsRecord> {
    let was_done = |operation: &&Operation| done.is_none_or(|done| done.contains(&operation.id));
    plan.operations
        .iter()
        .filter(was_done)
        .filter_map(|operation| match &operation.action {
            Action::ProvideTls { order, .. } => Some(TlsRecord::Issued(order.issued.clone())),
            _ => None,
        })
        .collect()
}

/// To go on until the operator interrupts it, or the turn is lost.
pub(super) fn while_held(turn: &Turn, interrupt: &CancellationToken) -> Leave {
    let token = interrupt.child_token();
    let cancel = token.clone();
    let held = turn.held();
    let mut lost = held.clone();
    tokio::spawn(async move {
        lost.lost().await;
        cancel.cancel();
    });
    Leave {
        interrupt: token,
        held: Some(held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_interrupts_a_build_has_not_made_it_fail() {
        let ended = |exit| Unfinished::from(Error::new(exit, "")).outcome;
        assert_eq!(ended(Exit::Interrupted), Outcome::Interrupted);
        assert_eq!(ended(Exit::RollbackRefused), Outcome::Refused);
        assert_eq!(ended(Exit::DeployFailed), Outcome::Failed);
    }
}
