use mysql_async::prelude::Queryable as _;
use serde_json::Value;

use crate::app::{Answer, As, TestApp};
use crate::support::{Database, Launch, eventually, with_database};

const SORTS: [&str; 5] = ["entity_id", "gene", "disease", "category", "entered_on"];

async fn seed(db: &Database, arguments: &[&str]) -> (bool, String) {
    let launch = Launch::new(&[&["admin", "seed"], arguments].concat());
    let (status, _, stderr) = launch
        .set("SYSNDD_DATABASE_URL", db.url())
        .start()
        .end()
        .await;
    (status.success(), stderr)
}

async fn list(app: &TestApp, query: &str) -> Answer {
    let answer = app
        .get(&As::Nobody, &format!("/api/entities?{query}"))
        .await;
    assert_eq!(answer.status.as_u16(), 200, "{query}: {answer:?}");
    answer
}

fn entities(answer: &Answer) -> Vec<Value> {
    answer.body["entities"].as_array().expect("a list").clone()
}

fn ids(answer: &Answer) -> Vec<u64> {
    let id = |entity: Value| entity["entity_id"].as_u64().expect("a number");
    entities(answer).into_iter().map(id).collect()
}

/// All pages from here on in one direction, each in the order of the list.
async fn follow(app: &TestApp, query: &str, way: &str, first: Answer) -> Vec<Vec<u64>> {
    let mut pages = vec![ids(&first)];
    let mut answer = first;
    while let Some(cursor) = answer.body[way].as_str() {
        answer = list(app, &format!("{query}&cursor={cursor}")).await;
        if ids(&answer).is_empty() {
            break;
        }
        pages.push(ids(&answer));
    }
    pages
}

