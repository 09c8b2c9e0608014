use mysql_async::prelude::Queryable as _;
use serde_json::Value;

use crate::app::{As, TestApp};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn the_figures_add_up_to_what_the_tables_hold() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let figures = app.get(&As::Nobody, "/api/statistics").await;
        assert_eq!(figures.header("cache-control"), "public, max-age=30");
        let mut conn = db.connect().await;
        let (entities, genes, diseases, without): (u64, u64, u64, u64) = conn
            .query_first("SELECT COUNT(*), COUNT(DISTINCT gene_id), COUNT(DISTINCT disease_id), CAST(SUM(NOT ndd_phenotype) AS UNSIGNED) FROM entities")
            .await
            .expect("asked")
            .expect("a row");
        let body = &figures.body;
        assert_eq!((&body["entities"], &body["genes"], &body["diseases"]), (&entities.into(), &genes.into(), &diseases.into()));
        assert_eq!((&body["by_ndd_phenotype"]["no"], &body["by_ndd_phenotype"]["yes"]), (&without.into(), &(entities - without).into()));
        for (field, kinds) in [("by_category", 4), ("by_inheritance", 9)] {
            let counts = body[field].as_array().expect("a list");
            let sum: u64 = counts.iter().filter_map(|count| count["entities"].as_u64()).sum();
            assert_eq!((counts.len(), sum), (kinds, entities), "{field}");
        }
        assert_eq!(body["by_category"][0]["category"], Value::from("Definitive"));
    })
    .await;
}
