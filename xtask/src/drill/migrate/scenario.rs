//! What is done to the replicas of one round, and what is expected then. Each begins on an empty
//! database and ends when every replica has ended; how the database looks is compared afterwards.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use sysndd_protocol::Event;

use super::{field::DIR, files::DOUBTFUL_FILE, random::Random, round::Round};
use crate::{deploy::TestDatabase, engine::docker};

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
    let hit = at_random_moment(round, terms, usual)?.is_some();
    let container = &round.field.database.container;
    if killed {
        docker(&["kill", "--signal", "KILL", container])?;
        docker(&["start", container])?;
    } else {
        docker(&["restart", "--time", "30", container])?;
    }
    Ok(Facts {
        landed: usize::from(hit),
        again: recover(round)?,
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

/// The applier hangs: those that wait give up and name it; when it goes on, it finishes.
pub(super) fn hung(round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
    round.start(1, &[])?;
    let half = terms.usual / 2;
    let (holder, _) = at_random_moment(round, terms, half)?.context("nobody applied")?;
    let name = round.starters[holder].container.clone();
    // Where it may not see the attributes of other accounts' connections, a waiter names the
    // holder by its address.
    let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}:";
    let address = docker(&["inspect", "--format", template, &name])?;
    docker(&["pause", &name])?;
    let waited = (|| {
        round.start(terms.starters - 1, &[("SYSNDD_MIGRATE_WAIT", "1s")])?;
        round.expect("the end of those that wait", |round| {
            let mut others = round.starters[1..].iter();
            others.all(super::starter::Starter::has_ended).then_some(())
        })
    })();
    docker(&["unpause", &name])?;
    waited?;
    for waiter in &round.starters[1..] {
        let words = waiter.last_words();
        ensure!(
            waiter.last_exit() == Some(1)
                && [&name, &address].iter().any(|name| words.contains(*name)),
            "{} ended with {:?} and does not name {name} ({address}): {words}",
            waiter.container,
            waiter.last_exit()
        );
    }
    Ok(Facts {
        landed: 1,
        again: recover(round)?,
        ..Facts::default()
    })
}

/// The applier hangs for longer than the server bears with it: another takes over, and the first
/// one, when it goes on, changes nothing.
pub(super) fn stale(round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
    round.start(1, &[])?;
    let half = terms.usual / 2;
    let (holder, _) = at_random_moment(round, terms, half)?.context("nobody applied")?;
    let name = round.starters[holder].container.clone();
    docker(&["pause", &name])?;
    let taken_over = round.start(terms.starters - 1, &[]).and_then(|()| {
        round.expect("the end of those that take over", |round| {
            let mut others = round.starters[1..].iter();
            others.all(super::starter::Starter::has_ended).then_some(())
        })
    });
    docker(&["unpause", &name])?;
    taken_over?;
    round.expect("the end of the one that hung", |round| {
        round.starters[holder].has_ended().then_some(())
    })?;
    ensure!(
        round.starters[holder].last_exit() == Some(1),
        "it was replaced and ended with {:?}: {}",
        round.starters[holder].last_exit(),
        round.starters[holder].last_words()
    );
    Ok(Facts {
        landed: 1,
        again: recover(round)?,
        ..Facts::default()
    })
}

/// How the applier of a doubtful file is disturbed, and what a person then decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is killed, the statement runs on in the server: it is done.
    Done,
    /// Its connection is cut before the statement did anything: it is tried again.
    Retry,
}

/// An unguarded `CALL` is cut short: every replica must say that it is in doubt, with the command
/// that decides, and after that command the next start finishes.
pub(super) fn doubt(
    round: &mut Round<'_>,
    terms: &mut Terms,
    decision: Decision,
) -> anyhow::Result<Facts> {
    round.gate(false)?;
    round.start(terms.starters, &[])?;
    let applier = round.next_applier()?.context("nobody applied")?;
    let inside = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = '{}' AND STATE = 'User sleep'",
        round.name
    );
    let deadline = Instant::now() + super::round::PATIENCE;
    while round.field.database.sql("mysql", &inside)?.trim() != "1" {
        ensure!(Instant::now() < deadline, "wedged: the CALL never began");
    }
    match decision {
        Decision::Done => {
            ensure!(round.kill(applier)?, "the applier had already ended");
        }
        Decision::Retry => {
            round.starters[applier].disturbed = true;
            ensure!(round.cut(), "nobody holds the lock");
        }
    }
    round.gate(true)?;
    round.expect("every replica's end", |round| {
        round.all_ended().then_some(())
    })?;
    let option = match decision {
        Decision::Done => "--done",
        Decision::Retry => "--retry",
    };
    let command = format!("migrate resolve {DOUBTFUL_FILE} {option}");
    // One that starts afterwards is told as well.
    round.start(1, &[])?;
    round.expect("the end of a start on a file in doubt", |round| {
        round.all_ended().then_some(())
    })?;
    let newest = round.starters.len() - 1;
    let (mut in_doubt, mut told) = (0, false);
    for (at, starter) in round.starters.iter().enumerate() {
        let words = starter.last_words();
        let names_it = words.contains(&command);
        ensure!(
            starter.disturbed
                || starter.last_exit() == Some(1)
                    && words.contains(DOUBTFUL_FILE)
                    && (names_it || at != newest),
            "{} ended with {:?} and does not name `{command}`: {words}",
            starter.container,
            starter.last_exit(),
        );
        told |= names_it && at != newest;
        in_doubt += usize::from(!starter.disturbed);
    }
    ensure!(
        told,
        "the one that found the doubt does not name `{command}`"
    );
    resolve(round, &command)?;
    let again = recover(round)?;
    Ok(Facts {
        landed: 1,
        again,
        in_doubt,
        ..Facts::default()
    })
}

/// Runs the very command that was named.
fn resolve(round: &mut Round<'_>, command: &str) -> anyhow::Result<()> {
    let field = round.field;
    let url = format!(
        "SYSNDD_DATABASE_URL=mysql://root:{}@{}:3306/{}",
        TestDatabase::PASSWORD,
        TestDatabase::HOST,
        round.name
    );
    let (label, mount) = (field.label(), format!("{}:{DIR}:ro", round.volume()));
    let mut run = vec![
        "run",
        "--rm",
        "--label",
        &label,
        "--network",
        &field.database.network,
        "-v",
        &mount,
        "-e",
        &url,
        &field.image,
    ];
    run.extend(command.split(' '));
    run.extend(["--dir", DIR]);
    let said = docker(&run)?;
    round.note(0, &format!("({command}) {said}"));
    Ok(())
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
            let early = |starter: &super::starter::Starter| {
                starter.has_ended() && starter.last_exit() != Some(0)
            };
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
