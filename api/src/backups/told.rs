//! Administrators are told by mail how a backup, a restore or a test of one ended, and when copying fails.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, TxOpts, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Create, Mirror, Restore, Scheduled, Test};
use crate::auth::Role;
use crate::config::BackupMail;
use crate::db;
use crate::jobs::{Failure, Handler as _, Turn};
use crate::mail::{Letter, send_later};
use crate::state::App;

/// How it ended, as the letter says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    Done,
    Failed,
}

impl Told {
    /// The name of the letter.
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Done => "backup_done",
            Self::Failed => "backup_failed",
        }
    }
}

/// Puts the letters into the queue. What cannot be told is logged: the job itself ended as it did.
pub(super) async fn tell(app: &App, turn: &Turn, ended: &Result<Value, Failure>) {
    let told = match ended {
        Ok(_) => Told::Done,
        Err(Failure::Final { .. }) => Told::Failed,
        Err(Failure::Again { .. }) if turn.is_last => Told::Failed,
        Err(_) => return,
    };
    let sent = async { send(app, &mut app.db.conn().await?, turn.job_id, told).await };
    log(sent.await);
}

/// Tells of a job that was taken from its worker, if that was the end of it.
pub(crate) async fn tell_of_lost(app: &App, conn: &mut Conn, job_id: u64) {
    let kinds = [
        Create::KIND,
        Scheduled::KIND,
        Restore::KIND,
        Test::KIND,
        Mirror::KIND,
    ];
    let sent = async {
        let failed: Option<String> = conn
            .exec_first(
                "SELECT kind FROM jobs WHERE job_id = ? AND status = 'failed'",
                (job_id,),
            )
            .await?;
        match failed {
            Some(kind) if kinds.contains(&kind.as_str()) => {
                send(app, conn, job_id, Told::Failed).await
            }
            _ => Ok(()),
        }
    };
    log(sent.await);
}

fn log(sent: Result<(), db::Error>) {
    if let Err(error) = sent {
        tracing::warn!(%error, "administrators could not be told how it ended");
    }
}

/// Does so if that is wished for.
async fn send(app: &App, conn: &mut Conn, job_id: u64, told: Told) -> Result<(), db::Error> {
    let wanted = match app.backups.mail {
        BackupMail::Always => true,
        BackupMail::Failures => told == Told::Failed,
        BackupMail::Never => false,
    };
    if !wanted || !app.mail.is_on() {
        return Ok(());
    }
    // Copying is tried every quarter of an hour: that it still fails is no news.
    let again: Option<bool> = conn
        .exec_first(
            "SELECT earlier.status = 'failed' FROM jobs this JOIN jobs earlier \
             ON earlier.kind = this.kind AND earlier.job_id < this.job_id \
                AND earlier.status IN ('succeeded', 'failed') \
             WHERE this.job_id = :job_id AND this.kind = :kind ORDER BY earlier.job_id DESC LIMIT 1",
            params! { job_id, "kind" => Mirror::KIND },
        )
        .await?;
    if again == Some(true) {
        return Ok(());
    }
    let mut transaction = conn.start_transaction(TxOpts::default()).await?;
    let users: Vec<u64> = transaction
        .exec(
            "SELECT user_id FROM users WHERE role_id = ? AND status = 'active'",
            (Role::Administrator.id(),),
        )
        .await?;
    for user_id in users {
        let letter = Letter::Backup {
            user_id,
            job_id,
            told,
        };
        send_later(&mut transaction, &letter).await?;
    }
    Ok(transaction.commit().await?)
}
