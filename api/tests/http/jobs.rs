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

/// Asks until the job stands so; one that has ended in another way never will.
pub(crate) async fn becomes(app: &TestApp, who: &As, job_id: u64, status: &str) -> Value {
    eventually(status, async || {
        let job = app.get(who, &format!("/api/jobs/{job_id}")).await.body;
        let ended = ["succeeded", "failed", "cancelled"]
            .contains(&job["status"].as_str().unwrap_or_default());
        assert!(!ended || job["status"] == status, "{job}\n{}", app.log());
        (job["status"] == status).then_some(job)
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn what_nobody_can_use_any_more_is_forgotten() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        for name in ["active", "fresh-one", "linked", "forgotten"] {
            app.user(name, "Viewer").await;
        }
        let script = "
            UPDATE users SET status = 'unconfirmed' WHERE user_name IN ('fresh-one', 'linked', 'forgotten');
            UPDATE users SET created_at = UTC_TIMESTAMP(6) - INTERVAL 8 DAY WHERE user_name <> 'fresh-one';
            INSERT INTO user_tokens (token_hash, user_id, purpose, expires_at)
                SELECT UNHEX(SHA2(CONCAT(user_name, age), 256)), user_id, 'confirm_email',
                       UTC_TIMESTAMP(6) + INTERVAL age DAY
                FROM users CROSS JOIN (VALUES ROW(-400), ROW(-1), ROW(1)) AS ages (age)
                WHERE user_name = 'linked' OR (user_name = 'forgotten' AND age < 0);
            INSERT INTO sessions (token_hash, user_id, epoch, expires_at, ends_at)
                SELECT UNHEX(SHA2(CONCAT(user_name, ' had one'), 256)), user_id, session_epoch,
                       UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE, UTC_TIMESTAMP(6) + INTERVAL 1 DAY
                FROM users WHERE user_name = 'active';
            INSERT INTO mail_pace (recipient, due_at)
                VALUES (UNHEX(SHA2('over', 256)), UTC_TIMESTAMP(6)),
                       (UNHEX(SHA2('not yet', 256)), UTC_TIMESTAMP(6) + INTERVAL 1 HOUR)";
        let mut conn = db.connect().await;
        for statement in script.split(';') {
            conn.query_drop(statement).await.expect(statement);
        }
        let job_id = insert(&db, "accounts.purge", &json!({}), None).await;
        let job = becomes(&app, &admin, job_id, "succeeded").await;
        assert_eq!(
            job["result"],
            json!({ "sessions": 1, "tokens": 2, "accounts": 1, "paces": 1 })
        );
        let left: Vec<String> = conn
            .query("SELECT user_name FROM users WHERE user_name <> 'marie' ORDER BY user_name")
            .await
            .expect("asked");
        assert_eq!(left, ["active", "fresh-one", "linked"]);
        // Who is signed in stays so.
        assert_eq!(app.get(&admin, "/api/account").await.status, 200);
        conn.disconnect().await.expect("closed");
    })
    .await;
}
