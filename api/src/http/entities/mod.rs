//! `GET /api/entities`: lists by filter and order, in pages that follow a cursor.
//! `GET /api/entities/{entity_id}`: one of them.
//!
//! A page is found by the place where the one before ended, not by a number of rows to skip: it
//! costs the same wherever it lies, and rows that come and go meanwhile neither hide nor repeat
//! others.

mod cursor;
mod params;
mod plan;
mod row;
#[cfg(test)]
mod tests;

pub(crate) use params::{Category, Inheritance, ListParams};
pub(crate) use row::{Entity, Gene};

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, Params, Row};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::cursor::Cursor;
use self::plan::{Narrow, Statement, Way};
use super::{Answer, ApiError, Path, Problem, Query, cached};
use crate::state::App;

/// How long a page waits for the first count of all entities; later ones are there already.
const COUNT_WAIT: Duration = Duration::from_millis(250);

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntityList {
    pub(crate) entities: Vec<Entity>,
    /// `cursor` of the page after this one, if there is one.
    pub(crate) next: Option<String>,
    /// `cursor` of the page before this one, if there is one.
    pub(crate) previous: Option<String>,
    /// How many entities the filters leave, as old as the statistics are; absent where counting them
    /// would take longer than the page.
    pub(crate) total: Option<u64>,
}

/// Entities by filter and order, a page at a time
#[utoipa::path(get, path = "/entities", tag = "entities", params(ListParams), responses(
    (status = 200, description = "A page", body = EntityList),
    (status = 304, description = "Unchanged since the `If-None-Match`"),
    (status = 400, description = "A parameter that cannot be read, or a cursor of another list", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A parameter whose value is refused", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The database does not answer", body = Problem, content_type = "application/problem+json"),
))]
async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(params): Query<ListParams>,
) -> Answer<Response> {
    let page = page(&app, &params).await?;
    cached::answer(&headers, cached::REVALIDATE, &page)
}

/// One entity
#[utoipa::path(get, path = "/entities/{entity_id}", tag = "entities", params(("entity_id" = u32, Path, description = "Its number")), responses(
    (status = 200, description = "The entity", body = Entity),
    (status = 304, description = "Unchanged since the `If-None-Match`"),
    (status = 400, description = "Not a number", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is none of this number", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The database does not answer", body = Problem, content_type = "application/problem+json"),
))]
async fn one(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(entity_id): Path<u32>,
) -> Answer<Response> {
    let mut conn = app.db.conn().await?;
    let statement = plan::one(entity_id).within(app.limits.statement());
    let found = entities(&mut conn, statement).await?;
    let entity = found
        .first()
        .ok_or_else(|| ApiError::not_found(format!("there is no entity {entity_id}")))?;
    cached::answer(&headers, cached::REVALIDATE, entity)
}

/// A page of the list that is asked for.
pub(super) async fn page(app: &App, params: &ListParams) -> Answer<EntityList> {
    let key = &app.accounts.secret_key;
    let cursor = match &params.cursor {
        None => None,
        Some(text) => Some(Cursor::open(text, key, params).ok_or(ApiError::Malformed {
            status: axum::http::StatusCode::BAD_REQUEST,
            detail: "cursor: it belongs to no page of this list; take `next` or `previous` of a page with the \
                     same filters and order, or leave it out"
                .into(),
        })?),
    };
    let mut conn = app.db.conn().await?;
    let Some(narrow) = narrow(&mut conn, params).await? else {
        return Ok(EntityList {
            entities: Vec::new(),
            next: None,
            previous: None,
            total: Some(0),
        });
    };
    let limit = app.limits.statement();
    let found = match narrow.first() {
        Some(first) => row(&mut conn, plan::probe(first).within(limit)).await?,
        None => (0, 0),
    };
    let way = Way::to(params, &narrow, found);
    let statement = plan::page(params, &narrow, way, cursor.as_ref()).within(limit);
    let mut entities = entities(&mut conn, statement).await?;
    let few = match (way, plan::count_few(params, &narrow)) {
        (Way::Gather, Some(count)) => {
            let (few,) = row(&mut conn, count.within(limit)).await?;
            Some(few)
        }
        _ => None,
    };
    // The pool may be small; what follows takes a connection of its own, if any.
    drop(conn);
    let total = if narrow.is_empty() {
        let counts = app.statistics.counts_within(&app.db, COUNT_WAIT).await;
        counts.map(|counts| {
            counts.matching(params.inheritance, params.category, params.ndd_phenotype)
        })
    } else {
        few
    };

    let more = entities.len() > params.limit();
    entities.truncate(params.limit());
    let backward = cursor.as_ref().is_some_and(|cursor| cursor.backward);
    if backward {
        entities.reverse();
    }
    // Where the walk came from there is something; where it leads to there is what it saw.
    let (before, after) = match &cursor {
        None => (false, more),
        Some(_) if backward => (more, true),
        Some(_) => (true, more),
    };
    let sort = plan::effective_sort(params);
    let seal = |entity: Option<&Entity>, backward| {
        entity
            .map(|entity| Cursor {
                backward,
                key: entity.key(sort),
                entity_id: entity.entity_id,
            })
            .map(|cursor| cursor.seal(key, params))
            .transpose()
            .map_err(|error| ApiError::Internal(error.into()))
    };
    Ok(EntityList {
        next: seal(entities.last().filter(|_| after), false)?,
        previous: seal(entities.first().filter(|_| before), true)?,
        entities,
        total,
    })
}

/// The filters that name something; none when there is no such thing, and so no entity. The one
/// that leaves the fewest comes first.
async fn narrow(conn: &mut Conn, params: &ListParams) -> Answer<Option<Vec<Narrow>>> {
    let mut narrow = Vec::new();
    if let Some(symbol) = &params.gene {
        narrow.push(Narrow::Gene(symbol.clone()));
    }
    match &params.disease {
        Some(text) if is_ontology_id(text) => {
            let id = conn
                .exec_first(
                    "SELECT disease_id FROM diseases WHERE ontology_id = ?",
                    (text,),
                )
                .await?;
            let Some(id) = id else { return Ok(None) };
            narrow.push(Narrow::Disease(id));
        }
        Some(text) => narrow.push(Narrow::DiseaseName(text.clone())),
        None => {}
    }
    if let Some(text) = &params.q {
        narrow.push(Narrow::Beginning(text.clone()));
    }
    Ok(Some(narrow))
}

/// Whether this is written as `OMIM:312750` is.
fn is_ontology_id(text: &str) -> bool {
    text.split_once(':').is_some_and(|(ontology, number)| {
        !ontology.is_empty()
            && ontology.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

async fn entities(conn: &mut Conn, statement: Statement) -> Answer<Vec<Entity>> {
    let rows: Vec<Row> = conn
        .exec(statement.sql, Params::Positional(statement.values))
        .await?;
    rows.iter()
        .map(Entity::read)
        .collect::<Option<_>>()
        .ok_or_else(|| {
            ApiError::Internal(anyhow!(
                "a row of entities has other columns than were asked for"
            ))
        })
}

/// The one row of a count.
async fn row<T: FromRow + Send + 'static>(conn: &mut Conn, statement: Statement) -> Answer<T> {
    let row = conn
        .exec_first(statement.sql, Params::Positional(statement.values))
        .await?;
    row.ok_or_else(|| ApiError::Internal(anyhow!("a count has no row")))
}
