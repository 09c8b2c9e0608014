//! Accounts by mail, through the edge, at four replicas and a real catcher.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{Call, Deployment, StackFile, eventually, replicas, text};

const PASSWORD: &str = "correct horse battery";
const EMAIL: &str = "pierre@example.org";

/// What a developer writes into .env, beside the settings of production that are there already: no
/// mail may go where they say.
const DEVELOPMENT: [(&str, &str); 5] = [
    ("SYSNDD_PROFILES", "dev"),
    ("MAIL_PORT", "0"),
    ("SMTP_HOST", "mail.example.org"),
    ("SMTP_PORT", "587"),
    ("SMTP_TLS", "starttls"),
];

fn call(stack: &Deployment, arguments: &[&str]) -> Call {
    DEVELOPMENT
        .iter()
        .fold(stack.call(arguments), |call, (name, value)| {
            call.env(name, value)
        })
}

/// Sends over a connection of its own, so that any replica may be the one that answers.
async fn post(base: &str, path: &str, body: Value) -> reqwest::StatusCode {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_mins(1))
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client");
    let request = client.post(format!("{base}{path}")).json(&body);
    request.send().await.expect("the edge answers").status()
}

/// The token in the mail with this subject, once it is there.
async fn token(mailbox: &str, subject: &str) -> String {
    let read = async |path: String| -> Option<String> {
        let answer = reqwest::get(format!("{mailbox}{path}")).await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    };
    let mail = eventually(subject, async || {
        // MailCatcher, or Mailpit.
        if let Some(list) = read("/messages".to_owned()).await
            && let Ok(Value::Array(mails)) = serde_json::from_str(&list)
        {
            let mail = mails.iter().find(|mail| mail["subject"] == subject)?;
            return read(format!("/messages/{}.plain", mail["id"])).await;
        }
        let list = read("/api/v1/messages".to_owned()).await?;
        let page: Value = serde_json::from_str(&list).ok()?;
        let mut mails = page["messages"].as_array()?.iter();
        let mail = mails.find(|mail| mail["Subject"] == subject)?;
        let whole = read(format!("/api/v1/message/{}", mail["ID"].as_str()?)).await?;
        let whole: Value = serde_json::from_str(&whole).ok()?;
        Some(whole["Text"].as_str()?.to_owned())
    })
    .await;
    let (_, rest) = mail.split_once("#token=").expect("a link");
    rest.split_whitespace().next().expect("a token").to_owned()
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_account_is_opened_and_its_password_reset_by_mail_whichever_replica_answers() {
    let stack = Deployment::of(StackFile::shipped());
    let up = call(&stack, &["up"]).json().await;
    assert_eq!(replicas(&up, "api").len(), 4);
    let status = call(&stack, &["status"]).json().await;
    let base = text(&status["url"]);
    let port = &replicas(&status, "mail")[0]["ports"][0]["host"];
    let mailbox = format!("http://127.0.0.1:{port}");

    let report = call(&stack, &["verify"])
        .with(&["--check", "mail.captured,database.tls"])
        .report()
        .await;
    report.passes();

    let login = async |password: &str| {
        let body = json!({ "user_name": "pierre", "password": password });
        post(&base, "/api/auth/login", body).await
    };
    let wish = json!({
        "user_name": "pierre", "email": EMAIL, "password": PASSWORD, "first_name": "Pierre",
        "family_name": "Curie", "comment": "to curate what I know of", "terms_agreed": true,
    });
    let began = Instant::now();
    assert_eq!(post(&base, "/api/auth/signup", wish).await, 202);
    let confirm = token(&mailbox, "Confirm your address for SysNDD").await;
    let first = began.elapsed();
    assert_ne!(login(PASSWORD).await, 200, "not confirmed yet");
    let body = json!({ "token": confirm });
    assert_eq!(post(&base, "/api/auth/confirm", body).await, 204);
    for _ in 0..8 {
        assert_eq!(login(PASSWORD).await, 200);
    }

    let body = json!({ "email": EMAIL });
    let began = Instant::now();
    assert_eq!(post(&base, "/api/auth/password/forgot", body).await, 202);
    let reset = token(&mailbox, "Set a new password for SysNDD").await;
    // The quicker one counts: a queue that is slow to wake is so each time, a busy machine not.
    let quicker = first.min(began.elapsed());
    assert!(quicker < Duration::from_secs(5), "{quicker:?}");
    let new = "a quite different one";
    let body = json!({ "token": reset, "password": new });
    assert_eq!(
        post(&base, "/api/auth/password/reset", body.clone()).await,
        204
    );
    assert_eq!(post(&base, "/api/auth/password/reset", body).await, 422);
    assert_eq!(login(PASSWORD).await, 401);
    assert_eq!(login(new).await, 200);

    // A catcher that is gone is found.
    let catcher = text(&replicas(&status, "mail")[0]["name"]);
    stack.engine.stop(&catcher).await;
    let report = call(&stack, &["verify"])
        .with(&["--check", "mail.captured"])
        .report()
        .await;
    report
        .fails_only(&["mail.captured"])
        .naming("mail.captured", "mail does not run");
}
