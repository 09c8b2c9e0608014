//! The `OpenAPI` document, collected from the resources themselves.

mod common;
mod names;

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;

use super::{Problem, account, admin, auth, entities, genes, health, jobs, statistics};
use crate::state::App;

/// What the document says of itself.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "SysNDD",
        description = "Genes, diseases and the evidence that they belong together; accounts; administration. \
                       Errors are problem documents (RFC 9457)."
    ),
    components(schemas(Problem)),
    modifiers(&Credentials)
)]
struct Document;

/// The two ways to say who one is.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let cookie = ApiKey::Cookie(ApiKeyValue::new("sysndd_session"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// All resources, under `/api`.
pub(super) fn resources() -> OpenApiRouter<Arc<App>> {
    let mut resources = OpenApiRouter::with_openapi(Document::openapi()).nest(
        "/api",
        OpenApiRouter::new()
            .merge(health::routes())
            .merge(auth::routes())
            .merge(account::routes())
            .merge(jobs::routes())
            .nest("/admin", admin::routes())
            .merge(entities::routes())
            .merge(genes::routes())
            .merge(statistics::routes()),
    );
    common::complete(resources.get_openapi_mut());
    names::give(resources.get_openapi_mut());
    resources
}

/// The document alone.
pub(crate) fn document() -> OpenApi {
    resources().into_openapi()
}

/// `GET /api/openapi.json`.
pub(super) fn route(document: OpenApi) -> Router<Arc<App>> {
    let document = Arc::new(document);
    Router::new().route(
        "/api/openapi.json",
        get(move || {
            let document = Arc::clone(&document);
            async move { Json(document.as_ref().clone()) }
        }),
    )
}
