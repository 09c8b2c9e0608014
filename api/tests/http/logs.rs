use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{As, PASSWORD, TestApp};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn secrets_of_any_kind_stay_out_of_the_log() {
    with_database(async |db| {
        let app = TestApp::with(&db, "api-1", &[("SYSNDD_LOG", "debug")]).await;
        let marie = app.administrator().await;
        let As::Token(session) = &marie else {
            unreachable!("a program")
        };
        let (cookie, _) = app.sign_in_by_cookie("marie").await;
        let made = app
            .post(
                &marie,
                "/api/account/tokens",
                json!({ "label": "label-canary", "days": 1 }),
            )
            .await;
        let mut canaries = vec![
            PASSWORD.to_owned(),
            session.clone(),
            made.text("token").to_owned(),
            cookie.split_once('=').expect("a pair").1.to_owned(),
        ];
        for canary in [
            "canary-body",
            "canary-query",
            "canary-header",
            "canary-password",
        ] {
            canaries.push(canary.to_owned());
        }
        app.log_in("marie", "canary-password").await;
        let answer = app
            .request(Method::POST, "/api/auth/confirm?token=canary-query")
            .header("x-forwarded-user", "canary-header")
            .header("authorization", "Bearer canary-header")
            .json(&json!({ "token": "canary-body" }))
            .send()
            .await
            .expect("answered");
        assert_eq!(answer.status(), 422);
        let log = app.log();
        for canary in canaries {
            assert!(!log.contains(&canary), "{canary} is in the log:\n{log}");
        }
        assert!(
            !log.contains("for-tests-only"),
            "the database's password is in the log"
        );
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_request_is_one_line_with_its_id_and_how_it_ended() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let answer = app
            .request(Method::GET, "/api/admin/users?q=x")
            .header("x-request-id", "edge-4711")
            .header("x-forwarded-for", "203.0.113.7")
            .send()
            .await
            .expect("answered");
        assert_eq!(answer.headers()["x-request-id"], "edge-4711");
        let lines: Vec<Value> = app
            .log()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["span"]["request_id"] == "edge-4711")
            .collect();
        let [line] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        assert_eq!(line["method"], "GET");
        assert_eq!(line["route"], "/api/admin/users");
        assert_eq!(line["status"], 401);
        assert_eq!(line["client"], "203.0.113.7");
        assert!(
            line["duration_ms"].as_f64().is_some_and(|took| took > 0.0),
            "{line}"
        );
    })
    .await;
}