/// The same question without pages, asked of the database.
async fn all(db: &Database, condition: &str, order: &str) -> Vec<u64> {
    let mut conn = db.connect().await;
    let sql = format!(
        "SELECT entity_id FROM entities JOIN genes USING (gene_id) JOIN diseases USING (disease_id) \
         WHERE {condition} ORDER BY {order}"
    );
    conn.query(&sql).await.expect(&sql)
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn every_filter_and_order_answers_what_the_tables_hold() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let (made, stderr) = seed(&db, &["--rows", "400"]).await;
        assert!(made, "{stderr}");
        let filters = [
            ("", "TRUE"),
            ("gene=mecp2", "symbol = 'MECP2'"),
            ("disease=OMIM:312750", "ontology_id = 'OMIM:312750'"),
            ("disease=Kabuki", "diseases.name LIKE 'Kabuki%'"),
            ("inheritance=HP:0000007", "inheritance_id = 2"),
            ("category=Limited", "category_id = 3"),
            ("ndd_phenotype=false", "NOT ndd_phenotype"),
            ("q=ka", "symbol LIKE 'ka%' OR diseases.name LIKE 'ka%'"),
            ("q=synth", "symbol LIKE 'synth%'"),
            (
                "inheritance=HP:0000006&category=Definitive&ndd_phenotype=true",
                "inheritance_id = 1 AND category_id = 1 AND ndd_phenotype",
            ),
            (
                "q=SCN&category=Moderate",
                "symbol LIKE 'SCN%' AND category_id = 2",
            ),
        ];
        for (filter, condition) in filters {
            for (sort, column) in SORTS.into_iter().zip([
                "entity_id",
                "symbol",
                "diseases.name",
                "category_id",
                "entered_on",
            ]) {
                for order in ["asc", "desc"] {
                    let query = format!("{filter}&sort={sort}&order={order}&limit=100")
                        .trim_start_matches('&')
                        .to_owned();
                    let pages = follow(&app, &query, "next", list(&app, &query).await).await;
                    let wanted = all(
                        &db,
                        condition,
                        &format!("{column} {order}, entity_id {order}"),
                    )
                    .await;
                    assert!(
                        !wanted.is_empty() || filter.contains("gene"),
                        "{filter} leaves nothing to look at"
                    );
                    assert_eq!(pages.concat(), wanted, "{query}");
                }
            }
        }
        let one = list(&app, "gene=MECP2").await;
        let entity = &entities(&one)[0];
        assert_eq!(entity["gene"]["hgnc_id"], "HGNC:6990");
        assert_eq!(entity["disease"]["name"], "Rett syndrome");
        assert_eq!(entity["inheritance"]["hpo_id"], "HP:0001423");
        assert_eq!(
            (&entity["category"], &entity["ndd_phenotype"]),
            (&"Definitive".into(), &true.into())
        );
        assert_eq!(one.body["total"], 1);
        let path = format!("/api/entities/{}", ids(&one)[0]);
        assert_eq!(&app.get(&As::Nobody, &path).await.body, entity);

        let wanted = all(&db, "category_id = 3", "entity_id").await.len();
        eventually("the total of a broad filter", async || {
            (list(&app, "category=Limited").await.body["total"] == wanted).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn pages_lose_and_repeat_nothing_while_rows_come_forth_and_back() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let (other, mut conn) = (TestApp::named(&db, "api-2").await, db.connect().await);
        for sort in SORTS {
            for order in ["asc", "desc"] {
                let query = format!("sort={sort}&order={order}&limit=7");
                let before = all(&db, "TRUE", "entity_id").await;
                let mut seen = Vec::new();
                let mut page = list(&app, &query).await;
                loop {
                    seen.push(ids(&page));
                    // A row that would fall into any page, and one that goes again.
                    conn.query_drop(
                        "INSERT INTO entities (gene_id, gene_symbol, disease_id, disease_name, inheritance_id, category_id, entered_on) \
                         SELECT gene_id, symbol, disease_id, name, 9, 3, '2026-11-20' FROM \
                         (SELECT g.gene_id, g.symbol, d.disease_id, d.name FROM genes g, diseases d \
                          WHERE NOT EXISTS (SELECT 1 FROM entities e WHERE e.gene_id = g.gene_id AND e.disease_id = d.disease_id) \
                          ORDER BY RAND() LIMIT 1) any_pair",
                    )
                    .await
                    .expect("inserted");
                    let Some(cursor) = page.body["next"].as_str() else { break };
                    // Another replica goes on where the first one ended.
                    page = list(&other, &format!("{query}&cursor={cursor}")).await;
                }
                let flat = seen.concat();
                let mut unique = flat.clone();
                unique.sort_unstable();
                unique.dedup();
                assert_eq!(unique.len(), flat.len(), "{query}: something came twice");
                let missing: Vec<_> = before.iter().filter(|id| !flat.contains(id)).collect();
                assert!(missing.is_empty(), "{query}: {missing:?} never came");

                conn.query_drop("DELETE FROM entities WHERE inheritance_id = 9").await.expect("deleted");
                let forth = follow(&app, &query, "next", list(&app, &query).await).await;
                let last = list_last(&app, &query).await;
                let mut back = follow(&app, &query, "previous", last).await;
                back.reverse();
                assert_eq!(back.concat(), forth.concat(), "{query}: back is not forth");
            }
        }
    })
    .await;
}

