//! The talk with the mail server, step by step, so that whoever asks learns at which one it ends.

use std::fmt;
use std::time::{Duration, Instant};

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use serde::Serialize;
use tokio::net::TcpStream;
use utoipa::ToSchema;

use crate::config::{Smtp, SmtpTls};

/// The steps at which a letter is handed over.
const SENDER: &str = "sender";
const RECIPIENT: &str = "recipient";
const TEXT: &str = "text";

/// One step of the talk.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SmtpStep)]
pub(crate) struct Step {
    /// `connect`, `ehlo`, `starttls`, `tls` (with the greeting and EHLO inside) or `auth`.
    #[serde(rename = "step")]
    name: &'static str,
    /// Whether it went well.
    ok: bool,
    duration_ms: f64,
    /// What the server, or the way to it, said.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Step {
    pub(crate) fn is_ok(&self) -> bool {
        self.ok
    }
}

/// Why a talk ended too early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{step}: no answer within {} ms", .limit.as_millis())]
    Silence { step: &'static str, limit: Duration },
    #[error("{step}: {cause}")]
    Network {
        step: &'static str,
        cause: std::io::Error,
    },
    #[error("{step}: {}", causes(.cause))]
    Smtp {
        step: &'static str,
        cause: lettre::transport::smtp::Error,
    },
}

impl Trouble {
    /// Whether the server refused this letter for good: who gets it, or its text. Whom it takes letters from is a
    /// matter of the settings, which somebody mends while the letter waits.
    pub(super) fn is_refusal_of_the_letter(&self) -> bool {
        matches!(self, Self::Smtp { step: RECIPIENT | TEXT, cause } if cause.is_permanent())
    }
}

/// An error with its causes: the first alone often says "network error".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// The talk, and the steps it took so far.
pub(super) struct Talk<'a> {
    smtp: &'a Smtp,
    hello: &'a ClientId,
    until: Option<Instant>,
    pub(super) steps: Vec<Step>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(smtp: &'a Smtp, hello: &'a ClientId) -> Self {
        Self {
            smtp,
            hello,
            until: None,
            steps: Vec::new(),
        }
    }

    /// All steps together take no longer: somebody waits for them.
    pub(super) fn within(self, limit: Duration) -> Self {
        let until = Some(Instant::now() + limit);
        Self { until, ..self }
    }

    /// Connects and greets, encrypted as the settings say.
    pub(super) async fn open(&mut self) -> Result<AsyncSmtpConnection, Trouble> {
        let (smtp, hello) = (self.smtp, self.hello);
        let server = (smtp.host.as_str(), smtp.port);
        let stream = self
            .step("connect", async {
                TcpStream::connect(server)
                    .await
                    .map_err(|cause| Trouble::Network {
                        step: "connect",
                        cause,
                    })
            })
            .await?;
        if smtp.tls == SmtpTls::Tls {
            // The library greets inside the encryption on a connection of its own.
            drop(stream);
            return self
                .step("tls", async {
                    let tls = Some(parameters(smtp, "tls")?);
                    AsyncSmtpConnection::connect_tokio1(
                        server,
                        Some(smtp.timeout),
                        hello,
                        tls,
                        None,
                    )
                    .await
                    .map_err(|cause| Trouble::Smtp { step: "tls", cause })
                })
                .await;
        }
        let mut connection = self
            .step("ehlo", async {
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello)
                    .await
                    .map_err(|cause| Trouble::Smtp {
                        step: "ehlo",
                        cause,
                    })
            })
            .await?;
        if smtp.tls == SmtpTls::StartTls {
            self.step("starttls", async {
                let tls = parameters(smtp, "starttls")?;
                connection
                    .starttls(tls, hello)
                    .await
                    .map_err(|cause| Trouble::Smtp {
                        step: "starttls",
                        cause,
                    })
            })
            .await?;
        }
        Ok(connection)
    }

    /// Signs in, if there is a login.
    pub(super) async fn sign_in(
        &mut self,
        connection: &mut AsyncSmtpConnection,
    ) -> Result<(), Trouble> {
        let Some(login) = &self.smtp.login else {
            return Ok(());
        };
        let credentials = Credentials::new(login.user.clone(), login.password().to_owned());
        self.step("auth", async {
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await
                .map(drop)
                .map_err(|cause| Trouble::Smtp {
                    step: "auth",
                    cause,
                })
        })
        .await
    }

    /// Hands a letter over.
    pub(super) async fn send(
        &mut self,
        connection: &mut AsyncSmtpConnection,
        message: &lettre::Message,
    ) -> Result<(), Trouble> {
        let envelope = message.envelope();
        let mut addresses = envelope.from().into_iter().chain(envelope.to());
        let all_ascii = addresses.all(|address| address.to_string().is_ascii());
        let parameters = if all_ascii {
            vec![]
        } else {
            vec![MailParameter::SmtpUtfEight]
        };
        self.command(
            connection,
            SENDER,
            Mail::new(envelope.from().cloned(), parameters),
        )
        .await?;
        for to in envelope.to() {
            self.command(connection, RECIPIENT, Rcpt::new(to.clone(), vec![]))
                .await?;
        }
        self.command(connection, TEXT, Data).await?;
        self.step(TEXT, async {
            let taken = connection.message(&message.formatted()).await;
            taken
                .map(drop)
                .map_err(|cause| Trouble::Smtp { step: TEXT, cause })
        })
        .await
    }

    async fn command(
        &mut self,
        connection: &mut AsyncSmtpConnection,
        step: &'static str,
        command: impl fmt::Display,
    ) -> Result<(), Trouble> {
        self.step(step, async {
            let taken = connection.command(command).await;
            taken
                .map(drop)
                .map_err(|cause| Trouble::Smtp { step, cause })
        })
        .await
    }

    async fn step<T>(
        &mut self,
        step: &'static str,
        doing: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let began = Instant::now();
        let left = self
            .until
            .map(|until| until.saturating_duration_since(began));
        let limit = left.unwrap_or(Duration::MAX).min(self.smtp.timeout);
        let done = match tokio::time::timeout(limit, doing).await {
            Ok(done) => done,
            Err(_) => Err(Trouble::Silence { step, limit }),
        };
        self.steps.push(Step {
            name: step,
            ok: done.is_ok(),
            duration_ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            error: done.as_ref().err().map(ToString::to_string),
        });
        done
    }
}

