//! The catcher that takes all mail of a test run: `MailCatcher` or `Mailpit`, whichever is there.
//!
//! It is shared, so every test sends to addresses of its own.

use serde_json::Value;

use crate::support::eventually;

/// Where the catcher's page is; its SMTP port is in `SYSNDD_TEST_SMTP`.
pub(crate) struct Mailbox {
    url: String,
    client: reqwest::Client,
}

/// A mail that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) source: String,
}

/// Host and port at which the catcher takes mail.
pub(crate) fn smtp() -> String {
    setting("SYSNDD_TEST_SMTP")
}

/// What a replica is told that sends by way of this host and port.
pub(crate) fn by_way_of(server: &str) -> [(&str, &str); 3] {
    let (host, port) = server.rsplit_once(':').expect("a port");
    [
        ("SYSNDD_SMTP_HOST", host),
        ("SYSNDD_SMTP_PORT", port),
        ("SYSNDD_SMTP_FROM", "SysNDD <no-reply@sysndd.example.org>"),
    ]
}

/// Another server, which wants encryption and a login: STARTTLS, or TLS from the first byte.
pub(crate) fn encrypted(tls: &str) -> String {
    setting(if tls == "tls" {
        "SYSNDD_TEST_SMTPS"
    } else {
        "SYSNDD_TEST_STARTTLS"
    })
}

/// The certificate of its CA.
pub(crate) async fn ca() -> String {
    let answer = reqwest::get(setting("SYSNDD_TEST_SMTP_CA")).await;
    answer
        .expect("answered")
        .text()
        .await
        .expect("a certificate")
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: bring up tests/stacks/mail.toml and give its addresses as `cargo xtask \
             test database` does, or leave the ignored tests out"
        )
    })
}

impl Mailbox {
    pub(crate) fn open() -> Self {
        Self {
            url: setting("SYSNDD_TEST_MAILBOX"),
            client: reqwest::Client::new(),
        }
    }

    /// Waits until there are as many mails to this address; answers them, the oldest first.
    pub(crate) async fn mails(&self, to: &str, count: usize) -> Vec<Mail> {
        eventually("the mail", async || {
            let mails = self.look(to).await;
            (mails.len() >= count).then_some(mails)
        })
        .await
    }

    /// What came to this address by now.
    pub(crate) async fn look(&self, to: &str) -> Vec<Mail> {
        let to = format!("{to}>");
        let mailcatcher = self.json("/messages").await;
        let mut mails = Vec::new();
        if let Some(Value::Array(list)) = mailcatcher {
            let ours = list.iter().filter(|mail| {
                let mut recipients = mail["recipients"].as_array().into_iter().flatten();
                recipients.any(|address| address.as_str().is_some_and(|text| text.ends_with(&to)))
            });
            for mail in ours {
                let part =
                    async |part: &str| self.text(&format!("/messages/{}.{part}", mail["id"])).await;
                mails.push(Mail {
                    subject: mail["subject"].as_str().unwrap_or_default().to_owned(),
                    text: part("plain").await,
                    html: part("html").await,
                    source: part("source").await,
                });
            }
            return mails;
        }
        let page = self
            .json("/api/v1/messages?limit=1000")
            .await
            .expect("a catcher");
        for mail in page["messages"].as_array().expect("a list").iter().rev() {
            let mut recipients = mail["To"].as_array().into_iter().flatten();
            let ours = recipients.any(|address| {
                address["Address"]
                    .as_str()
                    .is_some_and(|text| format!("{text}>") == to)
            });
            if ours {
                let path = format!("/api/v1/message/{}", mail["ID"].as_str().expect("text"));
                let whole = self.json(&path).await.expect("the mail");
                let text = |field: &str| whole[field].as_str().unwrap_or_default().to_owned();
                mails.push(Mail {
                    subject: text("Subject"),
                    text: text("Text"),
                    html: text("HTML"),
                    source: self.text(&format!("{path}/raw")).await,
                });
            }
        }
        mails
    }

    async fn json(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await;
        let answer = answer.expect("the catcher answers");
        answer.json().await.ok()
    }

    async fn text(&self, path: &str) -> String {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await;
        let answer = answer.expect("the catcher answers");
        answer.text().await.expect("a body").replace("\r\n", "\n")
    }
}

impl Mail {
    /// The token behind `#` in its link to this page of the site.
    pub(crate) fn token(&self, page: &str) -> String {
        let start = format!("http://localhost:8080/{page}#token=");
        let (_, rest) = self
            .text
            .split_once(&start)
            .unwrap_or_else(|| panic!("no link to {page} in {}", self.text));
        rest.split_whitespace().next().expect("a token").to_owned()
    }

    /// A header of one line.
    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self.source.split("\n\n").next().unwrap_or_default();
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    }
}
