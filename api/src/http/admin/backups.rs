//! `/api/admin/backups`: the backups of the database.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use garde::Validate;
use serde::Deserialize;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Administrator;
use crate::backups::{self, BackupName, Create, Kind, NoBackupName, Page, Restore, Sort};
use crate::http::{self, Accepted, Answer, ApiError, Path, Problem, Query};
use crate::jobs::{self, Report};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(download, delete))
        .routes(routes!(restore))
}

/// Which page of the list.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Which page, from 1
    #[garde(range(min = 1))]
    #[serde(default = "first_page")]
    #[param(minimum = 1, default = 1)]
    page: u32,
    /// How many on a page
    #[garde(range(min = 1, max = 200))]
    #[serde(default = "page_size")]
    #[param(minimum = 1, maximum = 200, default = 25)]
    page_size: u32,
    /// By what; `-` is downwards. The newest first unless told
    #[garde(skip)]
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
}

fn first_page() -> u32 {
    1
}

fn page_size() -> u32 {
    25
}

/// All backups
#[utoipa::path(get, path = "/backups", tag = "admin: backups", params(Wanted),
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
    let backups = app.backups.list().await?;
    Ok(Json(Page::of(
        backups,
        wanted.sort,
        wanted.page,
        wanted.page_size,
    )))
}

/// Make a backup
///
/// A job does it; its `result` is the backup. While one waits or runs, that one is answered.
#[utoipa::path(post, path = "/backups", tag = "admin: backups",
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 202, description = "It waits for a worker; `Location` says where to ask", body = Report),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 503, description = "The database does not answer, or a backup is being restored", body = Problem),
    ))]
async fn create(
    State(app): State<Arc<App>>,
    Administrator(actor): Administrator,
) -> Answer<Accepted> {
    let mut conn = app.db.conn().await?;
    let kind = Kind::Manual;
    let job_id = Create { kind }
        .enqueue(&mut conn, actor.user_id)
        .await?
        .job_id;
    tracing::info!(job_id, by = actor.user_id, "a backup is to be made");
    accepted(&mut conn, job_id).await
}

/// Download a backup
///
/// The file itself, compressed with zstd. Parts of it can be asked for (`Range`), so that a
/// download that broke off can go on.
#[utoipa::path(get, path = "/backups/{filename}", tag = "admin: backups",
    params(("filename" = String, Path, description = "As the list has it")),
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "All of it", body = Vec<u8>, content_type = "application/zstd"),
        (status = 206, description = "The part that was asked for", body = Vec<u8>, content_type = "application/zstd"),
        (status = 304, description = "It is not newer than `If-Modified-Since`"),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 404, description = "There is no such backup", body = Problem),
        (status = 416, description = "It is not that long"),
        (status = 503, description = "The database does not answer", body = Problem),
    ))]
async fn download(
    State(app): State<Arc<App>>,
    Administrator(actor): Administrator,
    Path(filename): Path<String>,
    request: Request,
) -> Answer<Response> {
    let name = name(&filename)?;
    app.backups.find(&name).await?;
    let zstd = "application/zstd".parse().map_err(anyhow::Error::new)?;
    let served = ServeFile::new_with_mime(app.backups.path(&name), &zstd)
        .oneshot(request)
        .await;
    // What goes wrong becomes an answer in there.
    let Ok(served) = served;
    let mut response = served.map(axum::body::Body::new);
    if response.status().is_success() {
        tracing::info!(%name, by = actor.user_id, "a backup is downloaded");
        let disposition = format!("attachment; filename=\"{name}\"");
        if let Ok(value) = HeaderValue::from_str(&disposition) {
            response
                .headers_mut()
                .insert(header::CONTENT_DISPOSITION, value);
        }
    }
    Ok(response)
}

/// Delete a backup
///
/// Its copy in the object storage is deleted by a job, which tries again where that fails.
#[utoipa::path(delete, path = "/backups/{filename}", tag = "admin: backups",
    params(("filename" = String, Path, description = "As the list has it")),
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 404, description = "There is no such backup", body = Problem),
        (status = 503, description = "The database does not answer, or a backup is being restored", body = Problem),
    ))]
