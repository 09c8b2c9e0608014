use reqwest::StatusCode;
use serde_json::json;

use crate::app::{PASSWORD, TestApp};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_new_password_ends_every_session() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let marie = app.administrator().await;
        let elsewhere = app.sign_in("marie").await;
        let path = "/api/account/password";
        let change =
            |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
        app.post(&marie, path, change("wrong password", "another good one"))
            .await
            .is_problem(422, "current_password: is wrong");
        app.post(&marie, path, change(PASSWORD, "aaaaaaaaaaaa"))
            .await
            .is_problem(422, "new_password: must not be one character");
        let changed = app
            .post(&marie, path, change(PASSWORD, "another good one"))
            .await;
        assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
        for session in [&marie, &elsewhere] {
            app.get(session, "/api/account")
                .await
                .is_problem(401, "sign in again");
        }
        app.log_in("marie", PASSWORD)
            .await
            .is_problem(401, "is wrong");
        let answer = app.log_in("marie@example.org", "another good one").await;
        assert_eq!(answer.status, StatusCode::OK);
    })
    .await;
}
