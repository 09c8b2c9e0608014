use mysql_async::prelude::Queryable as _;
use serde_json::json;

use crate::app::{As, TestApp, none_before_all_are_there};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn only_administrators_see_and_change_accounts() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        app.get(&As::Nobody, "/api/admin/users")
            .await
            .is_problem(401, "sign in");
        for role in ["Curator", "Reviewer", "Viewer"] {
            let name = format!("the.{}", role.to_lowercase());
            app.user(&name, role).await;
            let someone = app.sign_in(&name).await;
            app.get(&someone, "/api/admin/users")
                .await
                .is_problem(403, "administrators");
            app.patch(&someone, "/api/admin/users/1", json!({ "role": "Viewer" }))
                .await
                .is_problem(403, "administrators");
        }
        let own = app
            .patch(&admin, "/api/admin/users/1", json!({ "role": "Viewer" }))
            .await;
        own.is_problem(409, "another administrator");
        app.get(&admin, "/api/admin/users/4711")
            .await
            .is_problem(404, "no user 4711");

        // A role takes effect with the next request.
        let reviewer = app.sign_in("the.reviewer").await;
        let id = app.get(&reviewer, "/api/account").await.body["user_id"].clone();
        let path = format!("/api/admin/users/{id}");
        let changed = app
            .patch(&admin, &path, json!({ "role": "Administrator" }))
            .await;
        assert_eq!(changed.text("role"), "Administrator");
        assert_eq!(app.get(&reviewer, "/api/admin/users").await.status, 200);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn accounts_come_in_pages_and_by_what_they_begin_with() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        for number in 1..=5 {
            app.user(&format!("reader_{number}"), "Viewer").await;
        }
        let mut names = Vec::new();
        let mut path = "/api/admin/users?limit=2".to_owned();
        loop {
            let page = app.get(&admin, &path).await;
            let users = page.body["users"].as_array().expect("a list").clone();
            names.extend(
                users
                    .iter()
                    .map(|user| user["user_name"].as_str().expect("text").to_owned()),
            );
            let Some(next) = page.body["next"].as_u64() else {
                break;
            };
            path = format!("/api/admin/users?limit=2&after={next}");
        }
        let expected = [
            "reader_5", "reader_4", "reader_3", "reader_2", "reader_1", "marie",
        ];
        assert_eq!(names, expected);
        for (query, count) in [
            ("q=reader_", 5),
            ("q=reader%25", 0),
            ("q=MARIE%40example", 1),
            ("role=Viewer&status=active", 5),
            ("status=disabled", 0),
        ] {
            let page = app.get(&admin, &format!("/api/admin/users?{query}")).await;
            let users = page.body["users"].as_array().expect("a list");
            assert_eq!(users.len(), count, "{query}: {page:?}");
        }
        app.get(&admin, "/api/admin/users?limit=0")
            .await
            .is_problem(422, "limit");
        app.get(&admin, "/api/admin/users?limit=many")
            .await
            .is_problem(400, "");
        app.get(&admin, "/api/admin/users?password=x")
            .await
            .is_problem(400, "");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn an_address_is_changed_also_ones_own_and_links_to_the_old_one_are_void() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let admin = app.administrator().await;
        app.user("pierre", "Viewer").await;
        let mut conn = db.connect().await;
        conn.query_drop(
            "INSERT INTO user_tokens (token_hash, user_id, purpose, expires_at) \
             SELECT UNHEX(SHA2('a link', 256)), user_id, 'reset_password', UTC_TIMESTAMP(6) + INTERVAL 1 HOUR \
             FROM users WHERE user_name = 'marie'",
        )
        .await
        .expect("made");
        let path = "/api/admin/users/1";
        for (email, status, about) in [
            ("no address", 422, "email: "),
            ("PIERRE@example.org", 409, "another account"),
        ] {
            let change = json!({ "email": email });
            app.patch(&admin, path, change).await.is_problem(status, about);
        }
        let reset = json!({ "token": "a link", "password": "a quite different one" });
        let changed = app
            .patch(&admin, path, json!({ "email": "marie@sysndd.example.org" }))
            .await;
        assert_eq!(changed.text("email"), "marie@sysndd.example.org");
        assert_eq!(changed.text("role"), "Administrator");
        app.post(&As::Nobody, "/api/auth/password/reset", reset)
            .await
            .is_problem(422, "used already");
        assert_eq!(app.get(&admin, "/api/account").await.status, 200);
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn of_two_administrators_who_disable_each_other_at_once_one_is_left() {
    with_database(async |db| {
        let app = TestApp::with(&db, "api-1", &[("SYSNDD_REQUEST_TIMEOUT", "2m")]).await;
        let marie = app.administrator().await;
        app.user("irene", "Administrator").await;
        let irene = app.sign_in("irene").await;
        // Both were let in before either changes anything.
        let both = [(&marie, 2), (&irene, 1)].map(|(who, other)| {
            let path = format!("/api/admin/users/{other}");
            let app = &app;
            async move { app.patch(who, &path, json!({ "status": "disabled" })).await }
        });
        let answers = none_before_all_are_there(&db, both).await;
        let mut statuses: Vec<_> = answers
            .iter()
            .map(|answer| answer.status.as_u16())
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403], "{answers:?}");
    })
    .await;
}
