use reqwest::StatusCode;
use serde_json::json;

use crate::app::{As, TestApp};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_scripts_token_acts_until_it_is_revoked_and_is_shown_once() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let marie = app.administrator().await;
        let wanted = json!({ "label": "nightly export", "days": 30 });
        let made = app
            .post(&marie, "/api/account/tokens", wanted.clone())
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let script = As::Token(made.text("token").to_owned());

        let listed = app.get(&script, "/api/account/tokens").await;
        assert_eq!(listed.body[0]["label"], "nightly export");
        assert_eq!(listed.body[0]["id"], made.body["id"]);
        assert!(!listed.body.to_string().contains(made.text("token")));
        app.post(&script, "/api/account/tokens", wanted)
            .await
            .is_problem(403, "makes no others");
        app.post(&script, "/api/auth/refresh", json!({}))
            .await
            .is_problem(409, "nothing to refresh");

        let path = format!("/api/account/tokens/{}", made.text("id"));
        app.user("pierre", "Viewer").await;
        let pierre = app.sign_in("pierre").await;
        app.delete(&pierre, &path).await.is_problem(404, "no token");
        assert_eq!(
            app.delete(&marie, &path).await.status,
            StatusCode::NO_CONTENT
        );
        app.get(&script, "/api/account")
            .await
            .is_problem(401, "sign in again");
        app.get(&As::Nobody, "/api/account")
            .await
            .is_problem(401, "sign in first");
    })
    .await;
}
