use std::process::Command;

use serde_json::json;

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

/// Requests by the document, and some that it forbids: none may end in a fault of ours, and what is
/// answered is what the document says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and SYSNDD_TEST_SCHEMATHESIS"]
async fn answers_are_as_the_document_says_whatever_is_asked() {
    with_database(async |db| {
        let schemathesis = std::env::var("SYSNDD_TEST_SCHEMATHESIS")
            .expect("SYSNDD_TEST_SCHEMATHESIS: the program `schemathesis`");
        // Letters are kept waiting: nobody listens there.
        let mail = [
            ("SYSNDD_SMTP_HOST", "127.0.0.1"),
            ("SYSNDD_SMTP_PORT", "9"),
            ("SYSNDD_SMTP_TLS", "none"),
            ("SYSNDD_SMTP_FROM", "SysNDD <noreply@example.org>"),
            ("SYSNDD_ACCOUNT_PACE", "100000"),
        ];
        let app = TestApp::with(&db, "api-1", &mail).await;
        let admin = app.administrator().await;
        // A session would end with the first request to sign out.
        let token = app
            .post(
                &admin,
                "/api/account/tokens",
                json!({ "label": "test", "days": 1 }),
            )
            .await;
        let header = format!("Authorization: Bearer {}", token.text("token"));
        ask_everything(
            &schemathesis,
            &app,
            &["--header", &header],
            "examples,coverage,fuzzing",
            20,
        )
        .await;
        // Who shows no token is answered by the document as well.
        ask_everything(&schemathesis, &app, &[], "examples,coverage", 1).await;
    })
    .await;
}

async fn ask_everything(
    schemathesis: &str,
    app: &TestApp,
    header: &[&str],
    phases: &str,
    most_examples: u32,
) {
    let output = tokio::process::Command::new(schemathesis)
        .arg("run")
        .arg(format!("{}/api/openapi.json", app.address()))
        .args(header)
        .args(["--phases", phases])
        .args(["--max-examples", &most_examples.to_string()])
        .args(["--generation-deterministic", "--no-color"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,\
             response_headers_conformance,response_schema_conformance",
        ])
        .current_dir(app.data_dir())
        .output()
        .await
        .expect("it starts");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        app.log()
    );
}
