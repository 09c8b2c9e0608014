//! A ledger for a schema that was made before there was one: files are recorded as adopted and not
//! run. It runs no statement of a file but post-conditions, and writes nothing but the ledger.

use std::fmt;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use serde::{Deserialize, Serialize};

use crate::alone::Alone;
use crate::error::MigrateError;
use crate::files::{MigrationFile, MigrationSet};
use crate::ledger::{self, LEDGER_TABLE, Shape};
use crate::position::position;
use crate::session::Dialer;
use crate::settings::Settings;
use crate::verify::{Condition, conditions};

/// Which files the database has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upto {
    /// All of them.
    All,
    /// All up to this file, by its name or its number.
    File(String),
}

/// What [`baseline`] recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Files that now count as applied.
    pub recorded: Vec<String>,
    /// Their post-conditions, asked before anything was written.
    pub conditions: Vec<Condition>,
    /// Files that the next start applies.
    pub pending: Vec<String>,
}

/// Makes the ledger of a database that has the schema and no ledger, and records the files up to
/// `upto` with their checksums, as adopted: from then on they may neither change nor vanish.
///
/// Refused when the ledger has a row, when the database has no table, when files contradict each
/// other, and, unless `force`, when a post-condition of a file to be recorded does not hold.
pub async fn baseline(
    opts: Opts,
    set: &MigrationSet,
    settings: &Settings,
    upto: &Upto,
    force: bool,
) -> Result<Baseline, MigrateError> {
    let (files, pending) = chosen(set, upto)?;
    let dialer = Dialer::new(opts, settings)?;
    let mut alone = match Alone::take(&dialer).await? {
        Ok(alone) => alone,
        Err(busy) => return Err(refused(busy)),
    };
    let recorded = record(&dialer, &mut alone.conn, set, settings, &files, force).await;
    let freed = alone.leave(&dialer).await;
    let conditions = recorded?;
    freed?;
    let names =
        |files: &[&MigrationFile]| files.iter().map(|file| file.name().to_owned()).collect();
    Ok(Baseline {
        recorded: names(&files),
        conditions,
        pending: names(&pending),
    })
}

/// Looks and writes, under the lock; answers what the post-conditions said.
async fn record(
    dialer: &Dialer,
    conn: &mut Conn,
    set: &MigrationSet,
    settings: &Settings,
    files: &[&MigrationFile],
    force: bool,
) -> Result<Vec<Condition>, MigrateError> {
    let found = dialer
        .bounded("reading the ledger", ledger::read(conn))
        .await?;
    if !found.rows.is_empty() {
        return Err(refused(format!(
            "the ledger (table {LEDGER_TABLE}) has {} rows already; `migrate status` shows them",
            found.rows.len()
        )));
    }
    let refusals = position(set, &[], settings.gaps).refusals;
    if !refusals.is_empty() {
        return Err(MigrateError::Refused(refusals));
    }
    let tables = dialer.bounded("counting the tables", tables(conn));
    if tables.await? == 0 {
        return Err(refused(format!(
            "the database {} has no table. Let a start apply the files",
            dialer.database()
        )));
    }
    let conditions = conditions(conn, files).await?;
    let broken: Vec<String> = conditions
        .iter()
        .filter(|condition| !condition.holds())
        .map(|condition| format!("\n  {condition}"))
        .collect();
    if !broken.is_empty() && !force {
        return Err(refused(format!(
            "these post-conditions do not hold, so the files are not in this schema. Record fewer files, mend the data, or insist with --force:{}",
            broken.concat()
        )));
    }
    let shape = ready(dialer, conn, found.shape).await?;
    let adopted = ledger::adopted(conn, &shape, files, settings);
    dialer.bounded("writing the ledger", adopted).await?;
    Ok(conditions)
}

/// The files to record and those behind them.
fn chosen<'a>(
    set: &'a MigrationSet,
    upto: &Upto,
) -> Result<(Vec<&'a MigrationFile>, Vec<&'a MigrationFile>), MigrateError> {
    let files = set.files();
    let last = match upto {
        Upto::All => files.last().map(MigrationFile::version),
        Upto::File(wanted) => {
            let number = wanted.parse::<u64>().ok();
            let found = files
                .iter()
                .find(|file| file.name() == wanted || Some(file.version()) == number);
            found.map(MigrationFile::version)
        }
    };
    let Some(last) = last else {
        return Err(refused(match upto {
            Upto::All => format!("there is no migration in {}", set.directory().display()),
            Upto::File(wanted) => format!(
                "no file in {} has the name or number `{wanted}`",
                set.directory().display()
            ),
        }));
    };
    Ok(files.iter().partition(|file| file.version() <= last))
}

async fn tables(conn: &mut Conn) -> Result<u64, MigrateError> {
    let query = format!(
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
         AND TABLE_TYPE = 'BASE TABLE' AND TABLE_NAME <> '{LEDGER_TABLE}'"
    );
    let count: Option<u64> = conn
        .query_first(query)
        .await
        .map_err(|source| MigrateError::Session { source })?;
    Ok(count.unwrap_or(0))
}

/// The ledger table, made or brought up to date.
async fn ready(dialer: &Dialer, conn: &mut Conn, shape: Shape) -> Result<Shape, MigrateError> {
    let success = shape.has_success();
    match &shape {
        Shape::Absent => {
            dialer
                .bounded("creating the ledger", ledger::create(conn))
                .await?;
        }
        Shape::Present { missing, .. } if !missing.is_empty() => {
            dialer
                .bounded("adopting the ledger", ledger::adopt(conn, missing))
                .await?;
        }
        Shape::Present { .. } => {}
    }
    Ok(Shape::Present {
        missing: Vec::new(),
        success,
    })
}

fn refused(reason: String) -> MigrateError {
    MigrateError::NoBaseline { reason }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for condition in &self.conditions {
            writeln!(f, "{condition}")?;
        }
        for file in &self.recorded {
            writeln!(f, "recorded  {file}")?;
        }
        for file in &self.pending {
            writeln!(f, "pending   {file}")?;
        }
        writeln!(
            f,
            "{} files count as applied, none was run; {} are pending",
            self.recorded.len(),
            self.pending.len()
        )
    }
}