async fn delete(
    State(app): State<Arc<App>>,
    Administrator(actor): Administrator,
    Path(filename): Path<String>,
) -> Answer<Response> {
    let name = name(&filename)?;
    backups::forget(&app, &name).await?;
    tracing::info!(%name, by = actor.user_id, "a backup was deleted");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// That it is meant.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupRestore)]
struct Confirmation {
    /// The word `RESTORE`
    #[garde(custom(is_meant))]
    confirm: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde's shape")]
fn is_meant(text: &str, (): &()) -> garde::Result {
    if text == "RESTORE" {
        Ok(())
    } else {
        Err(garde::Error::new(
            "must be RESTORE: what is there now is replaced",
        ))
    }
}

/// Restore a backup
///
/// A job does it; while it does, whatever would change something is answered with 503. It makes a
/// `pre-restore` backup first, loads this one beside the live database, checks it, exchanges the two, and
/// applies pending migrations. When anything fails, the live database is as it was. Jobs, sessions
/// and tokens stay as they are; accounts, with their passwords, are as they were in the backup.
/// The job's `result` has `filename`, `pre_restore`, `table_count` and `migration_head`.
#[utoipa::path(post, path = "/backups/{filename}/restore", tag = "admin: backups",
    params(("filename" = String, Path, description = "As the list has it")),
    request_body = Confirmation,
    security(("session" = []), ("bearer" = [])),
    responses(
        (status = 202, description = "It waits for a worker; `Location` says where to ask", body = Report),
        (status = 400, description = "The body is not JSON", body = Problem),
        (status = 401, description = "Nobody is signed in", body = Problem),
        (status = 403, description = "For administrators", body = Problem),
        (status = 404, description = "There is no such backup", body = Problem),
        (status = 409, description = "It has a fault, or another one is being restored", body = Problem),
        (status = 415, description = "The body is not sent as JSON", body = Problem),
        (status = 422, description = "It is not meant", body = Problem),
        (status = 503, description = "Restoring is not set up, the database does not answer, or a backup is being restored", body = Problem),
    ))]
async fn restore(
    State(app): State<Arc<App>>,
    Administrator(actor): Administrator,
    Path(filename): Path<String>,
    http::Json(confirmation): http::Json<Confirmation>,
) -> Answer<Accepted> {
    // It was looked at when it was read.
    let Confirmation { confirm: _ } = confirmation;
    let name = name(&filename)?;
    let backup = app.backups.find(&name).await?;
    if let Some(fault) = backup.fault {
        return Err(ApiError::conflict(format!("{name} {fault}")));
    }
    if !app.backups.can_restore() {
        return Err(ApiError::NotSetUp {
            detail: "restoring is not set up: SYSNDD_RESTORE_DATABASE_URL is not set".into(),
        });
    }
    let mut conn = app.db.conn().await?;
    let job = Restore::new(name);
    let begun = job.enqueue(&mut conn, actor.user_id).await?;
    if !begun.created {
        return Err(ApiError::conflict(format!(
            "another backup is being restored, by job {}",
            begun.job_id
        )));
    }
    tracing::warn!(
        job_id = begun.job_id,
        by = actor.user_id,
        filename,
        "a backup is to be restored"
    );
    accepted(&mut conn, begun.job_id).await
}

/// A text that is no name of a backup is the name of none.
fn name(text: &str) -> Answer<BackupName> {
    text.parse()
        .map_err(|error: NoBackupName| ApiError::not_found(error.to_string()))
}

async fn accepted(conn: &mut mysql_async::Conn, job_id: u64) -> Answer<Accepted> {
    let job = jobs::find(conn, job_id).await?;
    job.map(|job| Accepted(job.job))
        .ok_or_else(|| ApiError::Internal(anyhow::anyhow!("job {job_id} is gone at once")))
}

impl From<backups::Error> for ApiError {
    fn from(error: backups::Error) -> Self {
        match error {
            backups::Error::Unknown(_) => Self::not_found(error.to_string()),
            backups::Error::Bad { .. } => Self::conflict(error.to_string()),
            backups::Error::Database(error) => error.into(),
            error => Self::Internal(error.into()),
        }
    }
}
