//! What is done to the replicas of one round, and what is expected then. Each begins on an empty
//! database and ends when every replica has ended; how the database looks is compared afterwards.

mod doubt;
mod hung;

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use sysndd_protocol::Event;

pub(super) use self::{
    doubt::{Decision, doubt},
    hung::{hung, stale},
};
use super::{random::Random, round::Round, starter::Starter};
use crate::engine::docker;

/// What was seen of one round.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Facts {
    /// Disturbances that hit a replica at work.
    pub(super) landed: usize,
    /// Starts of replicas that had ended without being done.
    pub(super) again: usize,
    pub(super) in_doubt: usize,
    /// From the applier's completion to the last of those that waited.
    pub(super) last_ready: Option<Duration>,
}

/// Chance, and the usual numbers of a round.
pub(super) struct Terms {
    pub(super) random: Random,
    pub(super) starters: usize,
    /// How long an undisturbed applier takes.
    pub(super) usual: Duration,
}

/// Nothing happens to them.
pub(super) fn calm(round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
    round.start(terms.starters, &[])?;
    round.finish()?;
    let acquired = round.count(|event| matches!(event, Event::MigrationLockAcquired { .. }));
    ensure!(
        acquired == 1,
        "migration.lock_acquired was emitted {acquired} times"
    );
    Ok(Facts {
        last_ready: last_ready(round),
        ..Facts::default()
    })
}

/// The applier is killed at a random moment, and perhaps the one that takes over, and the next.
pub(super) fn kills(round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
    let mut facts = Facts::default();
    round.start(terms.starters, &[])?;
    let most = u64::try_from(terms.starters.clamp(2, 4) - 1)?;
    let mut left = terms.usual;
    for _ in 0..=terms.random.below(most) {
        let Some((applier, waited)) = at_random_moment(round, terms, left)? else {
            break;
        };
        left = left.saturating_sub(waited);
        if !round.kill(applier)? {
            break;
        }
        facts.landed += 1;
    }
    round.finish()?;
    let acquired = round.count(|event| matches!(event, Event::MigrationLockAcquired { .. }));
    ensure!(
        acquired <= facts.landed + 1,
        "{acquired} appliers and only {} were killed",
        facts.landed
    );
    Ok(facts)
}

/// The first applier dies by itself at a named point.
pub(super) fn point(
    round: &mut Round<'_>,
    terms: &mut Terms,
    fault: &str,
) -> anyhow::Result<Facts> {
    round.start(1, &[("SYSNDD_FAULT", fault)])?;
    // The others start when it can no longer come too late to apply.
    round.expect("the first applier", |round| {
        let first = &round.starters[0];
        (first.applies() || first.has_ended()).then_some(())
    })?;
    round.start(terms.starters - 1, &[])?;
    round.expect("the end of the one with the fault", |round| {
        round.starters[0].has_ended().then_some(())
    })?;
    ensure!(
        round.starters[0].last_exit() == Some(137),
        "the point was not reached: the replica ended with {:?}",
        round.starters[0].last_exit()
    );
    round.starters[0].disturbed = true;
    round.finish()?;
    Ok(Facts {
        landed: 1,
        ..Facts::default()
    })
}

/// The server ends the applier's connection at a random moment.
pub(super) fn cut(round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
    round.start(terms.starters, &[])?;
    let usual = terms.usual;
    let hit = at_random_moment(round, terms, usual)?.is_some() && round.cut();
    Ok(Facts {
        landed: usize::from(hit),
        again: recover(round)?,
        ..Facts::default()
    })
}

/// The database is restarted at a random moment: asked to end, or killed.
pub(super) fn restart(
    round: &mut Round<'_>,
    terms: &mut Terms,
    killed: bool,
) -> anyhow::Result<Facts> {
    round.start(terms.starters, &[])?;
    let usual = terms.usual;
    let hit = match at_random_moment(round, terms, usual)? {
        Some((applier, _)) => round.starters[applier].applies(),
        None => false,
    };
    let container = &round.field.database.container;
    if killed {
        docker(&["kill", "--signal", "KILL", container])?;
        docker(&["start", container])?;
    } else {
        docker(&["restart", "--time", "30", container])?;
    }
    let again = recover(round)?;
    // All may have been done before, and nobody have waited for it.
    round.field.await_database()?;
    Ok(Facts {
        landed: usize::from(hit),
        again,
        ..Facts::default()
    })
}

/// The replicas are there before the database is.
pub(super) fn starting(round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
    let container = &round.field.database.container;
    docker(&["stop", "--time", "30", container])?;
    let started = round.start(terms.starters, &[]);
    docker(&["start", container])?;
    started?;
    Ok(Facts {
        landed: 1,
        again: recover(round)?,
        ..Facts::default()
    })
}

/// Waits for an applier, and then for a random moment within `limit`, or the applier's end. `None`
/// when all is done without one.
fn at_random_moment(
    round: &mut Round<'_>,
    terms: &mut Terms,
    limit: Duration,
) -> anyhow::Result<Option<(usize, Duration)>> {
    let Some(applier) = round.next_applier()? else {
        return Ok(None);
    };
    let delay = terms.random.time(limit);
    round.listen(Instant::now() + delay, |round| {
        (!round.starters[applier].applies()).then_some(())
    });
    Ok(Some((applier, delay)))
}

/// Starts what ended too early again, as an engine with a restart policy does, until all have
/// ended well; how often.
fn recover(round: &mut Round<'_>) -> anyhow::Result<usize> {
    const MOST: usize = 200;
    let mut again = 0;
    loop {
        let ended_early = round.expect("every replica's good end", |round| {
            let early = |starter: &Starter| starter.has_ended() && starter.last_exit() != Some(0);
            match round.starters.iter().position(early) {
                Some(at) => Some(Some(at)),
                None => round.all_ended().then_some(None),
            }
        })?;
        let Some(at) = ended_early else {
            return Ok(again);
        };
        if again >= MOST {
            bail!("wedged: {}", round.starters[at].last_words());
        }
        round.start_again(at)?;
        again += 1;
    }
}

/// From the applier's completion to the last of those that had to wait for it.
fn last_ready(round: &Round<'_>) -> Option<Duration> {
    let events = || round.starters.iter().flat_map(|starter| &starter.events);
    let time = |of: fn(&Event) -> bool| {
        events()
            .filter(move |event| of(&event.event))
            .map(|event| event.ts)
    };
    let complete = time(|event| matches!(event, Event::MigrationComplete { .. })).max()?;
    let last = time(|event| matches!(event, Event::MigrationObserved { .. })).max()?;
    (last - complete).to_std().ok()
}
