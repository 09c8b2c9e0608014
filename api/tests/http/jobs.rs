use mysql_async::params;
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};

use crate::app::{As, TestApp};
use crate::support::{Database, eventually, with_database};

/// A job in the table, as a resource would put it there.
pub(crate) async fn insert(db: &Database, kind: &str, payload: &Value, by: Option<&str>) -> u64 {
    let mut conn = db.connect().await;
    conn.exec_drop(
        "INSERT INTO jobs (kind, payload, created_by) \
         VALUES (:kind, :payload, (SELECT user_id FROM users WHERE user_name = :by))",
        params! { kind, "payload" => payload.to_string(), by },
    )
    .await
    .expect("inserted");
    let job_id = conn.last_insert_id().expect("a number");
    conn.disconnect().await.expect("closed");
    job_id
}

/// Asks until the job stands so.
pub(crate) async fn becomes(app: &TestApp, who: &As, job_id: u64, status: &str) -> Value {
    eventually(status, async || {
        let answer = app.get(who, &format!("/api/jobs/{job_id}")).await;
        Some(answer.body).filter(|job| job["status"] == status)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_job_is_seen_by_who_began_it_and_by_administrators() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        app.user("pierre", "Viewer").await;
        app.user("irene.", "Curator").await;
        let (pierre, irene) = (app.sign_in("pierre").await, app.sign_in("irene.").await);
        let job_id = insert(&db, "jobs.purge", &json!({}), Some("pierre")).await;
        let path = format!("/api/jobs/{job_id}");
        let expected = json!({
            "job_id": job_id, "status": "succeeded", "step": null, "progress": null,
            "result": { "deleted": 0 }, "error": null,
        });
        assert_eq!(becomes(&app, &pierre, job_id, "succeeded").await, expected);
        assert_eq!(app.get(&admin, &path).await.body, expected);
        app.get(&irene, &path).await.is_problem(404, "no job");
        app.get(&As::Nobody, &path).await.is_problem(401, "sign in");
        app.get(&pierre, "/api/jobs/4711")
            .await
            .is_problem(404, "no job 4711");
        app.get(&pierre, "/api/jobs/first")
            .await
            .is_problem(400, "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_job_that_cannot_succeed_says_why() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        let job_id = insert(&db, "mail.send", &json!({ "letter": "unheard_of" }), None).await;
        let job = becomes(&app, &admin, job_id, "failed").await;
        // Mail is off here, and that is not what is wrong with it.
        assert_eq!(job["error"]["code"], "payload", "{job}");
        assert!(
            job["error"]["message"]
                .as_str()
                .expect("text")
                .contains("unheard_of")
        );
    })
    .await;
}
