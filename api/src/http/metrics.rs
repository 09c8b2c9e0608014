//! `GET /metrics`, at the root only: the edge passes on what is under `/api`, so this stays between
//! the replica and whoever watches it.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::{Answer, health};
use crate::state::App;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(app): State<Arc<App>>) -> Answer<impl IntoResponse> {
    let health = health::look(&app).await;
    let text = app.metrics.text(&health).context("writing the metrics")?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text))
}
