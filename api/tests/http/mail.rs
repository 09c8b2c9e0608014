use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use reqwest::StatusCode;
use serde_json::json;

use crate::app::{As, PASSWORD, TestApp};
use crate::mailbox::{Mailbox, by_way_of, smtp};
use crate::support::{Database, Proxy, Traffic, eventually, with_database};

/// A replica that sends by way of this host and port.
pub(crate) async fn app_sending_by(db: &Database, server: &str) -> TestApp {
    TestApp::with(db, "api-1", &by_way_of(server)).await
}

/// An address that no other test has.
pub(crate) fn address(who: &str) -> String {
    format!("{who}.{:08x}@example.org", rand::random::<u32>())
}

async fn sign_up(app: &TestApp, email: &str) {
    sign_up_with(app, email, PASSWORD).await;
}

async fn sign_up_with(app: &TestApp, email: &str, password: &str) {
    let wish = json!({
        "user_name": "pierre", "email": email, "password": password, "first_name": "Pierre",
        "family_name": "Curie", "comment": "to curate what I know of", "terms_agreed": true,
    });
    let answer = app.post(&As::Nobody, "/api/auth/signup", wish).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn a_new_account_is_confirmed_and_its_password_reset_by_mail() {
    with_database(async |db| {
        let (app, mailbox) = (app_sending_by(&db, &smtp()).await, Mailbox::open());
        let email = address("pierre");
        let began = Instant::now();
        sign_up(&app, &email).await;
        let mail = mailbox.mails(&email, 1).await.remove(0);
        let first = began.elapsed();
        assert_eq!(mail.subject, "Confirm your address for SysNDD");
        assert_eq!(mail.header("From"), "SysNDD <no-reply@sysndd.example.org>");
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        let token = mail.token("confirm");
        assert!(mail.html.contains(&token), "{}", mail.html);
        let confirm = async || {
            app.post(&As::Nobody, "/api/auth/confirm", json!({ "token": token }))
                .await
        };
        let confirmed = confirm().await;
        assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{confirmed:?}");
        confirm().await.is_problem(422, "used already");
        app.sign_in("pierre").await;

        let forgot = json!({ "email": email });
        let began = Instant::now();
        app.post(&As::Nobody, "/api/auth/password/forgot", forgot)
            .await;
        let mail = mailbox.mails(&email, 2).await.remove(1);
        // The quicker one counts: a queue that is slow to wake is so each time, a busy machine not.
        let quicker = first.min(began.elapsed());
        assert!(quicker < Duration::from_secs(5), "{quicker:?}");
        assert_eq!(mail.subject, "Set a new password for SysNDD");
        let new = "a quite different one";
        let body = json!({ "token": mail.token("reset-password"), "password": new });
        let answer = app
            .post(&As::Nobody, "/api/auth/password/reset", body)
            .await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        assert_eq!(app.log_in("pierre", new).await.status, StatusCode::OK);
        let mail = mailbox.mails(&email, 3).await.remove(2);
        assert_eq!(mail.subject, "Your password for SysNDD was changed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn a_letter_that_is_sent_again_is_the_same_one_and_the_queue_knows_no_token() {
    with_database(async |db| {
        let (app, mailbox) = (app_sending_by(&db, &smtp()).await, Mailbox::open());
        let email = address("pierre");
        sign_up(&app, &email).await;
        mailbox.mails(&email, 1).await;
        let mut conn = db.connect().await;
        eventually("its end is written", async || {
            let status: Option<String> = conn
                .query_first("SELECT CAST(status AS CHAR) FROM jobs WHERE kind = 'mail.send'")
                .await
                .expect("read");
            status.filter(|status| status == "succeeded")
        })
        .await;
        // As if its worker had died after the server took it.
        conn.query_drop(
            "UPDATE jobs SET status = 'queued', finished_at = NULL WHERE kind = 'mail.send'",
        )
        .await
        .expect("again");
        let mails = mailbox.mails(&email, 2).await;
        let token = mails[0].token("confirm");
        assert_eq!(token, mails[1].token("confirm"));
        assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
        let row: String = conn
            .query_first(
                "SELECT CONCAT(payload, COALESCE(result, '')) FROM jobs WHERE kind = 'mail.send'",
            )
            .await
            .expect("read")
            .expect("the job");
        assert!(!row.contains(&token) && !row.contains("Pierre"), "{row}");
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn a_link_opens_the_account_of_its_own_attempt_or_none() {
    with_database(async |db| {
        let (app, mailbox) = (app_sending_by(&db, &smtp()).await, Mailbox::open());
        let email = address("pierre");
        let confirm = async |token: String| {
            app.post(&As::Nobody, "/api/auth/confirm", json!({ "token": token }))
                .await
        };
        sign_up(&app, &email).await;
        let first = mailbox.mails(&email, 1).await.remove(0).token("confirm");
        let new = "a quite different one";
        sign_up_with(&app, &email, new).await;
        let second = mailbox.mails(&email, 2).await.remove(1).token("confirm");
        confirm(first).await.is_problem(422, "used already");
        let confirmed = confirm(second).await;
        assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{confirmed:?}");
        assert_eq!(app.log_in("pierre", new).await.status, StatusCode::OK);
        app.log_in("pierre", PASSWORD)
            .await
            .is_problem(401, "wrong");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn a_letter_that_waits_while_somebody_signs_up_again_is_not_sent() {
    with_database(async |db| {
        let proxy = Proxy::to(smtp()).await;
        proxy.set(Traffic::Resets);
        let (app, mailbox) = (app_sending_by(&db, &proxy.host()).await, Mailbox::open());
        let email = address("pierre");
        let new = "a quite different one";
        sign_up(&app, &email).await;
        sign_up_with(&app, &email, new).await;
        proxy.set(Traffic::Passes);
        let mut conn = db.connect().await;
        let ends: Vec<Option<String>> = eventually("both letters are done with", async || {
            let ends = conn
                .query(
                    "SELECT result ->> '$.reason' FROM jobs \
                     WHERE kind = 'mail.send' AND status = 'succeeded' ORDER BY job_id",
                )
                .await
                .expect("read");
            (ends.len() == 2).then_some(ends)
        })
        .await;
        let reason = "somebody signed up again with this address";
        assert_eq!(ends, [Some(reason.to_owned()), None]);
        let mails = mailbox.mails(&email, 1).await;
        assert_eq!(mails.len(), 1);
        let body = json!({ "token": mails[0].token("confirm") });
        let confirmed = app.post(&As::Nobody, "/api/auth/confirm", body).await;
        assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{confirmed:?}");
        assert_eq!(app.log_in("pierre", new).await.status, StatusCode::OK);
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn while_the_mail_server_is_down_letters_wait_and_the_replica_is_ready() {
    with_database(async |db| {
        let proxy = Proxy::to(smtp()).await;
        proxy.set(Traffic::Resets);
        let (app, mailbox) = (app_sending_by(&db, &proxy.host()).await, Mailbox::open());
        let email = address("pierre");
        sign_up(&app, &email).await;
        let state = async |wanted: &str| {
            eventually(wanted, async || {
                let report = app.get(&As::Nobody, "/api/health/ready").await;
                assert_eq!(report.status, StatusCode::OK, "{report:?}");
                Some(report.body["smtp"].clone()).filter(|smtp| smtp["status"] == wanted)
            })
            .await
        };
        let down = state("down").await;
        assert!(down["reason"].is_string() && down["latency_ms"].is_null(), "{down}");
        let mut conn = db.connect().await;
        eventually("a try that failed", async || {
            let code: Option<String> = conn
                .query_first(
                    "SELECT error_code FROM jobs WHERE status = 'queued' AND error_code IS NOT NULL",
                )
                .await
                .expect("read");
            code.filter(|code| code == "smtp")
        })
        .await;
        assert!(mailbox.look(&email).await.is_empty());
        proxy.set(Traffic::Passes);
        mailbox.mails(&email, 1).await;
        let up = state("up").await;
        assert!(up["latency_ms"].is_number() && up["reason"].is_null(), "{up}");
        conn.disconnect().await.expect("closed");
    })
    .await;
}
