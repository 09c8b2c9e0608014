use reqwest::StatusCode;
use serde_json::json;

use crate::app::TestApp;
use crate::jobs::becomes;
use crate::mail::{address, app_sending_by};
use crate::mailbox::{Mailbox, ca, encrypted, smtp};
use crate::support::{Proxy, Traffic, with_database};

const PATH: &str = "/api/admin/smtp/test";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn an_administrator_sees_each_step_and_sends_a_letter() {
    with_database(async |db| {
        let app = app_sending_by(&db, &smtp()).await;
        let admin = app.administrator().await;
        let talk = app.get(&admin, PATH).await;
        assert_eq!(
            (&talk.body["ok"], &talk.body["tls"]),
            (&true.into(), &"none".into())
        );
        let steps = talk.body["steps"].as_array().expect("a list");
        let names: Vec<_> = steps
            .iter()
            .filter_map(|step| step["step"].as_str())
            .collect();
        assert_eq!(names, ["connect", "ehlo"]);
        assert!(
            steps.iter().all(|step| step["duration_ms"].is_number()),
            "{talk:?}"
        );

        let to = address("marie");
        let begun = app.post(&admin, PATH, json!({ "to": to })).await;
        assert_eq!(begun.status, StatusCode::ACCEPTED, "{begun:?}");
        let job_id = begun.body["job_id"].as_u64().expect("a number");
        assert_eq!(begun.header("location"), format!("/api/jobs/{job_id}"));
        let job = becomes(&app, &admin, job_id, "succeeded").await;
        let mail = Mailbox::open().mails(&to, 1).await.remove(0);
        assert_eq!(mail.subject, "Mail from SysNDD works");
        assert_eq!(job["result"]["message_id"], mail.header("Message-ID"));
        app.post(&admin, PATH, json!({ "to": "no address" }))
            .await
            .is_problem(422, "to: ");
        app.user("pierre", "Curator").await;
        let pierre = app.sign_in("pierre").await;
        app.get(&pierre, PATH)
            .await
            .is_problem(403, "administrators");
        app.post(&pierre, PATH, json!({ "to": to }))
            .await
            .is_problem(403, "administrators");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail catcher"]
async fn a_server_that_hangs_is_reported_at_the_step_where_it_does() {
    with_database(async |db| {
        let proxy = Proxy::to(smtp()).await;
        proxy.set(Traffic::Vanishes);
        let app = app_sending_by(&db, &proxy.host()).await;
        let admin = app.administrator().await;
        let talk = app.get(&admin, PATH).await;
        assert_eq!(talk.status, StatusCode::OK, "{talk:?}");
        let steps = talk.body["steps"].as_array().expect("a list");
        assert_eq!(
            (steps.len(), &steps[0]["ok"]),
            (2, &true.into()),
            "{talk:?}"
        );
        let error = steps[1]["error"].as_str().expect("text");
        assert!(error.starts_with("ehlo: no answer within"), "{error}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL"]
async fn a_server_that_refuses_is_told_from_mail_that_is_off() {
    with_database(async |db| {
        // Port 1 refuses at once.
        let app = app_sending_by(&db, "127.0.0.1:1").await;
        let admin = app.administrator().await;
        let talk = app.get(&admin, PATH).await;
        assert_eq!(talk.body["ok"], false);
        assert_eq!(
            talk.body["steps"].as_array().map(Vec::len),
            Some(1),
            "{talk:?}"
        );
        let error = talk.body["steps"][0]["error"].as_str().expect("text");
        assert!(
            error.starts_with("connect: ") && error.contains("refused"),
            "{error}"
        );

        let off = TestApp::named(&db, "api-2").await;
        off.get(&admin, PATH)
            .await
            .is_problem(503, "SYSNDD_SMTP_HOST");
        off.post(&admin, PATH, json!({ "to": address("marie") }))
            .await
            .is_problem(503, "SYSNDD_SMTP_HOST");
        let report = off.get(&admin, "/api/health/ready").await;
        assert_eq!(report.body["smtp"]["status"], "off");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MySQL and a mail server with TLS"]
async fn mail_leaves_encrypted_and_signed_in_and_not_otherwise() {
    with_database(async |db| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), ca().await).expect("written");
        let trusted = file.path().to_str().expect("UTF-8");
        for (number, tls, certificates, password, steps, error) in [
            (
                1,
                "starttls",
                trusted,
                "for-tests-only",
                "connect ehlo starttls auth",
                "",
            ),
            (2, "tls", trusted, "for-tests-only", "connect tls auth", ""),
            (
                3,
                "starttls",
                trusted,
                "canary-wrong",
                "connect ehlo starttls auth",
                "auth: ",
            ),
            (
                4,
                "starttls",
                "/dev/null",
                "for-tests-only",
                "connect ehlo starttls",
                "starttls: ",
            ),
        ] {
            let server = encrypted(tls);
            let port = server.rsplit_once(':').expect("a port").1;
            let app = TestApp::with(
                &db,
                &format!("api-{number}"),
                &[
                    ("SSL_CERT_FILE", certificates),
                    ("SYSNDD_SMTP_HOST", "localhost"),
                    ("SYSNDD_SMTP_PORT", port),
                    ("SYSNDD_SMTP_TLS", tls),
                    ("SYSNDD_SMTP_USER", "sysndd"),
                    ("SYSNDD_SMTP_PASSWORD", password),
                    ("SYSNDD_SMTP_FROM", "SysNDD <no-reply@sysndd.example.org>"),
                    ("SYSNDD_LOG", "trace"),
                ],
            )
            .await;
            let admin = if number == 1 {
                app.administrator().await
            } else {
                app.sign_in("marie").await
            };
            let talk = app.get(&admin, PATH).await;
            let taken = talk.body["steps"].as_array().expect("a list");
            let names: Vec<_> = taken
                .iter()
                .filter_map(|step| step["step"].as_str())
                .collect();
            assert_eq!(names.join(" "), steps, "{talk:?}");
            assert_eq!(talk.body["ok"], error.is_empty(), "{talk:?}");
            let last = taken[taken.len() - 1]["error"].as_str().unwrap_or_default();
            assert!(last.starts_with(error), "{talk:?}");
            if error.is_empty() {
                let begun = app
                    .post(&admin, PATH, json!({ "to": address("marie") }))
                    .await;
                let job_id = begun.body["job_id"].as_u64().expect("a number");
                becomes(&app, &admin, job_id, "succeeded").await;
            }
            for secret in ["for-tests-only", "canary-wrong"] {
                assert!(!app.log().contains(secret) && !talk.body.to_string().contains(secret));
            }
        }
    })
    .await;
}
