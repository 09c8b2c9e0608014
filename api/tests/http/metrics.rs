use reqwest::Method;
use serde_json::json;

use crate::app::{As, PASSWORD, TestApp};
use crate::jobs::insert;
use crate::mail::app_sending_by;
use crate::mailbox::smtp;
use crate::support::{Database, Proxy, Traffic, eventually, shipped_migrations, with_database};

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
            "sysndd_db_up 1",
            "sysndd_migrations_pending 0",
            "sysndd_smtp_configured 0",
            "sysndd_smtp_up 0",
            "sysndd_storage_up 1",
            "sysndd_restore_fence_seconds 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
        }
        let migrations = std::fs::read_dir(shipped_migrations()).expect("readable");
        let files = migrations.filter_map(|file| file.ok()?.path().extension().map(|it| it == "sql"));
        let applied = format!("sysndd_migrations_applied {}", files.filter(|is_sql| *is_sql).count());
        assert!(text.lines().any(|it| it == applied), "no {applied} in\n{text}");
        assert_eq!(text.matches("# EOF").count(), 1);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn what_a_replica_needs_is_told_also_while_it_is_gone() {
    async fn tells(app: &TestApp, line: &str) -> String {
        eventually(line, async || {
            let answer = app.request(Method::GET, "/metrics").send().await;
            let text = answer.expect("answered").text().await.expect("text");
            text.lines().any(|it| it == line).then_some(text)
        })
        .await
    }
    with_database(async |db| {
        let (mail, database) = (Proxy::to(smtp()).await, Proxy::to(Database::host()).await);
        let app = app_sending_by(&db, &mail.host()).await;
        let text = tells(&app, "sysndd_smtp_up 1").await;
        assert!(text.contains("sysndd_smtp_configured 1\n"), "{text}");
        mail.set(Traffic::Resets);
        // Noticed by whoever needs it.
        let letter = json!({ "letter": "test", "to": "marie@example.org" });
        insert(&db, "mail.send", &letter, None).await;
        let text = tells(&app, "sysndd_smtp_up 0").await;
        assert!(text.contains("sysndd_smtp_configured 1\n"), "{text}");

        let url = db.url_at(&database.host());
        let app = TestApp::behind(&db, &url, "api-2", &[]).await;
        tells(&app, "sysndd_db_up 1").await;
        for outage in [Traffic::Resets, Traffic::Vanishes] {
            database.set(outage);
            let text = tells(&app, "sysndd_db_up 0").await;
            assert!(!text.contains("sysndd_migrations_pending"), "{text}");
            database.set(Traffic::Passes);
            tells(&app, "sysndd_migrations_pending 0").await;
        }
        std::fs::remove_dir(app.data_dir()).expect("removed");
        tells(&app, "sysndd_storage_up 0").await;
        std::fs::create_dir(app.data_dir()).expect("made again");
        tells(&app, "sysndd_storage_up 1").await;
    })
    .await;
}
