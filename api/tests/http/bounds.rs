use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{As, TestApp};
use crate::support::{Database, PRODUCTION_LIMITS, Proxy, Traffic, eventually, with_database};

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn bodies_are_bounded() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        for (length, status) in [(65_000, 422), (70_000, 413)] {
            let body = json!({ "token": "x".repeat(length) });
            let answer = app.post(&As::Nobody, "/api/auth/confirm", body).await;
            answer.is_problem(status, "");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn only_the_named_sites_may_read_and_never_with_a_cookie() {
    with_database(async |db| {
        let origins = "https://www.example.org, https://example.org";
        let app = TestApp::with(&db, "api-1", &[("SYSNDD_CORS_ORIGINS", origins)]).await;
        for (origin, allowed) in [
            ("https://example.org", true),
            ("https://www.example.org", true),
            ("http://example.org", false),
            ("https://sub.example.org", false),
            ("https://example.org.evil.example", false),
            ("http://localhost:5173", false),
            ("null", false),
        ] {
            for (method, path) in [
                (Method::GET, "/api/health"),
                (Method::OPTIONS, "/api/auth/login"),
            ] {
                let request = app
                    .request(method, path)
                    .header("origin", origin)
                    .header("access-control-request-method", "POST");
                let answer = request.send().await.expect("answered");
                let header = |name: &str| answer.headers().get(name).cloned();
                let readable = header("access-control-allow-origin");
                assert_eq!(
                    readable.is_some_and(|value| value == origin),
                    allowed,
                    "{origin} {path}"
                );
                assert_eq!(header("access-control-allow-credentials"), None);
            }
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn every_answer_tells_browsers_to_do_nothing_with_it() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        for path in ["/api/health", "/api/nowhere", "/api/account", "/metrics"] {
            let answer = app
                .request(Method::GET, path)
                .send()
                .await
                .expect("answered");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                (
                    "content-security-policy",
                    "default-src 'none'; frame-ancestors 'none'",
                ),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "no-referrer"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(answer.headers()[name], value, "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn an_account_changes_things_at_its_pace_at_all_replicas_together() {
    with_database(async |db| {
        let pace = [("SYSNDD_ACCOUNT_PACE", "8")];
        let (one, other) = (
            TestApp::with(&db, "api-1", &pace).await,
            TestApp::with(&db, "api-2", &pace).await,
        );
        let marie = one.administrator().await;
        let wanted = json!({ "label": "x", "days": 1 });
        for app in [&one, &other, &one, &other] {
            let made = app
                .post(&marie, "/api/account/tokens", wanted.clone())
                .await;
            assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        }
        for app in [&one, &other] {
            let refused = app
                .post(&marie, "/api/account/tokens", wanted.clone())
                .await;
            refused.is_problem(429, "too many requests");
            let wait: u64 = refused.header("retry-after").parse().expect("seconds");
            assert!((1..=8).contains(&wait), "{refused:?}");
        }
        // Reading goes on, and so do others.
        assert_eq!(one.get(&marie, "/api/account").await.status, StatusCode::OK);
        one.user("pierre", "Viewer").await;
        let pierre = one.sign_in("pierre").await;
        let made = other.post(&pierre, "/api/account/tokens", wanted).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        // Whoever goes may go.
        let out = one.post(&marie, "/api/auth/logout", json!({})).await;
        assert_eq!(out.status, StatusCode::NO_CONTENT, "{out:?}");
        other
            .get(&marie, "/api/account")
            .await
            .is_problem(401, "sign in again");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn whatever_befalls_the_database_is_answered_in_time_and_ends_by_itself() {
    with_database(async |db| {
        let proxy = Proxy::to(Database::host()).await;
        let app =
            TestApp::behind(&db, &db.url_at(&proxy.host()), "api-1", &PRODUCTION_LIMITS).await;
        // To sign in takes its time, which the limits of the other one do not leave.
        let unhurried = TestApp::named(&db, "api-2").await;
        let marie = unhurried.administrator().await;
        for outage in [Traffic::Resets, Traffic::Vanishes] {
            eventually("an answer", async || {
                let answer = app.get(&marie, "/api/account").await;
                (answer.status == StatusCode::OK).then_some(())
            })
            .await;
            proxy.set(outage);
            let nobody = json!({ "user_name": "nobody", "password": "nothing to see" });
            let mut times = [vec![], vec![]];
            for _ in 0..3 {
                let asked = Instant::now();
                let read = app.get(&marie, "/api/account").await;
                times[0].push(asked.elapsed());
                let asked = Instant::now();
                let written = app
                    .post(&As::Nobody, "/api/auth/login", nobody.clone())
                    .await;
                times[1].push(asked.elapsed());
                for answer in [read, written] {
                    answer.is_problem(503, "does not answer");
                }
            }
            // The quickest counts: a replica that waits too long does so every time, a busy machine does not.
            for times in times {
                let quickest = times.iter().min().expect("somebody asked");
                assert!(
                    *quickest < Duration::from_millis(2_500),
                    "{outage:?}: {times:?}"
                );
            }
            let asked = Instant::now();
            // More than there are connections: who waits for one is answered as well.
            let answers =
                futures::future::join_all((0..12).map(|_| app.get(&marie, "/api/account"))).await;
            // Far more than the few seconds that all waiting adds up to, far less than without an end.
            assert!(asked.elapsed().as_secs() < 30, "{:?}", asked.elapsed());
            for answer in answers {
                answer.is_problem(503, "does not answer");
                assert_eq!(answer.header("retry-after"), "2");
            }
            proxy.set(Traffic::Passes);
            eventually("an answer", async || {
                let answer = app.get(&marie, "/api/account").await;
                (answer.status == StatusCode::OK).then_some(())
            })
            .await;
        }
        // Whoever reads the log learns why.
        let log = app.log();
        let told = log
            .lines()
            .find(|line| line.contains("the database does not answer"));
        let told: Value = serde_json::from_str(told.expect("a line")).expect("JSON");
        assert!(
            told["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty()),
            "{told}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_list_that_takes_too_long_is_ended_at_the_database_and_may_be_asked_for_again() {
    with_database(async |db| {
        // The database has three quarters of it.
        let limit = [("SYSNDD_REQUEST_TIMEOUT", "12s")];
        let app = TestApp::with(&db, "api-1", &limit).await;
        let mut conn = db.connect().await;
        for statement in [
            "RENAME TABLE genes TO quick_genes",
            "CREATE VIEW genes AS SELECT * FROM quick_genes WHERE SLEEP(600) = 0",
        ] {
            conn.query_drop(statement).await.expect(statement);
        }
        for path in ["/api/entities", "/api/entities?gene=MECP2"] {
            let answer = app.get(&As::Nobody, path).await;
            answer.is_problem(503, "in time");
            assert_eq!(answer.header("retry-after"), "2");
        }
        let asked: Option<u32> = conn
            .query_first(
                "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND state = 'User sleep'",
            )
            .await
            .expect("asked");
        assert_eq!(asked, Some(0));
        conn.disconnect().await.expect("closed");
    })
    .await;
}
