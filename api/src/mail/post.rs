//! The post office: where mail leaves, and whether it would right now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use sysndd_protocol as protocol;
use tokio::sync::{Notify, watch as latest};

use super::smtp::{Step, Talk, Trouble};
use super::text::{Facts, Text, Texts};
use crate::config::{PublicUrl, Smtp};
use crate::jobs::Turn;
use crate::state::App;

/// How often the server is looked at for the health report: a provider counts connections. Whoever finds no
/// way to it has it looked at at once.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// How soon again after it did not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The post office.
pub(crate) struct Post {
    smtp: Option<Smtp>,
    texts: Texts,
    hello: ClientId,
    host: String,
    seen: latest::Sender<protocol::Smtp>,
    trouble: Notify,
}

impl Post {
    /// Reads the templates; asks nobody.
    pub(crate) fn new(smtp: Option<Smtp>, site: &PublicUrl) -> anyhow::Result<Self> {
        let status = if smtp.is_some() {
            protocol::SmtpStatus::Unknown
        } else {
            protocol::SmtpStatus::Off
        };
        let host = site.host().to_owned();
        Ok(Self {
            smtp,
            texts: Texts::new().context("reading the templates of the letters")?,
            hello: ClientId::Domain(host.clone()),
            host,
            seen: latest::Sender::new(protocol::Smtp {
                status,
                latency_ms: None,
                reason: None,
            }),
            trouble: Notify::new(),
        })
    }

    /// Whether mail is set up. What cannot do without it, such as signing up, refuses when it is not.
    pub(crate) fn is_on(&self) -> bool {
        self.smtp.is_some()
    }

    /// Where mail leaves.
    pub(crate) fn smtp(&self) -> Option<&Smtp> {
        self.smtp.as_ref()
    }

    /// For the health report: nobody is asked, the state is at most five minutes old.
    pub(crate) fn report(&self) -> protocol::Smtp {
        self.seen.borrow().clone()
    }

    /// Goes through all steps up to the sign-in, within this time, and says how each went.
    pub(crate) async fn try_out(&self, limit: Duration) -> Option<Vec<Step>> {
        let mut talk = Talk::new(self.smtp.as_ref()?, &self.hello).within(limit);
        if let Ok(mut connection) = talk.open().await
            && talk.sign_in(&mut connection).await.is_ok()
        {
            say_goodbye(connection);
        } else {
            self.trouble.notify_one();
        }
        Some(talk.steps)
    }

    pub(super) fn render(&self, name: &str, facts: &Facts) -> Result<Text, tera::Error> {
        self.texts.render(name, facts)
    }

    /// Goes as far as a letter can be handed over.
    pub(super) async fn connect(&self, smtp: &Smtp) -> Result<AsyncSmtpConnection, Trouble> {
        let mut talk = Talk::new(smtp, &self.hello);
        let opened = talk.open().await;
        let mut connection = opened.inspect_err(|_| self.trouble.notify_one())?;
        talk.sign_in(&mut connection).await?;
        Ok(connection)
    }

    /// Hands a letter to the server. The same job gives the same `Message-ID`, by which those
    /// who get it twice know it for one.
    pub(super) async fn send(
        &self,
        smtp: &Smtp,
        mut connection: AsyncSmtpConnection,
        to: Mailbox,
        text: Text,
        job: &Turn,
    ) -> Result<String, Undelivered> {
        let message_id = message_id(job.job_id, job.begun, &self.host);
        let message = Message::builder()
            .from(smtp.from.clone())
            .to(to)
            .subject(text.subject)
            .message_id(Some(message_id.clone()))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(text.plain, text.html))
            .map_err(Undelivered::Letter)?;
        Talk::new(smtp, &self.hello)
            .send(&mut connection, &message)
            .await?;
        say_goodbye(connection);
        Ok(message_id)
    }

    async fn look(&self, smtp: &Smtp) -> protocol::Smtp {
        let began = Instant::now();
        match Talk::new(smtp, &self.hello).open().await {
            Ok(connection) => {
                let latency = began.elapsed().as_secs_f64() * 1e3;
                say_goodbye(connection);
                protocol::Smtp {
                    status: protocol::SmtpStatus::Up,
                    latency_ms: Some((latency * 1e3).round() / 1e3),
                    reason: None,
                }
            }
            Err(trouble) => protocol::Smtp {
                status: protocol::SmtpStatus::Down,
                latency_ms: None,
                reason: Some(trouble.to_string()),
            },
        }
    }
}

/// A new database counts its jobs from one again: the time tells those from the old ones.
fn message_id(job_id: u64, begun: DateTime<Utc>, host: &str) -> String {
    format!("<job-{job_id}-{:x}@{host}>", begun.timestamp_micros())
}

/// Why a letter did not leave.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undelivered {
    #[error("the letter cannot be written: {0}")]
    Letter(lettre::error::Error),
    #[error(transparent)]
    Server(#[from] Trouble),
}

/// Politeness; nobody waits for it.
fn say_goodbye(mut connection: AsyncSmtpConnection) {
    tokio::spawn(async move {
        let _ = tokio::time::timeout(Duration::from_secs(2), connection.quit()).await;
    });
}

/// Looks at the mail server every now and then, for as long as the process runs. One that is down
/// makes nobody unready: letters wait in the queue.
pub(crate) async fn watch(app: Arc<App>) {
    let Some(smtp) = &app.mail.smtp else { return };
    loop {
        let seen = app.mail.look(smtp).await;
        let is_up = seen.status == protocol::SmtpStatus::Up;
        let was = app.mail.seen.send_replace(seen.clone()).status;
        if was != seen.status {
            if let Some(reason) = &seen.reason {
                tracing::warn!(reason, "the mail server does not answer; letters wait");
            } else if was == protocol::SmtpStatus::Down {
                tracing::info!("the mail server answers again");
            }
        }
        if is_up {
            let trouble = app.mail.trouble.notified();
            // Whether it comes in time or not, it is time to look.
            let _ = tokio::time::timeout(LOOK_EVERY, trouble).await;
        } else {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_known_by_its_job_also_after_a_new_database_counts_from_one() {
        let (then, now) = (DateTime::UNIX_EPOCH, Utc::now());
        let id = |begun| message_id(7, begun, "sysndd.example.org");
        assert_eq!(id(then), "<job-7-0@sysndd.example.org>");
        assert_eq!(id(now), id(now));
        assert_ne!(id(now), id(then));
    }
}
