//! A run that was cut off: what commands that change nothing say of it.

use super::session::Session;
use crate::{
    error::Error,
    release::{self, InterruptedRun, LockStatus, State},
};

/// The newest run that began, has no end, and is nobody's any more.
pub(super) async fn interrupted(
    session: &Session,
    state: &State,
) -> Result<Option<InterruptedRun>, Error> {
    let live = match release::lock_status(&session.engine, &session.stack.project).await? {
        LockStatus::Held(holder) => Some(holder.run),
        LockStatus::Free | LockStatus::Ending(_) => None,
    };
    Ok(release::interrupted(state, live.as_ref()))
}

/// Says so, and what to do about it. A state that cannot be read is no reason not to show the rest.
pub(super) async fn tell(session: &Session) -> Option<InterruptedRun> {
    let state = release::read_state(&session.engine, &session.stack)
        .await
        .inspect_err(|error| tracing::debug!(%error, "the state was not read"))
        .ok()?;
    tell_of(session, &state).await
}

/// As [`tell`], by a state that was read.
pub(super) async fn tell_of(session: &Session, state: &State) -> Option<InterruptedRun> {
    let run = interrupted(session, state)
        .await
        .inspect_err(|error| tracing::debug!(error = error.message, "the lock was not looked at"))
        .ok()??;
    session.printer.note(run.explain());
    session
        .printer
        .hint("`sysndd-deploy up` or `sysndd-deploy rollback` deals with it");
    Some(run)
}