/// The last page, by following all.
async fn list_last(app: &TestApp, query: &str) -> Answer {
    let mut page = list(app, query).await;
    while let Some(cursor) = page.body["next"].as_str() {
        page = list(app, &format!("{query}&cursor={cursor}")).await;
    }
    page
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn what_cannot_be_asked_is_refused_by_its_name() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let ask = async |query: &str| {
            app.get(&As::Nobody, &format!("/api/entities?{query}"))
                .await
        };
        for (query, status, about) in [
            ("limit=0", 422, "limit"),
            ("limit=101", 422, "limit"),
            ("limit=many", 400, "limit"),
            ("sort=name", 400, "sort"),
            ("order=up", 400, "order"),
            ("category=Certain", 400, "category"),
            ("inheritance=dominant", 400, "inheritance"),
            ("ndd_phenotype=perhaps", 400, "ndd_phenotype"),
            ("catgory=Definitive", 400, "catgory"),
            ("gene=", 422, "gene"),
            ("cursor=x", 400, "cursor"),
        ] {
            ask(query).await.is_problem(status, about);
        }
        let page = ask("limit=5&sort=gene").await;
        let cursor = page.text("next").to_owned();
        assert_eq!(
            ask(&format!("limit=9&sort=gene&cursor={cursor}"))
                .await
                .status
                .as_u16(),
            200
        );
        for other in [
            "sort=disease",
            "sort=gene&order=desc",
            "sort=gene&category=Definitive",
        ] {
            ask(&format!("{other}&cursor={cursor}"))
                .await
                .is_problem(400, "cursor");
        }
        let mut changed = cursor.clone();
        let last = if changed.pop() == Some('A') { 'Q' } else { 'A' };
        changed.push(last);
        ask(&format!("sort=gene&cursor={changed}"))
            .await
            .is_problem(400, "cursor");

        app.get(&As::Nobody, "/api/entities/4000000000")
            .await
            .is_problem(404, "4000000000");
        app.get(&As::Nobody, "/api/entities/first")
            .await
            .is_problem(400, "first");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn what_looks_like_sql_or_a_pattern_is_a_text_to_look_for() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let before = all(&db, "TRUE", "entity_id").await;
        for text in [
            "%27%20OR%201%3D1%20--%20",
            "x%27%3B%20DROP%20TABLE%20entities%3B%20--%20",
            "%25",
            "_",
            "%5C",
            "%22",
            "%00",
            "%F0%9F%A7%AC",
        ] {
            for filter in ["gene", "disease", "q"] {
                let answer = list(&app, &format!("{filter}={text}")).await;
                assert!(ids(&answer).is_empty(), "{filter}={text}: {answer:?}");
            }
            let gene = app.get(&As::Nobody, &format!("/api/genes/{text}")).await;
            assert_eq!(gene.status.as_u16(), 404, "{text}: {gene:?}");
        }
        assert_eq!(all(&db, "TRUE", "entity_id").await, before);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn what_a_client_has_already_is_not_sent_again() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        for path in ["/api/entities/1", "/api/genes/MECP2"] {
            let first = app.get(&As::Nobody, path).await;
            assert_eq!(first.header("cache-control"), "no-cache");
            let tag = first.header("etag");
            assert!(tag.starts_with("W/\""), "{first:?}");
            for (given, status) in [(tag, 304), ("W/\"other\"", 200), ("\"a\", *", 304)] {
                let request = app
                    .request(reqwest::Method::GET, path)
                    .header("if-none-match", given);
                assert_eq!(
                    request.send().await.expect("answered").status().as_u16(),
                    status,
                    "{given}"
                );
            }
        }
        let mut conn = db.connect().await;
        let tag = app
            .get(&As::Nobody, "/api/genes/MECP2")
            .await
            .header("etag")
            .to_owned();
        conn.query_drop("UPDATE genes SET symbol = 'MECP2X' WHERE symbol = 'MECP2'")
            .await
            .expect("renamed");
        let renamed = app.get(&As::Nobody, "/api/genes/MECP2X").await;
        assert_ne!(renamed.header("etag"), tag);
        let of_entity = &renamed.body["entities"]["entities"][0]["gene"]["symbol"];
        assert_eq!(
            of_entity, "MECP2X",
            "the name in the list follows that of the gene"
        );
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn synthetic_rows_come_only_where_they_surprise_nobody_and_go_without_a_trace() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let before = all(&db, "TRUE", "entity_id").await;
        let (made, stderr) = seed(&db, &["--rows", "1500"]).await;
        assert!(made, "{stderr}");
        assert_eq!(
            all(&db, "TRUE", "entity_id").await.len(),
            before.len() + 1500
        );
        let (made, stderr) = seed(&db, &["--rows", "10", "--yes"]).await;
        assert!(!made && stderr.contains("--remove"), "{stderr}");
        let (removed, stderr) = seed(&db, &["--remove"]).await;
        assert!(
            removed && stderr.contains("1500 synthetic entities removed"),
            "{stderr}"
        );
        assert_eq!(all(&db, "TRUE", "entity_id").await, before);
        assert_eq!(
            all(
                &db,
                "symbol LIKE 'SYNTH%' OR diseases.name LIKE 'Synth%'",
                "1"
            )
            .await,
            [0_u64; 0]
        );

        app.administrator().await;
        let (made, stderr) = seed(&db, &["--rows", "10"]).await;
        assert!(!made && stderr.contains("--yes"), "{stderr}");
        let (made, stderr) = seed(&db, &["--rows", "10", "--yes"]).await;
        assert!(made, "{stderr}");
    })
    .await;
}
