//! `GET /api/admin/migrations`: the ledger, and what a start of this release would do.
//!
//! It reads and changes nothing. Applying is the business of a start, deciding about a file in doubt
//! that of `sysndd-api migrate resolve`: neither belongs behind a button.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sysndd_migrator::{self as migrator, Compat, LedgerRow, PlannedFile, PlannedStatement, Start};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Administrator;
use crate::http::{Answer, Problem};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Where the schema stands, against the files of this release.
#[derive(Debug, Serialize, ToSchema)]
struct Migrations {
    /// Newest applied file.
    head: Option<String>,
    /// Files of this release that are applied.
    applied: usize,
    /// Applied files that this release does not know.
    ahead: Vec<String>,
    /// Why a start would be refused.
    problems: Vec<String>,
    /// The database server's version.
    server: String,
    lock: MigrationLock,
    /// The ledger, by number.
    ledger: Vec<LedgerEntry>,
    /// What a start would do: the pending files, in order.
    pending: Vec<PendingFile>,
}

/// The lock that one applier at a time holds.
#[derive(Debug, Serialize, ToSchema)]
struct MigrationLock {
    held: bool,
    holder: Option<String>,
}

/// What became of one file.
#[derive(Debug, Serialize, ToSchema)]
struct LedgerEntry {
    filename: String,
    /// `running`, `applied`, `failed`, `in_doubt` or `adopted`.
    state: &'static str,
    /// Whether earlier releases cannot work on the schema after it.
    breaking: bool,
    /// The replica that applied it.
    applied_by: Option<String>,
    /// The release that applied it.
    release: Option<String>,
    /// When it was done, or begun while it is not.
    applied_at: Option<DateTime<Utc>>,
    duration_ms: Option<u64>,
    statements_done: usize,
    statements_total: usize,
    /// SHA-256 of the file as it was applied.
    checksum: Option<String>,
    error: Option<String>,
}

/// A file that a start would apply.
#[derive(Debug, Serialize, ToSchema)]
struct PendingFile {
    filename: String,
    description: String,
    /// Whether earlier releases cannot work on the schema after it.
    breaking: bool,
    /// Why it would not begin at its first statement.
    note: Option<String>,
    statements: Vec<PendingStatement>,
}

/// One statement of it.
#[derive(Debug, Serialize, ToSchema)]
struct PendingStatement {
    /// Counted from 1.
    number: usize,
    /// Its line in the file.
    line: usize,
    /// Its text on one line, shortened.
    text: String,
    /// Whether an earlier attempt did it.
    done: bool,
    cost: Option<StatementCost>,
}

/// What it costs a running database.
#[derive(Debug, Serialize, ToSchema)]
struct StatementCost {
    operation: String,
    table: Option<String>,
    /// Rows in the table, about.
    rows: Option<u64>,
    /// `none`, `instant`, `inplace`, `copy` or `unknown`.
    algorithm: &'static str,
    /// What others cannot do meanwhile: `none`, `shared`, `exclusive` or `unknown`.
    lock: &'static str,
    /// Whether it is worth a quiet hour.
    heavy: bool,
    why: String,
}

/// The schema: what is applied, by whom and when, and what a start would do
#[utoipa::path(get, path = "/migrations", tag = "admin: migrations",
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "Where the schema stands", body = Migrations),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem),
    ))]
async fn show(State(app): State<Arc<App>>, _admin: Administrator) -> Answer<Json<Migrations>> {
    let mut conn = app.db.conn().await?;
    let gaps = app.migrations.gaps.unwrap_or(migrator::Gaps::Allow);
    let set = &app.migrations.set;
    let status = migrator::status_with(&mut conn, set, gaps).await;
    let status = status.map_err(anyhow::Error::from)?;
    let plan = migrator::plan(&mut conn, set, gaps).await;
    let plan = plan.map_err(anyhow::Error::from)?;
    Ok(Json(Migrations {
        head: status.head,
        applied: status.applied,
        ahead: status.ahead,
        problems: status.problems,
        server: plan.server.version,
        lock: MigrationLock {
            held: status.lock.held,
            holder: status.lock.holder,
        },
        ledger: status.rows.into_iter().map(LedgerEntry::from).collect(),
        pending: plan.files.into_iter().map(PendingFile::from).collect(),
    }))
}

impl From<LedgerRow> for LedgerEntry {
    fn from(row: LedgerRow) -> Self {
        Self {
            filename: row.filename,
            state: row.state.as_str(),
            breaking: row.compat == Some(Compat::Breaking),
            applied_by: row.applied_by,
            release: row.release,
            applied_at: row.applied_at,
            duration_ms: row.duration_ms,
            statements_done: row.statements_done,
            statements_total: row.statements_total,
            checksum: row.checksum,
            error: row.error,
        }
    }
}

impl From<PlannedFile> for PendingFile {
    fn from(file: PlannedFile) -> Self {
        Self {
            filename: file.name,
            description: file.description,
            breaking: file.compat == Compat::Breaking,
            note: note(&file.start),
            statements: file.statements.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<PlannedStatement> for PendingStatement {
    fn from(statement: PlannedStatement) -> Self {
        Self {
            number: statement.number,
            line: statement.line,
            text: statement.text,
            done: statement.done,
            cost: statement.impact.map(|impact| StatementCost {
                algorithm: impact.algorithm.as_str(),
                lock: impact.lock.as_str(),
                heavy: impact.is_heavy(),
                operation: impact.operation,
                table: impact.table,
                rows: impact.rows,
                why: impact.why,
            }),
        }
    }
}

/// Where a file would go on that was begun before.
fn note(start: &Start) -> Option<String> {
    let ended = |error: &Option<String>| match error {
        Some(error) => format!("; it ended with: {error}"),
        None => String::new(),
    };
    Some(match start {
        Start::First => return None,
        Start::Resume { statement, error } => {
            format!("goes on at statement {statement}{}", ended(error))
        }
        Start::Compare { statement, error } => format!(
            "goes on at statement {statement}, or behind it if its target has changed{}",
            ended(error)
        ),
        Start::PostCondition { error } => format!(
            "all statements ran; only the post-condition is looked at again{}",
            ended(error)
        ),
        Start::InDoubt {
            statement,
            reason,
            commands,
        } => format!(
            "in doubt at statement {statement}: {reason}; decide with `{}`",
            commands.join("` or `")
        ),
    })
}
