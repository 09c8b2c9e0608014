use reqwest::StatusCode;
use serde_json::json;

use crate::app::{PASSWORD, TestApp, none_before_all_are_there};
use crate::support::with_database;

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn a_new_password_ends_every_session_and_every_token_of_a_script() {
    with_database(async |db| {
        let app = TestApp::start(&db).await;
        let marie = app.administrator().await;
        let elsewhere = app.sign_in("marie").await;
        let script = app.script(&marie).await;
        let path = "/api/account/password";
        let change =
            |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
        app.post(&marie, path, change("wrong password", "another good one"))
            .await
            .is_problem(422, "current_password: is wrong");
        app.post(&marie, path, change(PASSWORD, "aaaaaaaaaaaa"))
            .await
            .is_problem(422, "new_password: repeats itself; give 10 or more");
        let changed = app
            .post(&marie, path, change(PASSWORD, "another good one"))
            .await;
        assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
        for signed_in in [&marie, &elsewhere, &script] {
            app.get(signed_in, "/api/account")
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

#[tokio::test]
#[ignore = "needs a MySQL"]
async fn of_two_who_change_a_password_at_once_one_is_told_that_it_was_wrong() {
    with_database(async |db| {
        let app = TestApp::with(&db, "api-1", &[("SYSNDD_REQUEST_TIMEOUT", "2m")]).await;
        let marie = app.administrator().await;
        // Both have judged the password of now before either sets another one.
        let both = ["another good one", "a third good one"].map(|new| {
            let change = json!({ "current_password": PASSWORD, "new_password": new });
            app.post(&marie, "/api/account/password", change)
        });
        let answers = none_before_all_are_there(&db, both).await;
        let mut statuses: Vec<_> = answers
            .iter()
            .map(|answer| answer.status.as_u16())
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 422], "{answers:?}");
    })
    .await;
}
