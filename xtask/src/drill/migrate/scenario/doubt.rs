//! What cannot be resumed safely: it ends in doubt, is said with the command that decides, and
//! after that command the next start finishes.

use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::{
    super::{
        field::DIR,
        files::DOUBTFUL_FILE,
        round::{PATIENCE, Round},
    },
    Facts, Terms, recover,
};
use crate::{deploy::TestDatabase, engine::docker};

/// How the applier of a doubtful file is disturbed, and what a person then decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Decision {
    /// It is killed, the statement runs on in the server: it is done.
    Done,
    /// Its connection is cut before the statement did anything: it is tried again.
    Retry,
}

/// An unguarded `CALL` is cut short: every replica must say that it is in doubt, with the command
/// that decides, and after that command the next start finishes.
pub(in super::super) fn doubt(
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
    let deadline = Instant::now() + PATIENCE;
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
