//! `GET /api/genes/{symbol}`: a gene with its entities.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use mysql_async::prelude::Queryable as _;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::entities::{self, EntityList, Gene, ListParams};
use super::{Answer, ApiError, Path, Problem, cached};
use crate::state::App;

/// More than any gene has; the rest would follow by `next`.
const ENTITIES: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(one))
}

/// A gene and what is known of it.
#[derive(Debug, Serialize, ToSchema)]
struct GeneWithEntities {
    #[serde(flatten)]
    gene: Gene,
    /// As `/api/entities?gene=SYMBOL&limit=100` answers them.
    entities: EntityList,
}

/// A gene with its entities
#[utoipa::path(get, path = "/genes/{symbol}", tag = "entities", params(("symbol" = String, Path, description = "Its HGNC symbol", example = "MECP2")), responses(
    (status = 200, description = "The gene", body = GeneWithEntities),
    (status = 304, description = "Unchanged since the `If-None-Match`"),
    (status = 404, description = "No gene has this symbol", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The database does not answer", body = Problem, content_type = "application/problem+json"),
))]
async fn one(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(symbol): Path<String>,
) -> Answer<Response> {
    let mut conn = app.db.conn().await?;
    let found: Option<(String, String, String)> = conn
        .exec_first(
            "SELECT hgnc_id, symbol, name FROM genes WHERE symbol = ?",
            (&symbol,),
        )
        .await?;
    drop(conn);
    let (hgnc_id, symbol, name) =
        found.ok_or_else(|| ApiError::not_found(format!("no gene has the symbol {symbol}")))?;
    let params = ListParams {
        gene: Some(symbol.clone()),
        limit: Some(ENTITIES),
        ..ListParams::default()
    };
    let gene = GeneWithEntities {
        entities: entities::page(&app, &params).await?,
        gene: Gene {
            hgnc_id,
            symbol,
            name,
        },
    };
    cached::answer(&headers, cached::REVALIDATE, &gene)
}
