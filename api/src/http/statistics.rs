//! `GET /api/statistics`: how many entities there are, by category, inheritance and phenotype.
//!
//! All figures come from one count of the entities by these three, which reads a whole index: a
//! fraction of a second with a million rows. Each replica keeps it for half a minute, and for longer
//! where counting takes longer. A table of sums, kept up by every writer, would be exact, and one
//! more thing that can be wrong.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use mysql_async::prelude::Queryable as _;
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::entities::{Category, Inheritance};
use super::{Answer, ApiError, Problem, cached};
use crate::db::{self, Db};
use crate::state::App;

/// How old a count may be before another one is begun, at least.
const FRESH: Duration = Duration::from_secs(30);
/// A replica counts for one part in so many of its time: a database that is slow at it has other
/// things to do.
const SHARE: u32 = 60;
/// A count that takes longer is given up, by the server as well: all that ask for the figures wait
/// for it, and over a connection whose other end is gone it would never end.
const LIMIT: Duration = Duration::from_mins(1);
/// How much older it may be while the next one is under way.
const USABLE: u32 = 3;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(statistics))
}

/// How much there is.
#[derive(Debug, Serialize, ToSchema)]
struct Statistics {
    entities: u64,
    /// Genes with an entity.
    genes: u64,
    /// Diseases with an entity.
    diseases: u64,
    by_category: Vec<CategoryCount>,
    by_inheritance: Vec<InheritanceCount>,
    by_ndd_phenotype: NddCount,
}

/// Entities of a category of evidence.
#[derive(Debug, Serialize, ToSchema)]
struct CategoryCount {
    category: String,
    entities: u64,
}

/// Entities with a mode of inheritance.
#[derive(Debug, Serialize, ToSchema)]
struct InheritanceCount {
    hpo_id: String,
    name: String,
    entities: u64,
}

/// Entities with and without a neurodevelopmental disorder.
#[derive(Debug, Serialize, ToSchema)]
struct NddCount {
    yes: u64,
    no: u64,
}

/// How many entities there are, half a minute ago or, where counting takes long, some minutes
#[utoipa::path(get, path = "/statistics", tag = "entities", responses(
    (status = 200, description = "The figures", body = Statistics),
    (status = 304, description = "Unchanged since the `If-None-Match`"),
    (status = 503, description = "The database does not answer", body = Problem, content_type = "application/problem+json"),
))]
async fn statistics(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<Response> {
    let counts = app.statistics.counts(&app.db).await?;
    cached::answer(&headers, cached::HALF_A_MINUTE, &counts.statistics())
}

/// Entities of one category, inheritance and phenotype.
#[derive(Debug, Clone, Copy)]
struct Cell {
    category_id: u8,
    inheritance_id: u8,
    ndd_phenotype: bool,
    entities: u64,
}

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    cells: Vec<Cell>,
    genes: u64,
    diseases: u64,
    /// Number and name.
    categories: Vec<(u8, String)>,
    /// Number, HPO term and name.
    modes: Vec<(u8, String, String)>,
}

impl Counts {
    async fn read(db: &Db) -> Result<Self, db::Error> {
        let mut conn = db.conn().await?;
        let hint = format!("/*+ MAX_EXECUTION_TIME({}) */", LIMIT.as_millis());
        let cells = conn
            .query_map(
                format!(
                    "SELECT {hint} category_id, inheritance_id, ndd_phenotype, COUNT(*) \
                     FROM entities FORCE INDEX (entities_inheritance_category) \
                     GROUP BY inheritance_id, category_id, ndd_phenotype"
                ),
                |(category_id, inheritance_id, ndd_phenotype, entities)| Cell {
                    category_id,
                    inheritance_id,
                    ndd_phenotype,
                    entities,
                },
            )
            .await?;
        // Each looks at the first entity only: one step in an index for every gene and disease.
        let genes = conn
            .query_first(format!(
                "SELECT {hint} COUNT(*) FROM genes g \
                 WHERE EXISTS (SELECT /*+ NO_SEMIJOIN() */ 1 FROM entities e WHERE e.gene_id = g.gene_id)"
            ))
            .await?
            .unwrap_or_default();
        let diseases = conn
            .query_first(format!(
                "SELECT {hint} COUNT(*) FROM diseases d \
                 WHERE EXISTS (SELECT /*+ NO_SEMIJOIN() */ 1 FROM entities e WHERE e.disease_id = d.disease_id)"
            ))
            .await?
            .unwrap_or_default();
        let categories = conn
            .query("SELECT category_id, name FROM evidence_categories ORDER BY category_id")
            .await?;
        let modes = conn
            .query("SELECT inheritance_id, hpo_id, name FROM inheritance_modes ORDER BY inheritance_id")
            .await?;
        Ok(Self {
            cells,
            genes,
            diseases,
            categories,
            modes,
        })
    }

