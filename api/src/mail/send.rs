//! `mail.send`: writes a letter and hands it to the server.

use std::sync::Arc;

use lettre::Address;
use lettre::message::Mailbox;
use mysql_async::prelude::Queryable;
use mysql_async::{Transaction, TxOpts, params};
use serde_json::{Value, json};

use super::letter::{KIND, Letter};
use super::post::Undelivered;
use super::text::Facts;
use crate::accounts;
use crate::auth::{Origin, Purpose, issue};
use crate::backups::Told;
use crate::jobs::{Failure, Handler, Turn};
use crate::state::App;

/// An account that gets a letter.
struct User {
    email: String,
    first_name: String,
    family_name: String,
    login: String,
    status: String,
    password_hash: String,
}

impl User {
    /// Nobody changes it until the transaction ends.
    async fn held(tx: &mut Transaction<'_>, user_id: u64) -> Result<Option<Self>, Failure> {
        let row: Option<(String, String, String, String, String, String)> = tx
            .exec_first(
                "SELECT email, first_name, family_name, user_name, CAST(status AS CHAR), password_hash \
                 FROM users WHERE user_id = :user_id FOR SHARE",
                params! { user_id },
            )
            .await?;
        Ok(row.map(
            |(email, first_name, family_name, login, status, password_hash)| Self {
                email,
                first_name,
                family_name,
                login,
                status,
                password_hash,
            },
        ))
    }
}

/// A letter that is ready to be written.
struct Draft {
    name: &'static str,
    to: Mailbox,
    facts: Facts,
}

impl Handler for Letter {
    const KIND: &'static str = KIND;

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        let Some(smtp) = app.mail.smtp() else {
            return Err(Failure::again(
                "mail_off",
                "no mail is sent from here: SYSNDD_SMTP_HOST is not set",
            ));
        };
        // A token's time begins when it is made: not before the letter can leave.
        let connection = app
            .mail
            .connect(smtp)
            .await
            .map_err(|trouble| Failure::again("smtp", trouble))?;
        let draft = match self.draft(&app, &turn).await? {
            Ok(draft) => draft,
            Err(reason) => return Ok(json!({ "sent": false, "reason": reason })),
        };
        let text = app
            .mail
            .render(draft.name, &draft.facts)
            .map_err(|error| Failure::fatal("template", error))?;
        if turn.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let sent = app.mail.send(smtp, connection, draft.to, text, &turn).await;
        match sent {
            Ok(message_id) => Ok(json!({ "sent": true, "message_id": message_id })),
            Err(Undelivered::Server(trouble)) if !trouble.is_refusal_of_the_letter() => {
                Err(Failure::again("smtp", trouble))
            }
            Err(Undelivered::Server(trouble)) => Err(Failure::fatal("refused", trouble)),
            Err(error @ Undelivered::Letter(_)) => Err(Failure::fatal("letter", error)),
        }
    }
}

