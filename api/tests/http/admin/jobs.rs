use mysql_async::prelude::Queryable as _;
use serde_json::json;

use crate::app::TestApp;
use crate::jobs::{becomes, insert};
use crate::support::with_database;

const DRILL: [(&str, &str); 1] = [("SYSNDD_DRILL", "jobs")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_job_that_waits_is_stopped_at_once_and_can_be_tried_again() {
    with_database(async |db| {
        // Nobody knows this kind of job, so it waits.
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        let job_id = insert(&db, "drill.count", &json!({ "pause_ms": 0 }), None).await;
        let path = format!("/api/admin/jobs/{job_id}");
        app.post(&admin, &format!("{path}/retry"), json!({}))
            .await
            .is_problem(409, "did not fail");
        let stopped = app.post(&admin, &format!("{path}/cancel"), json!({})).await;
        assert_eq!(stopped.text("status"), "cancelled", "{stopped:?}");
        assert!(stopped.body["finished_at"].is_string(), "{stopped:?}");
        app.post(&admin, &format!("{path}/cancel"), json!({}))
            .await
            .is_problem(409, "it is over");
        let again = app.post(&admin, &format!("{path}/retry"), json!({})).await;
        assert_eq!(again.status.as_u16(), 202, "{again:?}");
        assert_eq!(again.header("location"), format!("/api/jobs/{job_id}"));
        assert_eq!(again.header("retry-after"), "1");
        assert_eq!(again.text("status"), "queued");
        for what in ["cancel", "retry"] {
            app.post(&admin, &format!("/api/admin/jobs/4711/{what}"), json!({}))
                .await
                .is_problem(404, "no job 4711");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_job_that_runs_on_any_replica_is_asked_to_stop_and_does() {
    with_database(async |db| {
        let idle = TestApp::with(&db, "api-1", &[("SYSNDD_WORKERS", "0")]).await;
        let admin = idle.administrator().await;
        let _busy = TestApp::with(&db, "api-2", &DRILL).await;
        let job_id = insert(&db, "drill.count", &json!({ "pause_ms": 600_000 }), None).await;
        becomes(&idle, &admin, job_id, "running").await;
        let path = format!("/api/admin/jobs/{job_id}/cancel");
        for _ in 0..2 {
            let asked = idle.post(&admin, &path, json!({})).await;
            assert_eq!(
                asked.status.as_u16(),
                200,
                "asking twice is no fault: {asked:?}"
            );
            assert_eq!(asked.body["cancel_requested"], true);
        }
        becomes(&idle, &admin, job_id, "cancelled").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn jobs_come_in_pages_and_by_state_and_kind_without_their_payload() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        let mut numbers = Vec::new();
        for _ in 0..5 {
            numbers.push(insert(&db, "drill.count", &json!({ "canary": 1 }), None).await);
        }
        let other = insert(&db, "other.kind", &json!({}), Some("marie")).await;
        let mut conn = db.connect().await;
        conn.query_drop(
            "UPDATE jobs SET status = 'failed', error_code = 'x' WHERE kind = 'other.kind'",
        )
        .await
        .expect("changed");
        conn.disconnect().await.expect("closed");

        let mut seen = Vec::new();
        let mut path = "/api/admin/jobs?limit=2&kind=drill.count".to_owned();
        loop {
            let page = app.get(&admin, &path).await;
            assert!(!page.body.to_string().contains("canary"), "{page:?}");
            let jobs = page.body["jobs"].as_array().expect("a list");
            seen.extend(jobs.iter().filter_map(|job| job["job_id"].as_u64()));
            let Some(next) = page.body["next"].as_u64() else {
                break;
            };
            path = format!("/api/admin/jobs?limit=2&kind=drill.count&after={next}");
        }
        numbers.reverse();
        assert_eq!(seen, numbers);
        let failed = app.get(&admin, "/api/admin/jobs?status=failed").await;
        assert_eq!(failed.body["jobs"][0]["job_id"], other);
        assert_eq!(failed.body["jobs"][0]["created_by"], 1);
        for (query, status) in [("status=lost", 400), ("limit=0", 422), ("after=x", 400)] {
            app.get(&admin, &format!("/api/admin/jobs?{query}"))
                .await
                .is_problem(status, "");
        }
        app.user("pierre", "Curator").await;
        let pierre = app.sign_in("pierre").await;
        app.get(&pierre, "/api/admin/jobs")
            .await
            .is_problem(403, "administrators");
        for what in ["cancel", "retry"] {
            app.post(
                &pierre,
                &format!("/api/admin/jobs/{other}/{what}"),
                json!({}),
            )
            .await
            .is_problem(403, "administrators");
        }
    })
    .await;
}
