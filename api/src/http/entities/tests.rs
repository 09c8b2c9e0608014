//! What the server says it will do for each statement: a range of one index, never sorted.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params};
use serde_json::Value;

use super::cursor::Cursor;
use super::params::{Category, Inheritance, ListParams, Order, Sort};
use super::plan::{self, FEW, Narrow, Statement, Way};
use crate::db::with_schema;

const SORTS: [Sort; 5] = [
    Sort::EntityId,
    Sort::Gene,
    Sort::Disease,
    Sort::Category,
    Sort::EnteredOn,
];
const ROWS: u32 = 6_000;

/// Runs a test on a database of its own with many entities.
async fn with_entities(name: &str, test: impl AsyncFnOnce(Conn) + Send + 'static) {
    with_schema(name, async |mut conn| {
        crate::admin::seed(&mut conn, ROWS, 1)
            .await
            .expect("filled");
        conn.query_drop("SET SESSION explain_json_format_version = 1")
            .await
            .expect("the older, better known form");
        test(conn).await;
    })
    .await;
}

/// How the server goes about a statement.
struct Explained {
    text: String,
    plan: Value,
}

impl Explained {
    async fn of(conn: &mut Conn, statement: Statement) -> Self {
        // As it is asked, with the time it may take.
        let statement = statement.within(Duration::from_mins(1));
        let sql = format!("EXPLAIN FORMAT=JSON {}", statement.sql);
        let text: Option<String> = conn
            .exec_first(&sql, Params::Positional(statement.values))
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        // A hint in the wrong place is ignored with a warning.
        let warnings: Vec<(String, u16, String)> =
            conn.query("SHOW WARNINGS").await.expect("asked");
        let warned = warnings.iter().any(|(level, ..)| level == "Warning");
        assert!(!warned, "{warnings:?}: {sql}");
        let text = text.expect("a row");
        Self {
            plan: serde_json::from_str(&text).expect("JSON"),
            text: format!("{sql}\n{text}"),
        }
    }

    /// All values of this name, wherever they are.
    fn all(&self, name: &str) -> Vec<&Value> {
        fn collect<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get(name));
                    fields
                        .values()
                        .for_each(|value| collect(value, name, found));
                }
                Value::Array(items) => items.iter().for_each(|value| collect(value, name, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        collect(&self.plan, name, &mut found);
        found
    }

    fn entities(&self) -> &Value {
        let tables = self.all("table");
        tables
            .into_iter()
            .find(|table| table["table_name"] == "e")
            .unwrap_or_else(|| panic!("entities are not read: {}", self.text))
    }

    fn sorts(&self) -> bool {
        self.times("using_filesort") + self.times("using_temporary_table") > 0
    }

    fn times(&self, name: &str) -> usize {
        let all = self.all(name).into_iter();
        all.filter(|value| **value == true).count()
    }

    /// Whether some table is read from end to end; the few rows found for a beginning are one too.
    fn scans_a_table(&self) -> bool {
        self.all("table").into_iter().any(|table| {
            let name = table["table_name"].as_str().expect(&self.text);
            table["access_type"] == "ALL" && name != "found" && !name.starts_with("<union")
        })
    }
}