impl Letter {
    /// Who gets it and what is in it, or why nobody does any more.
    async fn draft(&self, app: &App, turn: &Turn) -> Result<Result<Draft, &'static str>, Failure> {
        let site = app.accounts.public_url.origin();
        let facts = Facts {
            site: site.clone(),
            ..Facts::default()
        };
        let (user_id, name) = match self {
            Self::NameTaken { email, user_name } => {
                let facts = Facts {
                    user_name: user_name.clone(),
                    link: format!("{site}/register"),
                    ..facts
                };
                let to = mailbox(None, email)?;
                return Ok(Ok(Draft {
                    name: "name_taken",
                    to,
                    facts,
                }));
            }
            Self::Test { to } => {
                let sender = match &app.identity.release {
                    Some(release) => format!("{} of release {release}", app.identity.replica),
                    None => app.identity.replica.to_string(),
                };
                let to = mailbox(None, to)?;
                return Ok(Ok(Draft {
                    name: "test",
                    to,
                    facts: Facts { sender, ..facts },
                }));
            }
            Self::ConfirmEmail { user_id, .. } => (*user_id, "confirm_email"),
            Self::AlreadyRegistered { user_id } => (*user_id, "already_registered"),
            Self::ResetPassword { user_id } => (*user_id, "reset_password"),
            Self::PasswordChanged { user_id } => (*user_id, "password_changed"),
            Self::Backup { user_id, told, .. } => (*user_id, told.letter()),
        };
        let mut conn = app.db.conn().await?;
        // Held until the token is there: whoever signs up again after that finds it, and makes it void.
        let mut tx = conn.start_transaction(TxOpts::default()).await?;
        let Some(user) = User::held(&mut tx, user_id).await? else {
            return Ok(Err("the account is gone"));
        };
        if user.status == "disabled" {
            return Ok(Err("the account is disabled"));
        }
        // The token goes behind `#`: that part of an address browsers send to no server, so that it
        // is in no log of one.
        let (page, purpose) = match self {
            Self::ConfirmEmail { .. } if user.status != "unconfirmed" => {
                return Ok(Err("the address is confirmed already"));
            }
            Self::ConfirmEmail {
                attempt: Some(attempt),
                ..
            } if *attempt != accounts::attempt(&user.password_hash) => {
                return Ok(Err("somebody signed up again with this address"));
            }
            Self::ConfirmEmail { .. } => ("confirm", Some(Purpose::ConfirmEmail)),
            Self::ResetPassword { .. } => ("reset-password", Some(Purpose::ResetPassword)),
            Self::Backup { .. } => ("admin/backups", None),
            _ => ("forgot-password", None),
        };
        let (name, what, detail) = match self {
            Self::Backup { job_id, told, .. } => about(&mut tx, *job_id, *told).await?,
            _ => (name, String::new(), String::new()),
        };
        let mut link = format!("{site}/{page}");
        if let Some(purpose) = purpose {
            let key = &app.accounts.secret_key;
            let origin = Origin {
                user_id,
                job_id: turn.job_id,
                begun: turn.begun,
            };
            let Some(token) = issue(&mut tx, key, purpose, origin).await? else {
                return Ok(Err("its link was used, or is void"));
            };
            link = format!("{link}#token={}", token.expose());
        }
        tx.commit().await?;
        let whole_name = format!("{} {}", user.first_name, user.family_name);
        Ok(Ok(Draft {
            name,
            to: mailbox(Some(whole_name), &user.email)?,
            facts: Facts {
                name: user.first_name,
                user_name: user.login,
                what,
                detail,
                link,
                hours: purpose.map_or(0, |purpose| purpose.lifetime().as_secs() / 3600),
                ..facts
            },
        }))
    }
}

/// Which letter tells of a job, what that was, in words, and what came of it. A job that was cut off after it told
/// runs again and may end in another way: only its row says how it did.
async fn about(
    conn: &mut impl Queryable,
    job_id: u64,
    told: Told,
) -> Result<(&'static str, String, String), Failure> {
    let row: Option<(String, String, Option<String>, Option<String>)> = conn
        .exec_first(
            "SELECT kind, CAST(status AS CHAR), error_message, \
                    JSON_UNQUOTE(JSON_EXTRACT(result, '$.filename')) \
             FROM jobs WHERE job_id = :job_id",
            params! { job_id },
        )
        .await?;
    let Some((kind, status, error, filename)) = row else {
        return Err(Failure::fatal("job", "the job is gone that it is about"));
    };
    let told = match status.as_str() {
        "queued" | "running" => {
            return Err(Failure::again(
                "job",
                "the job that it is about has not ended yet",
            ));
        }
        "succeeded" => Told::Done,
        "failed" => Told::Failed,
        _ => told,
    };
    let what = match kind.as_str() {
        "backup.restore" => "restore of a backup",
        "backup.test" => "test of the newest backup",
        "backup.scheduled" => "scheduled backup",
        "backup.mirror" => "copying of backups",
        _ => "backup",
    };
    let detail = error.or(filename).unwrap_or_default();
    Ok((told.letter(), what.to_owned(), detail))
}

fn mailbox(name: Option<String>, address: &str) -> Result<Mailbox, Failure> {
    // The text of the address stays out of the error, which goes to the log.
    let address: Address = address
        .parse()
        .map_err(|_| Failure::fatal("address", "the address of who gets the letter is none"))?;
    Ok(Mailbox::new(name, address))
}
