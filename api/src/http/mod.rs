//! The HTTP side: the router, what surrounds every request, and one file per resource.
//!
//! Resources answer under `/api`; the health reports answer at the root as well, where engines
//! and load balancers look for them. The files mirror the tree of addresses.

mod accepted;
mod account;
mod admin;
mod auth;
mod bounds;
mod cached;
mod entities;
mod error;
mod extract;
mod genes;
mod health;
mod jobs;
mod metrics;
mod observe;
mod openapi;
mod statistics;
#[cfg(test)]
mod tests;

pub(crate) use accepted::Accepted;
pub(crate) use error::{Answer, ApiError, Problem};
pub(crate) use extract::{Json, Path, Query};
pub(crate) use openapi::document;
pub(crate) use statistics::Cache as StatisticsCache;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::state::App;

/// All routes.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let (health, _) = health::routes().split_for_parts();
    let (resources, document) = openapi::resources().split_for_parts();
    surround(
        Router::new()
            .merge(health)
            .merge(metrics::routes())
            .merge(resources)
            .merge(openapi::route(document)),
        app,
    )
}

/// The routes of a replica that only runs jobs.
pub(crate) fn health_alone(app: &Arc<App>) -> Router {
    let (root, _) = health::routes().split_for_parts();
    let (below, _) = health::routes().split_for_parts();
    surround(root.merge(metrics::routes()).nest("/api", below), app)
}

/// What every request passes.
fn surround(routes: Router<Arc<App>>, app: &Arc<App>) -> Router {
    let router = routes
        .fallback(error::unknown_route)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(DefaultBodyLimit::max(app.limits.body_bytes))
        .layer(middleware::from_fn_with_state(
            Arc::clone(app),
            bounds::fence,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(app),
            bounds::in_time,
        ))
        .layer(CatchPanicLayer::custom(bounds::panicked))
        .layer(bounds::cors(&app.limits))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ));
    bounds::SECURITY_HEADERS
        .into_iter()
        .fold(router, |router, (name, value)| {
            router.layer(SetResponseHeaderLayer::if_not_present(name, value))
        })
        .layer(middleware::from_fn_with_state(
            Arc::clone(app),
            observe::request,
        ))
        .with_state(Arc::clone(app))
}

/// Serves until `close`; then takes no new connection and ends when the last request is answered.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    close: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(close.cancelled_owned())
        .await
}
