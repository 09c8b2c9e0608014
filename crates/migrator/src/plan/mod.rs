//! The dry run: what a start would do to a database, statement by statement, and what that costs.
//!
//! It reads, and changes nothing: it takes no lock, writes no ledger, and runs no statement of a
//! file.

mod read;
mod text;

use mysql_async::Conn;
use serde::Serialize;

use crate::ddl::{Schema, ddl};
use crate::error::{MigrateError, shortened};
use crate::files::{MigrationFile, MigrationSet};
use crate::header::{Compat, Verify};
use crate::holder::Holder;
use crate::impact::{Impact, Setting, impact};
use crate::ledger::{LedgerRow, State, read_with_lock};
use crate::lock::Keys;
use crate::position::position;
use crate::resume::{Resume, resume};
use crate::settings::Gaps;
use crate::status::LockState;
use crate::units::{How, Unit, Units};

/// What a start would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The server.
    pub server: Server,
    /// The database.
    pub database: String,
    /// Newest applied file.
    pub head: Option<String>,
    /// Files of the set that are applied.
    pub applied: usize,
    /// Rows of the ledger above the newest file of the set.
    pub ahead: Vec<String>,
    /// Why a start would be refused; then nothing of `files` would run.
    pub problems: Vec<String>,
    /// The migration lock: while it is held, another is at work on what is listed here.
    pub lock: LockState,
    /// The pending files, in the order in which they would run.
    pub files: Vec<PlannedFile>,
}

impl Plan {
    /// Whether a start would find nothing to do and nothing wrong.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.problems.is_empty()
    }

    /// Whether a start would not get through: refused, or stopped by a file in doubt.
    pub fn is_blocked(&self) -> bool {
        !self.problems.is_empty()
            || self
                .files
                .iter()
                .any(|file| matches!(file.start, Start::InDoubt { .. }))
    }
}

/// The server that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Whose it is.
    pub flavour: Flavour,
    /// Its version as it states it.
    pub version: String,
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// Oracle's, and what calls itself alike.
    MySql,
    /// `MariaDB`'s.
    MariaDb,
}

/// One pending file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFile {
    /// Number at the head of the name.
    pub version: u64,
    /// File name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether earlier releases still work on the schema after it.
    pub compat: Compat,
    /// Where it would begin.
    pub start: Start,
    /// What must hold after it.
    pub verify: Option<Verify>,
    /// All its statements, those that ran before too.
    pub statements: Vec<PlannedStatement>,
}

/// Where a file would begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Start {
    /// At its begin, for the first time.
    First,
    /// In the file: an earlier attempt came so far.
    Resume {
        /// First statement that would run, counted from 1.
        statement: usize,
        /// Why the earlier attempt ended, where it said so.
        error: Option<String>,
    },
    /// At this definition, which was begun and not seen to end: it would run unless the definition
    /// of its target has changed since.
    Compare {
        /// The statement, counted from 1.
        statement: usize,
        /// Why the earlier attempt ended, where it said so.
        error: Option<String>,
    },
    /// Every statement ran; only the post-condition would be looked at again.
    PostCondition {
        /// What it said the last time.
        error: Option<String>,
    },
    /// It would not begin: a person decides, with one of the commands.
    InDoubt {
        /// The statement, counted from 1.
        statement: usize,
        /// Why it cannot be told whether it ran.
        reason: String,
        /// `migrate resolve …`, without the name of the program.
        commands: Vec<String>,
    },
}

impl Start {
    /// First statement that would run, counted from 1; `None` when none would.
    pub fn statement(&self) -> Option<usize> {
        match self {
            Self::First => Some(1),
            Self::Resume { statement, .. } | Self::Compare { statement, .. } => Some(*statement),
            Self::PostCondition { .. } | Self::InDoubt { .. } => None,
        }
    }
}

/// One statement of a pending file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStatement {
    /// Counted from 1.
    pub number: usize,
    /// Its line in the file.
    pub line: usize,
    /// Its text on one line, shortened.
    pub text: String,
    /// Whether an earlier attempt did it.
    pub done: bool,
    /// What kind of statement it is, as far as a crash is concerned.
    pub class: StatementClass,
    /// What happens when the applier dies in it.
    pub after_crash: AfterCrash,
    /// What it costs. Absent when it is done.
    pub impact: Option<Impact>,
}

/// What kind of statement one is, as far as a crash is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementClass {
    /// Row changes, in one transaction with the ledger.
    Rows,
    /// A part of a transaction of the file's own, which the ledger joins.
    Transaction,
    /// One data definition, seen in its target.
    Definition,
    /// Anything whose effect cannot be seen from outside.
    Opaque,
}

/// What the next start does when the applier dies in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterCrash {
    /// It knows whether the statement ran.
    Exact,
    /// It runs the statement and those around it again, which are all guarded.
    Repeat,
    /// It runs the whole file again, as its header promises.
    Rerun,
    /// It stops and asks a person.
    Ask,
}

