//! The letters that there are.

use mysql_async::prelude::Queryable;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::backups::Told;
use crate::db;
use crate::jobs::{NewJob, enqueue};

/// The kind of the jobs that send letters.
pub(super) const KIND: &str = "mail.send";

/// With the delays between, a server that does not take mail has about two hours to come back.
const MAX_ATTEMPTS: u16 = 18;

/// A letter, and who gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub(crate) enum Letter {
    /// A link that shows that the address is theirs.
    ConfirmEmail {
        user_id: u64,
        /// As `accounts::attempt` tells it: the link is for the values of this attempt. Absent in letters of
        /// earlier releases.
        #[serde(default)]
        attempt: Option<String>,
    },
    /// Somebody tried to register with the address of this account.
    AlreadyRegistered { user_id: u64 },
    /// Somebody with this address asked for a user name, or gave an ORCID iD, that is another account's.
    NameTaken { email: String, user_name: String },
    /// A link with which to set a new password.
    ResetPassword { user_id: u64 },
    /// The password of this account was changed.
    PasswordChanged { user_id: u64 },
    /// How a backup, a restore or a test of one ended.
    Backup {
        user_id: u64,
        job_id: u64,
        told: Told,
    },
    /// What an administrator sends to see whether mail works.
    Test { to: String },
}

impl Letter {
    /// The job that sends it.
    pub(crate) fn job(&self) -> NewJob {
        let job = NewJob::new(KIND, json!(self)).with_max_attempts(MAX_ATTEMPTS);
        match self {
            // A job that is cut off after it told runs again and tells again: the letter waits for its end all
            // that time, and so is the same one.
            Self::Backup {
                user_id, job_id, ..
            } => job.with_dedup_key(format!("told:{job_id}:{user_id}")),
            _ => job,
        }
    }
}

/// Puts a letter into the queue, as part of the caller's transaction if there is one. Answers the
/// number of the job that sends it.
pub(crate) async fn send_later(
    conn: &mut impl Queryable,
    letter: &Letter,
) -> Result<u64, db::Error> {
    Ok(enqueue(conn, &letter.job()).await?.job_id)
}

#[cfg(test)]
mod tests {
    use mysql_async::Conn;

    use super::*;
    use crate::db::with_schema;

    #[test]
    fn letters_that_an_earlier_release_wrote_are_read() {
        let old = json!({ "letter": "confirm_email", "user_id": 7 });
        let letter: Letter = serde_json::from_value(old).expect("a letter");
        let attempt = None;
        assert_eq!(
            letter,
            Letter::ConfirmEmail {
                user_id: 7,
                attempt
            }
        );
    }

    #[tokio::test]
    #[ignore = "needs SYSNDD_TEST_MYSQL"]
    async fn a_job_that_tells_again_after_it_was_cut_off_does_so_by_the_same_letter() {
        with_schema("letter", async |mut conn| {
            let told = async |conn: &mut Conn, user_id, job_id, told| {
                let letter = Letter::Backup {
                    user_id,
                    job_id,
                    told,
                };
                send_later(conn, &letter).await.expect("in the queue")
            };
            let first = told(&mut conn, 1, 7, Told::Done).await;
            assert_eq!(told(&mut conn, 1, 7, Told::Failed).await, first);
            assert_ne!(told(&mut conn, 2, 7, Told::Done).await, first);
            assert_ne!(told(&mut conn, 1, 8, Told::Done).await, first);
        })
        .await;
    }
}
