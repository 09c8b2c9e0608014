//! The way back from a deployment that failed.

use tokio_util::sync::CancellationToken;

use super::{Unfinished, while_held};
use crate::{
    cli::{
        run::{Record, carry_out, explain, progress, stands},
        session::Session,
    },
    edge,
    error::Error,
    execute::Failure,
    exit::Exit,
    observe::Observed,
    plan::{self, Action, Before, JobStage, ListBefore, OpId, Plan},
    release::{Outcome, State, Turn},
};

/// With the stack by which what is old was made: that of the release that runs. As `session` is,
/// where none is recorded, or it cannot be read any more.
pub(super) fn as_it_ran(session: &Session, state: &State) -> Session {
    let recorded = state.newest().and_then(|manifest| {
        let ran = session.of_release(manifest);
        ran.inspect_err(|error| tracing::debug!(%error, "the release that runs cannot be read"))
            .ok()
    });
    recorded.unwrap_or_else(|| session.with_other_stack(session.stack.clone()))
}

/// What is needed to come back here.
pub(in crate::cli) async fn before(
    session: &Session,
    observed: &Observed,
) -> Result<Before, Error> {
    let mut list = None;
    let (engine, stack) = (&session.engine, &session.stack);
    if let Some(config) = &stack.edge {
        let mut edges = observed.replicas_of(&config.service);
        if let Some(replica) = edges.find(|replica| replica.is_running()) {
            // Who looked may have asked it as another stack's.
            let generation =
                edge::generation(engine, &session.prober, stack, config, replica).await;
            let content = edge::read(engine, stack, config, &replica.container).await?;
            list = generation
                .zip(content)
                .map(|(generation, content)| ListBefore {
                    generation,
                    content,
                });
        }
    }
    Ok(Before::new(observed, list))
}

/// Undoes a failed run, where there is something to go back to. The answer tells all of it.
pub(super) async fn take_back(
    session: &Session,
    turn: &Turn,
    plan: &Plan,
    failure: &Failure,
    before: &Before,
    record: &Record,
) -> Unfinished {
    let mut error = explain(plan, failure);
    let restoring = failure.operation.is_some_and(|OpId(index)| {
        let stage = JobStage::Restore;
        matches!(&plan.operations[index].action, Action::RunJob { stage: of, .. } if *of == stage)
    });
    if restoring {
        error = error.with_more("the data may be brought back in part: look before you go on");
    }
    let failed = match error.exit {
        Exit::Interrupted => Outcome::Interrupted,
        _ => Outcome::Failed,
    };
    let again = "`sysndd-deploy logs` and `sysndd-deploy status` show more; after mending it run the same command again";
    if !turn.is_held() {
        let stands = format!("{}{}", progress(plan, failure), stands(session).await);
        return Unfinished {
            outcome: failed,
            error: lock_lost(error).with_more(stands),
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
    let ran = as_it_ran(session, turn.state());
    match undo(session, turn, before, record).await {
        Ok(undone) => Unfinished {
            outcome: Outcome::Undone,
            error: error
                .with_more(format!("{undone}{}", stands(&ran).await))
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
pub(in crate::cli) async fn undo(
    session: &Session,
    turn: &Turn,
    before: &Before,
    record: &Record,
) -> Result<String, Error> {
    let ran = as_it_ran(session, turn.state());
    let observed = ran.observe().await?;
    let plan = plan::undo(&session.stack, &ran.stack, before, &observed);
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
    let leave = while_held(turn, &CancellationToken::new());
    // All that it waits for and tells is old.
    match carry_out(&ran, &plan, "", &leave, &Record::none()).await {
        Ok(()) => Ok("undone: everything is as it was before".to_owned()),
        Err(failure) if turn.is_held() => Err(explain(&plan, &failure)),
        Err(failure) => Err(lock_lost(explain(&plan, &failure))),
    }
}

/// What is told of a command that lost its lock; `cause` is what ended it.
pub(in crate::cli) fn lock_lost(cause: Error) -> Error {
    let lost = Error::new(
        Exit::LockHeld,
        "the deploy lock was lost: the link to the engine was cut, or someone released it by force",
    )
    .with_hint("when nobody else deploys, run the same command again: it goes on from what stands");
    match cause.exit {
        // By the loss itself.
        Exit::Interrupted => lost,
        _ => lost.with_more(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lost_the_lock_is_told_what_failed_before() {
        let error = lock_lost(Error::deploy("await ready api-1: it ended"));
        assert_eq!(error.exit, Exit::LockHeld);
        assert!(
            error.message.ends_with("\nawait ready api-1: it ended"),
            "{error}"
        );
        let error = lock_lost(Error::new(Exit::Interrupted, "interrupted"));
        assert!(!error.message.contains("interrupted"), "{error}");
    }
}