fn cursors(sort: Sort) -> [Option<Cursor>; 3] {
    let key = match sort {
        Sort::EntityId => None,
        Sort::Gene => Some("SYNTHETIC5".to_owned()),
        Sort::Disease => Some("Synthetic disorder 5".to_owned()),
        Sort::Category => Some("2".to_owned()),
        Sort::EnteredOn => Some("2018-01-01".to_owned()),
    };
    [None, Some(false), Some(true)].map(|way| {
        way.map(|backward| Cursor {
            backward,
            key: key.clone(),
            entity_id: ROWS / 2,
        })
    })
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn every_order_with_every_filter_walks_an_index_and_sorts_nothing() {
    with_entities("walk", async |mut conn| {
        let mut asked = 0;
        for sort in SORTS {
            for bits in 0..16_u8 {
                let params = ListParams {
                    inheritance: (bits & 1 != 0).then_some(Inheritance::AutosomalRecessive),
                    category: (bits & 2 != 0).then_some(Category::Limited),
                    ndd_phenotype: (bits & 4 != 0).then_some(false),
                    order: if bits & 8 == 0 {
                        Order::Asc
                    } else {
                        Order::Desc
                    },
                    sort,
                    ..ListParams::default()
                };
                for cursor in cursors(plan::effective_sort(&params)) {
                    let page = plan::page(&params, &[], Way::Walk, cursor.as_ref());
                    let explained = Explained::of(&mut conn, page).await;
                    let (entities, text) = (explained.entities(), &explained.text);
                    assert!(!explained.sorts() && !explained.scans_a_table(), "{text}");
                    assert_eq!(entities["key"], plan::walk_index(&params), "{text}");
                    let narrowed = params.inheritance.is_some() || params.category.is_some();
                    let way = entities["access_type"].as_str().expect(text);
                    // From its beginning, a list without filters is the index itself.
                    let whole = !narrowed && cursor.is_none() && way == "index";
                    assert!(whole || ["range", "ref"].contains(&way), "{text}");
                    asked += 1;
                }
            }
        }
        assert_eq!(asked, 5 * 16 * 3);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn what_names_a_gene_or_a_disease_reads_its_rows_and_no_others() {
    with_entities("gather", async |mut conn| {
        // In the middle of the cursors' range, with as many rows as any.
        let (symbol, id): (String, u32) = conn
            .query_first(
                "SELECT gene_symbol, disease_id FROM entities WHERE entity_id > 3000 \
                 ORDER BY entity_id LIMIT 1",
            )
            .await
            .expect("asked")
            .expect("a row");
        for narrow in [
            Narrow::Gene(symbol),
            Narrow::Disease(id),
            Narrow::DiseaseName("Synthetic disorder 5".into()),
            Narrow::Beginning("SYNTHETIC5".into()),
        ] {
            for sort in SORTS {
                let params = ListParams {
                    sort,
                    ..ListParams::default()
                };
                for cursor in cursors(sort) {
                    let page = plan::page(
                        &params,
                        std::slice::from_ref(&narrow),
                        Way::Gather,
                        cursor.as_ref(),
                    );
                    let explained = Explained::of(&mut conn, page).await;
                    // A cursor beside the one gene or disease: nothing is read at all.
                    if !explained.all("message").is_empty() {
                        continue;
                    }
                    let (entities, text) = (explained.entities(), &explained.text);
                    let way = entities["access_type"].as_str().expect(text);
                    assert!(!explained.scans_a_table(), "{text}");
                    let ways = match narrow {
                        Narrow::Beginning(_) => ["eq_ref", "eq_ref"],
                        _ => ["range", "ref"],
                    };
                    assert!(ways.contains(&way), "{text}");
                    let rows = entities["rows_examined_per_scan"].as_u64().expect(text);
                    assert!(rows <= u64::from(FEW), "{text}");
                }
            }
            let probe = Explained::of(&mut conn, plan::probe(&narrow)).await;
            for way in probe.all("access_type") {
                assert!(
                    way == "range" || way == "ref" || way == "ALL",
                    "{}",
                    probe.text
                );
            }
            assert!(
                probe
                    .all("using_index")
                    .into_iter()
                    .all(|covered| covered == true),
                "{}",
                probe.text
            );
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn what_leaves_many_rows_is_walked_and_a_beginning_by_halves() {
    with_entities("many", async |mut conn| {
        for narrow in [
            Narrow::Gene("SYNTHETIC5".into()),
            Narrow::Disease(5),
            Narrow::DiseaseName("Synthetic disorder 5".into()),
            Narrow::Beginning("SYNTHETIC5".into()),
        ] {
            let narrow = std::slice::from_ref(&narrow);
            for sort in SORTS {
                for bits in 0..4_u8 {
                    let params = ListParams {
                        inheritance: (bits & 1 != 0).then_some(Inheritance::AutosomalRecessive),
                        category: (bits & 2 != 0).then_some(Category::Limited),
                        sort,
                        ..ListParams::default()
                    };
                    for cursor in cursors(plan::effective_sort(&params)) {
                        let page = plan::page(&params, narrow, Way::Walk, cursor.as_ref());
                        let explained = Explained::of(&mut conn, page).await;
                        // A cursor beside the one gene or disease: nothing is read at all.
                        if !explained.all("message").is_empty() {
                            continue;
                        }
                        let (entities, text) = (explained.entities(), &explained.text);
                        assert!(!explained.sorts() && !explained.scans_a_table(), "{text}");
                        assert_eq!(entities["key"], plan::walk_index(&params), "{text}");

                        let by_name = [Sort::Gene, Sort::Disease].contains(&sort);
                        if !(by_name && matches!(narrow, [Narrow::Beginning(_)])) {
                            continue;
                        }
                        let page = plan::page(&params, narrow, Way::Halves, cursor.as_ref());
                        let explained = Explained::of(&mut conn, page).await;
                        let text = &explained.text;
                        assert!(!explained.scans_a_table(), "{text}");
                        // What was found is sorted, and not one of the halves.
                        assert_eq!(explained.times("using_filesort"), 1, "{text}");
                        let indexes = ["entities_gene_symbol", "entities_disease_name"];
                        for table in explained.all("table") {
                            let name = table["table_name"].as_str().expect(text);
                            let key = table["key"].as_str().unwrap_or_default();
                            if key == plan::walk_index(&params) || indexes.contains(&key) {
                                assert_eq!(table["access_type"], "range", "{name}: {text}");
                            }
                        }
                        // A half that the cursor leaves nothing of is not read.
                        let walked = plan::walk_index(&params).into();
                        let is_walked = explained.all("key").contains(&&walked);
                        assert!(is_walked || !explained.all("message").is_empty(), "{text}");
                    }
                }
            }
        }
    })
    .await;
}

async fn ids(conn: &mut Conn, statement: Statement) -> Vec<u32> {
    conn.exec_map(
        statement.sql,
        Params::Positional(statement.values),
        |row: mysql_async::Row| row.get(0).expect("a number"),
    )
    .await
    .expect("asked")
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn whichever_way_leads_to_a_page_it_is_the_same() {
    with_entities("ways", async |mut conn| {
        let mut found = 0;
        for text in ["SYNTHETIC", "SYNTHETIC5", "Synthetic disorder 5", "K"] {
            let narrow = [Narrow::Beginning(text.into())];
            for (sort, order) in [
                (Sort::Gene, Order::Asc),
                (Sort::Gene, Order::Desc),
                (Sort::Disease, Order::Asc),
                (Sort::Disease, Order::Desc),
            ] {
                for category in [None, Some(Category::Moderate)] {
                    let params = ListParams {
                        category,
                        sort,
                        order,
                        ..ListParams::default()
                    };
                    for cursor in cursors(sort) {
                        let page = |way| plan::page(&params, &narrow, way, cursor.as_ref());
                        let walked = ids(&mut conn, page(Way::Walk)).await;
                        for way in [Way::Gather, Way::Halves] {
                            assert_eq!(
                                ids(&mut conn, page(way)).await,
                                walked,
                                "{way:?} {text} {params:?} {cursor:?}"
                            );
                        }
                        found += usize::from(!walked.is_empty());
                    }
                }
            }
        }
        assert!(found > 48, "only {found} pages hold something");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn categories_and_modes_have_the_numbers_of_the_tables() {
    with_entities("numbers", async |mut conn| {
        let categories: Vec<(u8, String)> = conn
            .query("SELECT category_id, name FROM evidence_categories ORDER BY category_id")
            .await
            .expect("asked");
        let known = Category::ALL.map(|category| (category.id(), format!("{category:?}")));
        assert_eq!(categories, known);
        let modes: Vec<(u8, String)> = conn
            .query("SELECT inheritance_id, hpo_id FROM inheritance_modes ORDER BY inheritance_id")
            .await
            .expect("asked");
        assert_eq!(modes.len(), Inheritance::ALL.len());
        for (mode, (id, hpo_id)) in Inheritance::ALL.into_iter().zip(modes) {
            assert_eq!(mode.id(), id);
            let read: Inheritance = serde_json::from_value(hpo_id.into()).expect("a known term");
            assert_eq!(read, mode);
        }
    })
    .await;
}
