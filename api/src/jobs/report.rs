//! What can be seen of jobs.

use chrono::{DateTime, NaiveDateTime, Utc};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Row, Value as Sql, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::db;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobStatus)]
pub(crate) enum Status {
    /// It waits for a worker, or for its time.
    Queued,
    /// A worker has it.
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl Status {
    pub(crate) const ALL: [Self; 5] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// As the column has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobProgress)]
pub(crate) struct Progress {
    current: u32,
    total: u32,
}

/// Why a job failed, at last or the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = JobError)]
pub(crate) struct Error {
    /// A word for programs.
    code: String,
    /// A sentence for people.
    message: String,
}

/// A job as whoever began it sees it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct Report {
    pub(crate) job_id: u64,
    pub(crate) status: Status,
    /// What it does right now.
    step: Option<String>,
    progress: Option<Progress>,
    /// What came of it, once it succeeded.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    error: Option<Error>,
}

/// A job as administrators see it. Its payload is not shown: it may hold addresses.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = AdminJob)]
pub(crate) struct AdminReport {
    #[serde(flatten)]
    pub(crate) job: Report,
    kind: String,
    /// How often it was begun.
    attempts: u16,
    max_attempts: u16,
    /// Whether somebody asked for it to stop.
    cancel_requested: bool,
    /// The replica that runs it.
    lease_owner: Option<String>,
    /// The account that began it.
    created_by: Option<u64>,
    created_at: DateTime<Utc>,
    /// Not before.
    run_after: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// Which jobs to list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter<'a> {
    pub(crate) status: Option<Status>,
    pub(crate) kind: Option<&'a str>,
    /// Only those that were begun before this one.
    pub(crate) before: Option<u64>,
    pub(crate) limit: u16,
}

const COLUMNS: &str = "job_id, status, step, progress_current, progress_total, result, error_code, \
    error_message, kind, attempts, max_attempts, cancel_requested, lease_owner, created_by, created_at, \
    run_after, started_at, finished_at";

impl FromRow for AdminReport {
    fn from_row_opt(mut row: Row) -> Result<Self, mysql_async::FromRowError> {
        let whole = row.clone();
        let fail = || mysql_async::FromRowError(whole.clone());
        let status: String = take(&mut row, "status").ok_or_else(fail)?;
        let status = Status::ALL
            .into_iter()
            .find(|known| known.name() == status)
            .ok_or_else(fail)?;
        let current: Option<u32> = take(&mut row, "progress_current").ok_or_else(fail)?;
        let total: Option<u32> = take(&mut row, "progress_total").ok_or_else(fail)?;
        let result: Option<String> = take(&mut row, "result").ok_or_else(fail)?;
        let code: Option<String> = take(&mut row, "error_code").ok_or_else(fail)?;
        let message: Option<String> = take(&mut row, "error_message").ok_or_else(fail)?;
        Ok(Self {
            job: Report {
                job_id: take(&mut row, "job_id").ok_or_else(fail)?,
                status,
                step: take(&mut row, "step").ok_or_else(fail)?,
                progress: current
                    .zip(total)
                    .map(|(current, total)| Progress { current, total }),
                result: result.and_then(|text| serde_json::from_str(&text).ok()),
                error: code.map(|code| Error {
                    code,
                    message: message.unwrap_or_default(),
                }),
            },
            kind: take(&mut row, "kind").ok_or_else(fail)?,
            attempts: take(&mut row, "attempts").ok_or_else(fail)?,
            max_attempts: take(&mut row, "max_attempts").ok_or_else(fail)?,
            cancel_requested: take(&mut row, "cancel_requested").ok_or_else(fail)?,
            lease_owner: take(&mut row, "lease_owner").ok_or_else(fail)?,
            created_by: take(&mut row, "created_by").ok_or_else(fail)?,
            created_at: time(take(&mut row, "created_at").ok_or_else(fail)?),
            run_after: time(take(&mut row, "run_after").ok_or_else(fail)?),
            started_at: take::<Option<_>>(&mut row, "started_at")
                .ok_or_else(fail)?
                .map(time),
            finished_at: take::<Option<_>>(&mut row, "finished_at")
                .ok_or_else(fail)?
                .map(time),
        })
    }
}

fn take<T: mysql_async::prelude::FromValue>(row: &mut Row, column: &str) -> Option<T> {
    row.take_opt(column)?.ok()
}

fn time(time: NaiveDateTime) -> DateTime<Utc> {
    time.and_utc()
}

/// A job, by its number.
pub(crate) async fn find(
    conn: &mut impl Queryable,
    job_id: u64,
) -> Result<Option<AdminReport>, db::Error> {
    let statement = format!("SELECT {COLUMNS} FROM jobs WHERE job_id = :job_id");
    Ok(conn.exec_first(statement, params! { job_id }).await?)
}

/// What the one who began a job sees of it; nobody else does.
pub(crate) async fn report(
    conn: &mut impl Queryable,
    job_id: u64,
    created_by: u64,
) -> Result<Option<Report>, db::Error> {
    let found = find(conn, job_id).await?;
    Ok(found
        .filter(|job| job.created_by == Some(created_by))
        .map(|job| job.job))
}

/// Jobs, the latest first.
pub(crate) async fn list(
    conn: &mut impl Queryable,
    filter: Filter<'_>,
) -> Result<Vec<AdminReport>, db::Error> {
    let mut conditions = vec!["TRUE"];
    let mut values: Vec<(&str, Sql)> = vec![("limit", filter.limit.into())];
    if let Some(status) = filter.status {
        conditions.push("status = :status");
        values.push(("status", status.name().into()));
    }
    if let Some(kind) = filter.kind {
        conditions.push("kind = :kind");
        values.push(("kind", kind.into()));
    }
    if let Some(before) = filter.before {
        conditions.push("job_id < :before");
        values.push(("before", before.into()));
    }
    let statement = format!(
        "SELECT {COLUMNS} FROM jobs WHERE {} ORDER BY job_id DESC LIMIT :limit",
        conditions.join(" AND ")
    );
    Ok(conn.exec(statement, values).await?)
}
