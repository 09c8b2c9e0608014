use std::process::Command;

use crate::app::{As, TestApp};
use crate::support::with_database;

fn document() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sysndd-api"))
        .arg("openapi")
        .output()
        .expect("the program starts");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Others build on it: a change shows in the diff of the repository.
#[test]
fn the_document_in_the_repository_is_of_this_version() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let document = document();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(file, &document).expect("writable");
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == document,
        "api/openapi.json is of another version; look at the change with UPDATE_OPENAPI=1 and `git diff`"
    );
}

#[test]
fn each_operation_has_a_name_of_its_own() {
    let document: serde_json::Value = serde_json::from_str(&document()).expect("JSON");
    let mut names: Vec<&str> = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|item| item.as_object().expect("methods").values())
        .map(|operation| operation["operationId"].as_str().expect("a name"))
        .collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_replica_serves_the_same_document() {
    with_database(async |db| {
        let served = TestApp::start(&db)
            .await
            .get(&As::Nobody, "/api/openapi.json")
            .await
            .body;
        assert_eq!(
            served,
            serde_json::from_str::<serde_json::Value>(&document()).expect("JSON")
        );
    })
    .await;
}
