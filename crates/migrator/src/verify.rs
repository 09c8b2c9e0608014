//! Proving again what was proven when it was applied: every post-condition of a finished file, and
//! that ledger and files still agree. It changes nothing: each query runs in a read-only
//! transaction that is rolled back.

use std::fmt;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value};
use serde::{Deserialize, Serialize};

use crate::apply::holds;
use crate::error::{MigrateError, is_transient, shortened};
use crate::files::{MigrationFile, MigrationSet};
use crate::ledger;
use crate::position::position;
use crate::settings::Gaps;

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// Every post-condition of a file that is done, in numeric order.
    pub conditions: Vec<Condition>,
    /// Finished files that have no post-condition.
    pub without: usize,
    /// Files that are not done.
    pub pending: Vec<String>,
    /// Contradictions between files and ledger, and files that failed or are in doubt.
    pub problems: Vec<String>,
}

/// One post-condition and its answer now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The file.
    pub file: String,
    /// Line of the query in it, counted from 1.
    pub line: usize,
    /// The query.
    pub query: String,
    /// What the database answered, or why it did not.
    pub answer: String,
    /// Whether that is one true value.
    pub verdict: Verdict,
}

/// Whether a post-condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Holds,
    /// Its answer is something else than one true value.
    False,
    /// The query cannot be run.
    Error,
}

impl VerifyReport {
    /// Whether there is nothing to complain about. Pending files are no fault.
    pub fn holds(&self) -> bool {
        self.problems.is_empty() && self.conditions.iter().all(Condition::holds)
    }
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.verdict == Verdict::Holds
    }
}

/// Runs the post-conditions of all finished files again and compares files with ledger. How long a
/// post-condition takes is its author's choice: nothing bounds it here.
pub async fn verify(
    conn: &mut Conn,
    set: &MigrationSet,
    gaps: Gaps,
) -> Result<VerifyReport, MigrateError> {
    conn.query_drop("SET NAMES utf8mb4")
        .await
        .map_err(|source| MigrateError::Session { source })?;
    let found = ledger::read(conn).await?;
    let now = position(set, &found.rows, gaps);
    let mut problems: Vec<String> = now.refusals.iter().map(ToString::to_string).collect();
    let unfinished = found
        .rows
        .iter()
        .filter(|row| matches!(row.state, ledger::State::Failed | ledger::State::InDoubt));
    problems.extend(unfinished.map(|row| {
        let why = row.error.as_ref().map(|error| format!(": {error}"));
        format!(
            "{} is {}{}",
            row.filename,
            row.state.as_str().replace('_', " "),
            why.unwrap_or_default()
        )
    }));
    let done: Vec<&MigrationFile> = set
        .files()
        .iter()
        .filter(|file| {
            !now.pending
                .iter()
                .any(|pending| pending.name() == file.name())
        })
        .collect();
    let conditions = conditions(conn, &done).await?;
    Ok(VerifyReport {
        without: done.len() - conditions.len(),
        conditions,
        pending: now
            .pending
            .iter()
            .map(|file| file.name().to_owned())
            .collect(),
        problems,
    })
}

/// Asks the post-conditions of these files.
pub(crate) async fn conditions(
    conn: &mut Conn,
    files: &[&MigrationFile],
) -> Result<Vec<Condition>, MigrateError> {
    let mut conditions = Vec::new();
    for file in files {
        let Some(verify) = file.verify() else {
            continue;
        };
        let (answer, verdict) = match ask(conn, &verify.query).await {
            Ok(rows) => match holds(&rows) {
                Ok(()) => (value(&rows), Verdict::Holds),
                Err(instead) => (instead, Verdict::False),
            },
            Err(error) if is_transient(&error) => {
                return Err(MigrateError::Lost {
                    reason: error.to_string(),
                });
            }
            Err(error) => (error.to_string(), Verdict::Error),
        };
        conditions.push(Condition {
            file: file.name().to_owned(),
            line: verify.line,
            query: verify.query.clone(),
            answer,
            verdict,
        });
    }
    Ok(conditions)
}

async fn ask(conn: &mut Conn, query: &str) -> mysql_async::Result<Vec<Row>> {
    conn.query_drop("START TRANSACTION READ ONLY").await?;
    let rows = conn.query(query).await;
    conn.query_drop("ROLLBACK").await?;
    rows
}

/// The one value of an answer that holds.
fn value(rows: &[Row]) -> String {
    match rows.first().and_then(|row| row.as_ref(0)) {
        Some(Value::Bytes(bytes)) => shortened(&String::from_utf8_lossy(bytes)),
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::UInt(number)) => number.to_string(),
        Some(other) => other.as_sql(false),
        None => String::new(),
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Holds => "holds",
            Verdict::False => "FALSE",
            Verdict::Error => "ERROR",
        };
        write!(
            f,
            "{verdict}  {}:{}  {}  → {}",
            self.file,
            self.line,
            shortened(&self.query),
            self.answer
        )
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for condition in &self.conditions {
            writeln!(f, "{condition}")?;
        }
        for problem in &self.problems {
            writeln!(f, "problem  {problem}")?;
        }
        let broken = self.conditions.iter().filter(|one| !one.holds()).count();
        writeln!(
            f,
            "{} of {} post-conditions hold, {} finished files have none, {} pending, {} problems",
            self.conditions.len() - broken,
            self.conditions.len(),
            self.without,
            self.pending.len(),
            self.problems.len()
        )
    }
}
