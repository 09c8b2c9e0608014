use reqwest::Method;
use serde_json::json;

use crate::app::{As, PASSWORD, TestApp};
use crate::jobs::insert;
use crate::support::{eventually, with_database};

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn requests_sign_ins_and_the_pool_are_counted() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        app.administrator().await;
        app.log_in("marie", "wrong password").await;
        app.log_in("marie", PASSWORD).await;
        app.get(&As::Nobody, "/api/admin/users/1").await;
        app.get(&As::Nobody, "/api/admin/users/2").await;
        app.get(&As::Nobody, "/api/no/such/route").await;
        let answer = app.request(Method::GET, "/metrics").send().await.expect("answered");
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .is_ok_and(|kind| kind.starts_with("application/openmetrics-text"))
        );
        let text = answer.text().await.expect("text");
        for line in [
            r#"sysndd_http_request_duration_seconds_count{method="GET",route="/api/admin/users/{user_id}",status="401"} 2"#,
            r#"sysndd_http_request_duration_seconds_count{method="GET",route="none",status="404"} 1"#,
            r#"sysndd_sign_ins_total{outcome="accepted"} 2"#,
            r#"sysndd_sign_ins_total{outcome="refused"} 1"#,
            "sysndd_db_pool_connections_max 8",
            "sysndd_http_requests_in_flight 1",
            "sysndd_db_pool_timeouts_total 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
        }
        assert!(text.contains(r#"release="r-test",replica="api-1""#), "{text}");
        // Between the replica and whoever watches it.
        app.get(&As::Nobody, "/api/metrics").await.is_problem(404, "nothing at");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn workers_and_jobs_are_counted() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        insert(&db, "jobs.purge", &json!({}), None).await;
        insert(&db, "mail.send", &json!({ "letter": "unheard_of" }), None).await;
        insert(&db, "kind.of.tomorrow", &json!({}), None).await;
        for line in [
            r#"sysndd_job_attempts_total{kind="jobs.purge",outcome="succeeded"} 1"#,
            r#"sysndd_job_attempts_total{kind="mail.send",outcome="failed"} 1"#,
            "sysndd_workers 2",
            "sysndd_workers_busy 0",
            "sysndd_jobs_queued 1",
        ] {
            eventually(line, async || {
                let answer = app.request(Method::GET, "/metrics").send().await;
                let text = answer.expect("answered").text().await.expect("text");
                text.lines().any(|it| it == line).then_some(())
            })
            .await;
        }
    })
    .await;
}