/// Trusts whom this machine trusts.
fn parameters(smtp: &Smtp, step: &'static str) -> Result<TlsParameters, Trouble> {
    TlsParameters::new_rustls(smtp.host.clone()).map_err(|cause| Trouble::Smtp { step, cause })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Source;

    /// A server that says no, for good, to whatever begins like this.
    async fn refusing(what: &'static str) -> Smtp {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("somebody comes");
            let (read, mut write) = stream.split();
            let mut lines = BufReader::new(read).lines();
            let mut answer = "220 there";
            loop {
                let line = format!("{answer}\r\n");
                write.write_all(line.as_bytes()).await.expect("written");
                let Some(line) = lines.next_line().await.expect("read") else {
                    return;
                };
                answer = match line.as_str() {
                    line if line.starts_with(what) => "550 no",
                    "DATA" => "354 go on",
                    _ => "250 good",
                };
            }
        });
        let mut source = Source::new(
            [
                ("SYSNDD_SMTP_HOST", "127.0.0.1"),
                ("SYSNDD_SMTP_PORT", &port),
                ("SYSNDD_SMTP_TLS", "none"),
                ("SYSNDD_SMTP_FROM", "no-reply@example.org"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        Smtp::read(&mut source).expect("complete")
    }

    #[tokio::test]
    async fn a_letter_is_refused_by_its_recipient_or_its_text_and_not_by_whom_it_is_from() {
        for (what, refused) in [("MAIL", false), ("RCPT", true), ("DATA", true)] {
            let smtp = refusing(what).await;
            let hello = ClientId::Domain("test".to_owned());
            let message = lettre::Message::builder()
                .from(smtp.from.clone())
                .to("marie@example.org".parse().expect("an address"))
                .body("hello".to_owned())
                .expect("a letter");
            let mut talk = Talk::new(&smtp, &hello);
            let mut connection = talk.open().await.expect("open");
            let sent = talk.send(&mut connection, &message).await;
            let trouble = sent.expect_err(what);
            assert_eq!(trouble.is_refusal_of_the_letter(), refused, "{trouble}");
        }
    }
}
