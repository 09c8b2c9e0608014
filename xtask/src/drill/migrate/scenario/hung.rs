//! An applier that hangs: for a while, and for longer than the server bears with it.

use anyhow::{Context as _, ensure};

use super::{
    super::{round::Round, starter::Starter},
    Facts, Terms, at_random_moment, recover,
};
use crate::engine::docker;

/// The applier hangs: those that wait give up and name it; when it goes on, it finishes.
pub(in super::super) fn hung(round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
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
            others.all(Starter::has_ended).then_some(())
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
pub(in super::super) fn stale(round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
    round.start(1, &[])?;
    let half = terms.usual / 2;
    let (holder, _) = at_random_moment(round, terms, half)?.context("nobody applied")?;
    let name = round.starters[holder].container.clone();
    docker(&["pause", &name])?;
    let taken_over = round.start(terms.starters - 1, &[]).and_then(|()| {
        round.expect("the end of those that take over", |round| {
            let mut others = round.starters[1..].iter();
            others.all(Starter::has_ended).then_some(())
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
