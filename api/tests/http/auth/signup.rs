use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{Answer, As, PASSWORD, TestApp};
use crate::support::{Database, with_database};

fn wish(user_name: &str, email: &str) -> Value {
    json!({
        "user_name": user_name,
        "email": email,
        "password": PASSWORD,
        "first_name": "Pierre",
        "family_name": "Curie",
        "orcid": "0000-0002-1825-0097",
        "comment": "to curate what I know of",
        "terms_agreed": true,
    })
}

async fn forgot(app: &TestApp, email: &str) -> Answer {
    let body = json!({ "email": email });
    app.post(&As::Nobody, "/api/auth/password/forgot", body)
        .await
}

/// How many letters of this kind were put into the queue.
async fn letters(db: &Database, kind: &str) -> u64 {
    let mut conn = db.connect().await;
    let count = conn
        .exec_first(
            "SELECT COUNT(*) FROM jobs WHERE kind = 'mail.send' AND payload ->> '$.letter' = ?",
            (kind,),
        )
        .await
        .expect("read");
    conn.disconnect().await.expect("closed");
    count.expect("a count")
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn every_refused_value_is_named() {
    with_database(async |db| {
        let app = TestApp::promising_mail(&db).await;
        let answer = app
            .post(
                &As::Nobody,
                "/api/auth/signup",
                json!({
                    "user_name": "x",
                    "email": "no address",
                    "password": "short",
                    "first_name": "P",
                    "family_name": " Curie",
                    "orcid": "0000-0002-1825-0098",
                    "comment": "why not",
                    "terms_agreed": false,
                }),
            )
            .await;
        answer.is_problem(422, "user_name: must be 5 to 20");
        let mut fields: Vec<&str> = answer.body["errors"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|error| error["field"].as_str())
            .collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "comment",
                "email",
                "family_name",
                "first_name",
                "orcid",
                "password",
                "terms_agreed",
                "user_name"
            ]
        );
        for body in [json!({}), json!([]), json!({ "user_name": 7 })] {
            let answer = app.post(&As::Nobody, "/api/auth/signup", body).await;
            answer.is_problem(422, "");
        }
        let mut unknown = wish("pierre", "pierre@example.org");
        unknown["role"] = "Administrator".into();
        let answer = app.post(&As::Nobody, "/api/auth/signup", unknown).await;
        answer.is_problem(422, "unknown field `role`");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn whether_name_or_address_are_known_is_not_told() {
    with_database(async |db| {
        let app = TestApp::promising_mail(&db).await;
        app.administrator().await;
        for (name, email) in [
            ("pierre", "pierre@example.org"),
            ("another", "marie@example.org"),
            ("marie", "third@example.org"),
            ("pierre", "pierre@example.org"),
        ] {
            let answer = app
                .post(&As::Nobody, "/api/auth/signup", wish(name, email))
                .await;
            assert_eq!(
                (answer.status, answer.body),
                (StatusCode::ACCEPTED, Value::Null),
                "{name} {email}"
            );
        }
        let mut conn = db.connect().await;
        let users: Vec<(String, String, String)> = conn
            .query("SELECT user_name, email, CAST(status AS CHAR) FROM users ORDER BY user_id")
            .await
            .expect("read");
        let expected = [
            ("marie", "marie@example.org", "active"),
            ("pierre", "pierre@example.org", "unconfirmed"),
        ]
        .map(|(name, email, status)| (name.to_owned(), email.to_owned(), status.to_owned()));
        assert_eq!(users, expected);
        conn.disconnect().await.expect("closed");
        app.log_in("pierre", PASSWORD)
            .await
            .is_problem(403, "not confirmed");
        for email in ["marie@example.org", "nobody@example.org"] {
            let began = Instant::now();
            let answer = forgot(&app, email).await;
            assert_eq!(
                (answer.status, answer.body),
                (StatusCode::ACCEPTED, Value::Null)
            );
            let took = began.elapsed();
            assert!(took >= Duration::from_millis(300), "{email}: {took:?}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_token_that_nobody_sent_confirms_and_resets_nothing() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        for token in ["0".repeat(64), "' OR 1=1 -- ".to_owned()] {
            let body = json!({ "token": token });
            let answer = app.post(&As::Nobody, "/api/auth/confirm", body).await;
            answer.is_problem(422, "token: the link was used already");
            let body = json!({ "token": token, "password": PASSWORD });
            let answer = app
                .post(&As::Nobody, "/api/auth/password/reset", body)
                .await;
            answer.is_problem(422, "token: the link was used already");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn where_no_mail_is_sent_nobody_is_promised_one_and_nothing_is_told() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        app.administrator().await;
        for email in ["marie@example.org", "nobody@example.org"] {
            forgot(&app, email).await.is_problem(503, "sends no mail");
            let answer = app
                .post(&As::Nobody, "/api/auth/signup", wish("pierre", email))
                .await;
            answer.is_problem(503, "sends no mail");
        }
        let mut conn = db.connect().await;
        let users: Option<u64> = conn
            .query_first("SELECT COUNT(*) FROM users")
            .await
            .expect("read");
        assert_eq!(users, Some(1));
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn strangers_fill_nobodys_mailbox_and_are_answered_as_ever() {
    with_database(async |db| {
        let app = TestApp::promising_mail(&db).await;
        app.administrator().await;
        // The same address to the database, and to whoever runs it.
        for email in [
            "marie@example.org",
            "MARIE@example.org",
            "Marie@Example.org",
        ] {
            for _ in 0..3 {
                let answer = forgot(&app, email).await;
                assert_eq!(
                    (answer.status, answer.body),
                    (StatusCode::ACCEPTED, Value::Null)
                );
            }
        }
        assert_eq!(letters(&db, "reset_password").await, 5);

        // What comes too often has no effect: the link that was sent last stays good.
        for attempt in 0..7 {
            let wish = wish(&format!("pierre{attempt}"), "pierre@example.org");
            let answer = app.post(&As::Nobody, "/api/auth/signup", wish).await;
            assert_eq!(
                (answer.status, answer.body),
                (StatusCode::ACCEPTED, Value::Null)
            );
        }
        assert_eq!(letters(&db, "confirm_email").await, 5);
        let mut conn = db.connect().await;
        let name: Option<String> = conn
            .query_first("SELECT user_name FROM users WHERE email = 'pierre@example.org'")
            .await
            .expect("read");
        assert_eq!(name.as_deref(), Some("pierre4"));

        // As if a while went by.
        conn.query_drop("UPDATE mail_pace SET due_at = due_at - INTERVAL 20 MINUTE")
            .await
            .expect("aged");
        conn.disconnect().await.expect("closed");
        for _ in 0..2 {
            forgot(&app, "marie@example.org").await;
        }
        assert_eq!(letters(&db, "reset_password").await, 6);
    })
    .await;
}
