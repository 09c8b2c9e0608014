//! `/api/admin/jobs`: all jobs, and stopping or repeating one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Administrator;
use crate::http::{Accepted, Answer, ApiError, Path, Problem, Query};
use crate::jobs::{self, AdminReport, Filter, Refused, Report, Status};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(cancel))
        .routes(routes!(retry))
}

/// Which jobs, and how many.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only jobs in this state
    #[garde(skip)]
    status: Option<Status>,
    /// Only jobs of this kind, such as `mail.send`
    #[garde(ascii, length(max = 64))]
    kind: Option<String>,
    /// `next` of the page before
    #[garde(skip)]
    after: Option<u64>,
    /// How many at most
    #[garde(range(min = 1, max = 200))]
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: u16,
}

fn default_limit() -> u16 {
    50
}

/// One page of jobs, the latest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobPage)]
struct Page {
    jobs: Vec<AdminReport>,
    /// Asks for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// All jobs, the latest first
#[utoipa::path(get, path = "/jobs", tag = "admin: jobs", params(Wanted),
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "One page", body = Page),
        (status = 400, description = "The query cannot be read", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 422, description = "A value is out of its bounds", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem),
    ))]
async fn list(
    State(app): State<Arc<App>>,
    _admin: Administrator,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Page>> {
    let mut conn = app.db.conn().await?;
    let filter = Filter {
        status: wanted.status,
        kind: wanted.kind.as_deref(),
        before: wanted.after,
        // One more shows whether there is another page.
        limit: wanted.limit + 1,
    };
    let mut jobs = jobs::list(&mut conn, filter).await?;
    let more = jobs.len() > usize::from(wanted.limit);
    jobs.truncate(usize::from(wanted.limit));
    let next = jobs.last().filter(|_| more).map(|job| job.job.job_id);
    Ok(Json(Page { jobs, next }))
}

/// Stop a job
///
/// One that waits is cancelled at once. One that runs stops at its next good moment, unless it
/// succeeds before; ask again.
#[utoipa::path(post, path = "/jobs/{job_id}/cancel", tag = "admin: jobs",
    params(("job_id" = u64, Path, description = "The job")),
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The job as it stands now", body = AdminReport),
        (status = 400, description = "That is no number", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 404, description = "There is no such job", body = Problem),
        (status = 409, description = "It is over", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem),
    ))]
async fn cancel(
    State(app): State<Arc<App>>,
    Administrator(actor): Administrator,
    Path(job_id): Path<u64>,
) -> Answer<Json<AdminReport>> {
    let mut conn = app.db.conn().await?;
    jobs::cancel(&mut conn, job_id)
        .await?
        .map_err(|refused| refuse(refused, job_id, "it is over; there is nothing to stop"))?;
    tracing::info!(job_id, by = actor.user_id, "a job is to stop");
    find(&mut conn, job_id).await.map(Json)
}

/// Try a job again that failed or was cancelled
#[utoipa::path(post, path = "/jobs/{job_id}/retry", tag = "admin: jobs",
    params(("job_id" = u64, Path, description = "The job")),
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 202, description = "It waits for a worker; `Location` says where to ask", body = Report),
        (status = 400, description = "That is no number", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 404, description = "There is no such job", body = Problem),
        (status = 409, description = "It did not fail, or the same thing waits or runs already", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem),
    ))]
async fn retry(
    State(app): State<Arc<App>>,
    Administrator(actor): Administrator,
    Path(job_id): Path<u64>,
) -> Answer<Accepted> {
    let mut conn = app.db.conn().await?;
    jobs::retry(&mut conn, job_id)
        .await?
        .map_err(|refused| refuse(refused, job_id, "it did not fail and was not cancelled"))?;
    tracing::info!(job_id, by = actor.user_id, "a job is tried again");
    Ok(Accepted(find(&mut conn, job_id).await?.job))
}

async fn find(conn: &mut mysql_async::Conn, job_id: u64) -> Answer<AdminReport> {
    jobs::find(conn, job_id)
        .await?
        .ok_or_else(|| refuse(Refused::Unknown, job_id, ""))
}

fn refuse(refused: Refused, job_id: u64, state: &str) -> ApiError {
    match refused {
        Refused::Unknown => ApiError::not_found(format!("there is no job {job_id}")),
        Refused::State => ApiError::conflict(format!("job {job_id}: {state}")),
        Refused::Duplicate => ApiError::conflict(format!(
            "job {job_id}: another job for the same thing waits or runs already"
        )),
    }
}