/// Reads what a start would do to the connection's database. The caller bounds it in time.
pub async fn plan(conn: &mut Conn, set: &MigrationSet, gaps: Gaps) -> Result<Plan, MigrateError> {
    let database = conn
        .opts()
        .db_name()
        .ok_or(MigrateError::NoDatabase)?
        .to_owned();
    let keys = Keys::of(&database);
    let (holder, ledger) = read_with_lock(conn, &keys).await?;
    let lock = match holder {
        Some(id) => LockState::held_by(&Holder::of(conn, id).await),
        None => LockState::default(),
    };
    let found = position(set, &ledger.rows, gaps);
    let about = read::about(conn).await?;
    // Both are only asked where something is to be estimated.
    let mut schema = Schema::default();
    let mut transactional = true;
    if !found.pending.is_empty() {
        schema = read::schema(conn, &about).await?;
        transactional = read::is_transactional(conn).await?;
    }
    let setting = Setting {
        mysql: about.mysql(),
        checks_foreign_keys: about.checks_foreign_keys,
    };
    let mut files = Vec::new();
    for file in &found.pending {
        let mut planned = planned(file, ledger.get(file.name()), transactional);
        estimate(file, &mut planned, &mut schema, setting);
        files.push(planned);
    }
    Ok(Plan {
        server: about.server,
        database,
        head: found.head.map(str::to_owned),
        applied: found.applied,
        ahead: found.ahead.iter().map(|row| row.filename.clone()).collect(),
        problems: found.refusals.iter().map(ToString::to_string).collect(),
        lock,
        files,
    })
}

/// One file without the cost of its statements.
fn planned(file: &MigrationFile, row: Option<&LedgerRow>, transactional: bool) -> PlannedFile {
    let units = Units::of(file, transactional);
    let start = start(file, &units, row);
    let first = start.statement().unwrap_or(usize::MAX);
    let in_doubt = matches!(start, Start::InDoubt { .. });
    let done = row.map_or(0, |row| row.statements_done);
    let statements = units
        .units
        .iter()
        .flat_map(|unit| (unit.first..=unit.last).map(move |at| (at, unit)))
        .map(|(at, unit)| {
            let statement = &file.statements()[at];
            PlannedStatement {
                number: at + 1,
                line: statement.line,
                text: shortened(&statement.text),
                done: if in_doubt { at < done } else { at + 1 < first },
                class: class(unit),
                after_crash: after_crash(file, unit),
                impact: None,
            }
        })
        .collect();
    PlannedFile {
        version: file.version(),
        name: file.name().to_owned(),
        description: file.description().to_owned(),
        compat: file.compat(),
        start,
        verify: file.verify().cloned(),
        statements,
    }
}

/// Adds what each statement costs that would run, on the schema as those before it leave it.
fn estimate(
    file: &MigrationFile,
    planned: &mut PlannedFile,
    schema: &mut Schema,
    mut setting: Setting,
) {
    for (statement, planned) in file.statements().iter().zip(&mut planned.statements) {
        if let Some(checks) = sets_foreign_key_checks(&statement.text) {
            setting.checks_foreign_keys = checks;
        }
        if !planned.done {
            planned.impact = Some(impact(&statement.text, schema, setting));
            schema.apply(&ddl(&statement.text));
        }
    }
}

/// What `SET foreign_key_checks = …` sets for the rest of the file.
fn sets_foreign_key_checks(statement: &str) -> Option<bool> {
    let text = statement.to_ascii_lowercase();
    let (_, value) = text.strip_prefix("set")?.split_once("foreign_key_checks")?;
    match value.trim_start_matches([' ', '\t', ':', '=']).get(..1)? {
        "0" => Some(false),
        "1" => Some(true),
        "o" => Some(!value.contains("off")),
        _ => None,
    }
}

fn start(file: &MigrationFile, units: &Units, row: Option<&LedgerRow>) -> Start {
    let Some(row) = row else {
        return Start::First;
    };
    let in_doubt = |statement: usize, reason: String| Start::InDoubt {
        statement,
        reason,
        commands: ["--retry", "--done"]
            .map(|decision| format!("migrate resolve {} {decision}", file.name()))
            .to_vec(),
    };
    // The state stands until a person has decided, whatever the file says by now.
    if row.state == State::InDoubt {
        let reason = row.error.clone();
        return in_doubt(
            row.in_doubt.unwrap_or(1),
            reason.unwrap_or_else(|| "an earlier start found so".to_owned()),
        );
    }
    let error = row.error.clone();
    match resume(file, units, Some(row)) {
        Resume::At(unit) => match units.units.get(unit) {
            Some(unit) => Start::Resume {
                statement: unit.first + 1,
                error,
            },
            None => Start::PostCondition { error },
        },
        Resume::Compare { unit, .. } => Start::Compare {
            statement: units.units[unit].first + 1,
            error,
        },
        Resume::InDoubt { statement, reason } => in_doubt(statement + 1, reason),
    }
}

fn class(unit: &Unit) -> StatementClass {
    match unit.how {
        How::Rows => StatementClass::Rows,
        How::Transaction => StatementClass::Transaction,
        How::Definition(_) => StatementClass::Definition,
        How::Opaque { .. } => StatementClass::Opaque,
    }
}

fn after_crash(file: &MigrationFile, unit: &Unit) -> AfterCrash {
    match unit.how {
        How::Rows | How::Transaction => AfterCrash::Exact,
        _ if file.may_rerun() => AfterCrash::Rerun,
        How::Definition(_) => AfterCrash::Exact,
        How::Opaque { guarded: true, .. } => AfterCrash::Repeat,
        How::Opaque { .. } => AfterCrash::Ask,
    }
}
