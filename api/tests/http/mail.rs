use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use reqwest::StatusCode;
use serde_json::json;

use crate::app::{As, PASSWORD, TestApp};
use crate::jobs::insert;
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

/// Letters are there by then.
const SOON: Duration = Duration::from_secs(5);

/// Has a letter that was sent, sent again, as if its worker had died after the server took it.
async fn again(conn: &mut Conn, letter: &str) {
    eventually("its end is written", async || {
        conn.exec_drop(
            "UPDATE jobs SET status = 'queued', finished_at = NULL, result = NULL \
             WHERE payload ->> '$.letter' = ? AND status = 'succeeded'",
            (letter,),
        )
        .await
        .expect("written");
        (conn.affected_rows() == 1).then_some(())
    })
    .await;
}

async fn sign_up(app: &TestApp, email: &str) {
    sign_up_with(app, email, PASSWORD).await;
}

async fn sign_up_with(app: &TestApp, email: &str, password: &str) {
    sign_up_as(app, "pierre", email, password).await;
}

async fn sign_up_as(app: &TestApp, user_name: &str, email: &str, password: &str) {
    let wish = json!({
        "user_name": user_name, "email": email, "password": password, "first_name": "Pierre",
        "family_name": "Curie", "comment": "to curate what I know of", "terms_agreed": true,
    });
    let answer = app.post(&As::Nobody, "/api/auth/signup", wish).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn a_new_account_is_confirmed_and_its_password_reset_by_mail() {
    with_database(async |db| {
        let server = smtp();
        let variables = [&by_way_of(&server)[..], &[("SYSNDD_LOG", "trace")]].concat();
        let (app, mailbox) = (
            TestApp::with(&db, "api-1", &variables).await,
            Mailbox::open(),
        );
        let email = address("pierre");
        let began = Instant::now();
        sign_up(&app, &email).await;
        let mail = mailbox.mails(&email, 1).await.remove(0);
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
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
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert_eq!(mail.subject, "Set a new password for SysNDD");
        let new = "a quite different one";
        let link = mail.token("reset-password");
        let body = json!({ "token": link, "password": new });
        let answer = app
            .post(&As::Nobody, "/api/auth/password/reset", body)
            .await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        assert_eq!(app.log_in("pierre", new).await.status, StatusCode::OK);
        let mail = mailbox.mails(&email, 3).await.remove(2);
        assert_eq!(mail.subject, "Your password for SysNDD was changed");

        // A letter whose link was used is not sent again.
        let mut conn = db.connect().await;
        again(&mut conn, "reset_password").await;
        let reason = eventually("it is done with", async || {
            conn.query_first::<Option<String>, _>(
                "SELECT result ->> '$.reason' FROM jobs \
                 WHERE payload ->> '$.letter' = 'reset_password' AND status = 'succeeded'",
            )
            .await
            .expect("read")
        })
        .await;
        assert_eq!(reason.as_deref(), Some("its link was used, or is void"));
        conn.disconnect().await.expect("closed");

        let log = app.log();
        for canary in [&token, &link, PASSWORD, new, "Hello Pierre"] {
            assert!(!log.contains(canary), "{canary} is in the log:\n{log}");
        }
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
        // As if it had waited for long after it was made.
        conn.query_drop("UPDATE user_tokens SET expires_at = UTC_TIMESTAMP(6)")
            .await
            .expect("aged");
        again(&mut conn, "confirm_email").await;
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
        let body = json!({ "token": token });
        let confirmed = app.post(&As::Nobody, "/api/auth/confirm", body).await;
        assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{confirmed:?}");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn a_mail_server_that_hangs_holds_up_letters_and_nothing_else() {
    with_database(async |db| {
        let proxy = Proxy::to(smtp()).await;
        let server = proxy.host();
        let patient = [&by_way_of(&server)[..], &[("SYSNDD_SMTP_TIMEOUT", "1m")]].concat();
        let (app, mailbox) = (
            TestApp::with(&db, "api-1", &patient).await,
            Mailbox::open(),
        );
        proxy.set(Traffic::Vanishes);
        let emails = ["pierre", "irene", "frederic"].map(|name| (name, address(name)));
        for (name, email) in &emails {
            sign_up_as(&app, name, email, PASSWORD).await;
        }
        let mut conn = db.connect().await;
        eventually("a letter is on its way", async || {
            let running = "SELECT 1 FROM jobs WHERE kind = 'mail.send' AND status = 'running'";
            conn.query_first::<u32, _>(running).await.expect("read")
        })
        .await;
        let other = insert(&db, "jobs.purge", &json!({}), None).await;
        eventually("the other job is done", async || {
            let done = "SELECT 1 FROM jobs WHERE job_id = ? AND status = 'succeeded'";
            conn.exec_first::<u32, _, _>(done, (other,)).await.expect("read")
        })
        .await;
        let letters: Vec<(String, Option<String>)> = conn
            .query("SELECT CAST(status AS CHAR), error_code FROM jobs WHERE kind = 'mail.send' ORDER BY job_id")
            .await
            .expect("read");
        let expected = ["running", "queued", "queued"].map(|status| (status.to_owned(), None));
        assert_eq!(letters, expected);

        proxy.set(Traffic::Resets);
        eventually("what hung has failed", async || {
            let failed = "SELECT 1 FROM jobs WHERE error_code = 'smtp'";
            conn.query_first::<u32, _>(failed).await.expect("read")
        })
        .await;
        proxy.set(Traffic::Passes);
        for (_, email) in &emails {
            mailbox.mails(email, 1).await;
        }
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn a_letter_about_a_job_waits_for_its_end_and_tells_how_that_was() {
    with_database(async |db| {
        let (app, mailbox) = (app_sending_by(&db, &smtp()).await, Mailbox::open());
        app.administrator().await;
        let email = address("marie");
        let mut conn = db.connect().await;
        conn.exec_drop("UPDATE users SET email = ?", (&email,))
            .await
            .expect("changed");
        // It told that it is done, and was cut off before that was written.
        conn.query_drop(
            "INSERT INTO jobs (kind, payload, run_after) \
             VALUES ('backup.create', '{}', UTC_TIMESTAMP(6) + INTERVAL 1 DAY)",
        )
        .await
        .expect("inserted");
        let job_id = conn.last_insert_id().expect("a number");
        let letter = json!({ "letter": "backup", "user_id": 1, "job_id": job_id, "told": "done" });
        insert(&db, "mail.send", &letter, None).await;
        eventually("it waits", async || {
            let waits = "SELECT 1 FROM jobs WHERE kind = 'mail.send' AND status = 'queued' AND error_code = 'job'";
            conn.query_first::<u32, _>(waits).await.expect("read")
        })
        .await;
        conn.exec_drop(
            "UPDATE jobs SET status = 'failed', error_message = 'no room is left' WHERE job_id = ?",
            (job_id,),
        )
        .await
        .expect("ended");
        let mail = mailbox.mails(&email, 1).await.remove(0);
        assert!(mail.text.contains("no room is left"), "{mail:?}");
        assert!(mail.subject.contains("FAILED"), "{mail:?}");
        conn.disconnect().await.expect("closed");
    })
    .await;
}
