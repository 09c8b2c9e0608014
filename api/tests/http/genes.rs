use crate::app::{As, TestApp};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_gene_comes_with_its_entities_and_an_unknown_one_is_a_problem() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        // Symbols are written in capitals, and found however they are written.
        for symbol in ["SCN1A", "scn1a"] {
            let gene = app.get(&As::Nobody, &format!("/api/genes/{symbol}")).await;
            assert_eq!(
                (gene.text("symbol"), gene.text("hgnc_id")),
                ("SCN1A", "HGNC:10585")
            );
            let list = &gene.body["entities"];
            assert_eq!(
                (list["entities"].as_array().map(Vec::len), &list["total"]),
                (Some(2), &2.into())
            );
            let same = app
                .get(&As::Nobody, "/api/entities?gene=SCN1A&limit=100")
                .await;
            assert_eq!(&same.body, list);
        }
        app.get(&As::Nobody, "/api/genes/NOSUCHGENE1")
            .await
            .is_problem(404, "NOSUCHGENE1");
    })
    .await;
}
