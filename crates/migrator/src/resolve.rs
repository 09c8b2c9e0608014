//! A person's decision about a file that is in doubt. It runs no statement of the file.

use mysql_async::{Conn, Opts};

use crate::alone::Alone;
use crate::error::MigrateError;
use crate::files::{MigrationFile, MigrationSet};
use crate::ledger::{self, LedgerRow, State};
use crate::session::Dialer;
use crate::settings::Settings;
use crate::units::Units;

/// What to do about the statement in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It did not take effect, or may run again: the next start runs it.
    Retry,
    /// It took effect, or was done by hand: the next start goes on behind it.
    Done,
}

/// Notes the decision in the ledger, under the lock; the next start acts on it. Returns the
/// statement, counted from 1, that it will begin with.
pub async fn resolve(
    opts: Opts,
    set: &MigrationSet,
    settings: &Settings,
    filename: &str,
    decision: Decision,
) -> Result<usize, MigrateError> {
    let dialer = Dialer::new(opts, settings)?;
    let mut alone = match Alone::take(&dialer).await? {
        Ok(alone) => alone,
        Err(busy) => return Err(nothing(filename, busy)),
    };
    let decided = decide(&dialer, &mut alone.conn, set, filename, decision).await;
    let freed = alone.leave(&dialer).await;
    let done = decided?;
    freed?;
    Ok(done + 1)
}

/// Looks and writes, under the lock; the answer is how many statements count as done.
async fn decide(
    dialer: &Dialer,
    conn: &mut Conn,
    set: &MigrationSet,
    filename: &str,
    decision: Decision,
) -> Result<usize, MigrateError> {
    let found = dialer
        .bounded("reading the ledger", ledger::read(conn))
        .await?;
    let (file, row) = in_doubt(set, found.get(filename), filename)?;
    let done = done_after(file, row, decision);
    dialer
        .bounded("writing the ledger", ledger::resolved(conn, file, done))
        .await?;
    Ok(done)
}

fn in_doubt<'a>(
    set: &'a MigrationSet,
    row: Option<&'a LedgerRow>,
    filename: &str,
) -> Result<(&'a MigrationFile, &'a LedgerRow), MigrateError> {
    let file = set
        .get(filename)
        .ok_or_else(|| nothing(filename, "there is no such file".to_owned()))?;
    let row = row.ok_or_else(|| nothing(filename, "it has not been begun".to_owned()))?;
    match row.state {
        State::InDoubt => Ok((file, row)),
        // A failure of the original SysNDD, which did not note how far it came.
        State::Failed if row.checksum.is_none() => Ok((file, row)),
        other => Err(nothing(filename, format!("it is {}", other.as_str()))),
    }
}

/// Statements that count as done. The unit that begins with the statement in doubt is decided as
/// one.
fn done_after(file: &MigrationFile, row: &LedgerRow, decision: Decision) -> usize {
    let total = file.statements().len();
    if row.checksum.is_none() {
        return if decision == Decision::Done { total } else { 0 };
    }
    let begun = row.in_doubt.unwrap_or(1).saturating_sub(1).min(total);
    match decision {
        Decision::Retry => begun.min(row.statements_done),
        Decision::Done => end_of_step(file, begun),
    }
}

/// Statements that are done when the step with the statement of this index is: those of a session
/// that cannot be taken up in between are one step.
pub(crate) fn end_of_step(file: &MigrationFile, statement: usize) -> usize {
    let units = Units::of(file, true);
    let step = units
        .units
        .iter()
        .find(|unit| unit.first <= statement && statement <= unit.last);
    step.map_or(file.statements().len(), |unit| unit.last + 1)
}

fn nothing(filename: &str, reason: String) -> MigrateError {
    MigrateError::NothingToResolve {
        file: filename.to_owned(),
        reason,
    }
}
