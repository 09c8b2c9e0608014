//! `/api/jobs`: how a job goes, for who began it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Answer, ApiError, Path, Problem};
use crate::auth::{Role, SignedIn};
use crate::jobs::{self, Report};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(job))
}

/// How a job goes
///
/// For who began it, and for administrators; to others it does not exist.
#[utoipa::path(get, path = "/jobs/{job_id}", tag = "jobs",
    params(("job_id" = u64, Path, description = "As `Location` gave it")),
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The job", body = Report),
        (status = 400, description = "That is no number", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 404, description = "There is no such job", body = Problem),
        (status = 503, description = "The database does not answer", body = Problem),
    ))]
async fn job(
    State(app): State<Arc<App>>,
    SignedIn(actor): SignedIn,
    Path(job_id): Path<u64>,
) -> Answer<Json<Report>> {
    let mut conn = app.db.conn().await?;
    let report = if actor.role.covers(Role::Administrator) {
        jobs::find(&mut conn, job_id).await?.map(|job| job.job)
    } else {
        jobs::report(&mut conn, job_id, actor.user_id).await?
    };
    report
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format!("there is no job {job_id}")))
}