    /// How many entities these filters leave.
    pub(crate) fn matching(
        &self,
        inheritance: Option<Inheritance>,
        category: Option<Category>,
        ndd_phenotype: Option<bool>,
    ) -> u64 {
        self.sum(|cell| {
            inheritance.is_none_or(|inheritance| inheritance.id() == cell.inheritance_id)
                && category.is_none_or(|category| category.id() == cell.category_id)
                && ndd_phenotype.is_none_or(|ndd_phenotype| ndd_phenotype == cell.ndd_phenotype)
        })
    }

    fn sum(&self, wanted: impl Fn(&Cell) -> bool) -> u64 {
        self.cells
            .iter()
            .filter(|cell| wanted(cell))
            .map(|cell| cell.entities)
            .sum()
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            entities: self.sum(|_| true),
            genes: self.genes,
            diseases: self.diseases,
            by_category: self
                .categories
                .iter()
                .map(|(id, name)| CategoryCount {
                    category: name.clone(),
                    entities: self.sum(|cell| cell.category_id == *id),
                })
                .collect(),
            by_inheritance: self
                .modes
                .iter()
                .map(|(id, hpo_id, name)| InheritanceCount {
                    hpo_id: hpo_id.clone(),
                    name: name.clone(),
                    entities: self.sum(|cell| cell.inheritance_id == *id),
                })
                .collect(),
            by_ndd_phenotype: NddCount {
                yes: self.sum(|cell| cell.ndd_phenotype),
                no: self.sum(|cell| !cell.ndd_phenotype),
            },
        }
    }
}

/// A count, when it was begun, and how long it took.
#[derive(Debug, Clone)]
struct Counted {
    counts: Arc<Counts>,
    began: Instant,
    took: Duration,
}

impl Counted {
    fn is_fresh(&self) -> bool {
        self.began.elapsed() < fresh_for(self.took)
    }

    fn is_usable(&self) -> bool {
        self.began.elapsed() < fresh_for(self.took) * USABLE
    }
}

/// How long a count is good for that took so long.
fn fresh_for(took: Duration) -> Duration {
    FRESH.max(took * SHARE)
}

/// The last count of this replica.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cache(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last: RwLock<Option<Counted>>,
    /// Held while a count is under way.
    counting: Arc<Mutex<()>>,
    /// How many counts ended, well or not.
    ended: watch::Sender<u64>,
}

impl Cache {
    /// The figures. Who comes when they are a little old gets them as they are, and the next count
    /// begins; who comes when there are none waits for the one count that all wait for.
    pub(crate) async fn counts(&self, db: &Db) -> Answer<Arc<Counts>> {
        let mut ended = self.0.ended.subscribe();
        match self.last() {
            Some(last) if last.is_fresh() => return Ok(last.counts),
            Some(last) if last.is_usable() => {
                self.begin(db);
                return Ok(last.counts);
            }
            _ => self.begin(db),
        }
        // The sender lives as long as the cache.
        let _ = ended.changed().await;
        let last = self.last().filter(Counted::is_usable);
        last.map(|last| last.counts)
            .ok_or_else(|| ApiError::Unavailable {
                what: "the database",
                cause: anyhow!("entities could not be counted"),
            })
    }

    /// The figures if they are there in this time.
    pub(crate) async fn counts_within(&self, db: &Db, time: Duration) -> Option<Arc<Counts>> {
        tokio::time::timeout(time, self.counts(db)).await.ok()?.ok()
    }

    /// Begins a count unless one is under way. It goes on when nobody waits any more: else a count
    /// that takes longer than a request may take would never end.
    fn begin(&self, db: &Db) {
        let Ok(turn) = Arc::clone(&self.0.counting).try_lock_owned() else {
            return;
        };
        let (cache, db) = (self.clone(), db.clone());
        tokio::spawn(async move {
            let began = Instant::now();
            let counted = tokio::time::timeout(LIMIT, Counts::read(&db)).await;
            match counted.unwrap_or(Err(db::Error::NoAnswer(LIMIT))) {
                Ok(counts) => {
                    if let Ok(mut last) = cache.0.last.write() {
                        *last = Some(Counted {
                            counts: Arc::new(counts),
                            began,
                            took: began.elapsed(),
                        });
                    }
                }
                Err(error) => tracing::warn!(%error, "entities could not be counted"),
            }
            drop(turn);
            cache.0.ended.send_modify(|ended| *ended += 1);
        });
    }

    fn last(&self) -> Option<Counted> {
        self.0.last.read().ok()?.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_not_done_often() {
        assert_eq!(fresh_for(Duration::from_millis(20)), FRESH);
        assert_eq!(fresh_for(Duration::from_secs(2)), Duration::from_mins(2));
    }
}
