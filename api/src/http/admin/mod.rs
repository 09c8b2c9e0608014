//! `/api/admin`: what only administrators may see and do.

mod backups;
mod jobs;
mod migrations;
mod smtp;
mod users;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(users::routes())
        .merge(jobs::routes())
        .merge(backups::routes())
        .merge(smtp::routes())
        .merge(migrations::routes())
}
