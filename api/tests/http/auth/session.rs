use mysql_async::prelude::Queryable as _;
use reqwest::StatusCode;
use serde_json::json;

use crate::app::{As, PASSWORD, TestApp};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_session_is_good_at_every_replica_until_it_is_closed() {
    with_database(async |db| {
        let (one, other) = (
            TestApp::named(&db, "api-1").await,
            TestApp::named(&db, "api-2").await,
        );
        let marie = one.administrator().await;
        assert_eq!(
            other.get(&marie, "/api/account").await.text("user_name"),
            "marie"
        );

        let refreshed = other.post(&marie, "/api/auth/refresh", json!({})).await;
        assert_eq!(refreshed.status, StatusCode::OK, "{refreshed:?}");
        let fresh = As::Token(refreshed.text("token").to_owned());
        for (who, app) in [(&fresh, &one), (&marie, &one), (&marie, &other)] {
            let answer = app.get(who, "/api/account").await;
            assert_eq!(answer.status, StatusCode::OK, "the overlap: {answer:?}");
        }
        // As if half a minute went by.
        let mut conn = db.connect().await;
        conn.query_drop("UPDATE sessions SET rotated_at = rotated_at - INTERVAL 31 SECOND")
            .await
            .expect("aged");
        one.get(&marie, "/api/account")
            .await
            .is_problem(401, "sign in again");

        let closed = one.post(&fresh, "/api/auth/logout", json!({})).await;
        assert_eq!(closed.status, StatusCode::NO_CONTENT);
        other
            .get(&fresh, "/api/account")
            .await
            .is_problem(401, "sign in again");
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_session_ends_when_it_is_not_refreshed_and_at_the_end_of_its_lifetime() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let marie = app.administrator().await;
        let mut conn = db.connect().await;
        conn.query_drop("UPDATE sessions SET ends_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR")
            .await
            .expect("aged");
        let refreshed = app.post(&marie, "/api/auth/refresh", json!({})).await;
        let (expires, ends): (String, String) = conn
            .query_first("SELECT CAST(expires_at AS CHAR), CAST(ends_at AS CHAR) FROM sessions")
            .await
            .expect("read")
            .expect("one session");
        assert_eq!(expires, ends, "{refreshed:?}");

        let marie = As::Token(refreshed.text("token").to_owned());
        conn.query_drop("UPDATE sessions SET expires_at = UTC_TIMESTAMP(6)")
            .await
            .expect("aged");
        app.get(&marie, "/api/account")
            .await
            .is_problem(401, "sign in again");
        app.post(&marie, "/api/auth/refresh", json!({}))
            .await
            .is_problem(401, "sign in again");
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_browsers_cookie_is_hidden_from_scripts_and_useless_to_other_sites() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        app.administrator().await;
        let (cookie, header) = app.sign_in_by_cookie("marie").await;
        for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/api"] {
            assert!(header.contains(part), "{header}");
        }
        let (own, other) = (As::Browser(cookie.clone()), As::OtherSite(cookie));
        assert_eq!(
            app.get(&own, "/api/account").await.text("user_name"),
            "marie"
        );
        let body = json!({ "label": "x", "days": 1 });
        app.post(&other, "/api/account/tokens", body.clone())
            .await
            .is_problem(403, "our own pages");
        assert_eq!(
            app.post(&own, "/api/account/tokens", body).await.status,
            StatusCode::CREATED
        );
        let out = app.post(&own, "/api/auth/logout", json!({})).await;
        assert_eq!(out.status, StatusCode::NO_CONTENT);
        assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
        app.get(&own, "/api/account")
            .await
            .is_problem(401, "sign in again");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn guessing_makes_an_account_rest_on_all_replicas_and_tells_nothing() {
    with_database(async |db| {
        let (one, other) = (
            TestApp::named(&db, "api-1").await,
            TestApp::named(&db, "api-2").await,
        );
        let admin = one.administrator().await;
        one.user("pierre", "Viewer").await;
        let unknown = one.log_in("nobody.here", "wrong password").await;
        for app in [&one, &other, &one, &other, &one] {
            let wrong = app.log_in("pierre", "wrong password").await;
            wrong.is_problem(401, "user name or password is wrong");
            assert_eq!(wrong.body, unknown.body);
        }
        // Right, and refused in the same words.
        let resting = other.log_in("pierre", PASSWORD).await;
        assert_eq!(
            (resting.status, resting.body),
            (unknown.status, unknown.body)
        );

        let pierre = one.get(&admin, "/api/admin/users?q=pierre").await;
        assert!(
            pierre.body["users"][0]["locked_until"].is_string(),
            "{pierre:?}"
        );
        let number = &pierre.body["users"][0]["user_id"];
        let path = format!("/api/admin/users/{number}/unlock");
        let unlocked = other.post(&admin, &path, json!({})).await;
        assert!(unlocked.body["locked_until"].is_null(), "{unlocked:?}");
        one.sign_in("pierre").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn the_rest_grows_and_guessing_on_does_not_prolong_it() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        app.administrator().await;
        let mut conn = db.connect().await;
        let mut rests = Vec::new();
        for round in 0..7 {
            for _ in 0..if round == 0 { 5 } else { 1 } {
                app.log_in("marie", "wrong password").await;
            }
            let before: String = conn
                .query_first("SELECT CAST(locked_until AS CHAR) FROM users")
                .await
                .expect("read")
                .expect("it rests");
            app.log_in("marie", "wrong password").await;
            let (after, rest): (String, u64) = conn
                .query_first(
                    "SELECT CAST(locked_until AS CHAR), \
                            TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6) - INTERVAL 10 SECOND, locked_until) DIV 15 * 15 FROM users",
                )
                .await
                .expect("read")
                .expect("it rests");
            assert_eq!(before, after);
            rests.push(rest);
            // As if it were over.
            conn.query_drop("UPDATE users SET locked_until = UTC_TIMESTAMP(6)")
                .await
                .expect("aged");
        }
        assert_eq!(rests, [30, 60, 120, 240, 480, 900, 900]);
        app.sign_in("marie").await;
        let count: u32 = conn
            .query_first("SELECT failed_logins FROM users")
            .await
            .expect("read")
            .expect("one");
        assert_eq!(count, 0);
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn who_knows_the_password_is_told_why_the_account_is_shut() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        app.user("pierre", "Viewer").await;
        let pierre = app.sign_in("pierre").await;
        let script = app.script(&pierre).await;
        let id = app.get(&pierre, "/api/account").await.body["user_id"].clone();
        let path = format!("/api/admin/users/{id}");
        let shut = app
            .patch(&admin, &path, json!({ "status": "disabled" }))
            .await;
        assert_eq!(shut.text("status"), "disabled");
        app.get(&pierre, "/api/account")
            .await
            .is_problem(401, "sign in again");
        app.log_in("pierre", PASSWORD)
            .await
            .is_problem(403, "disabled");
        app.log_in("pierre", "wrong password")
            .await
            .is_problem(401, "is wrong");
        app.patch(&admin, &path, json!({ "status": "active" }))
            .await;
        for signed_in in [&pierre, &script] {
            app.get(signed_in, "/api/account")
                .await
                .is_problem(401, "sign in again");
        }
        app.sign_in("pierre").await;
    })
    .await;
}
