//! Administrators are told by mail how a backup, a restore or a test of one ended.

use mysql_async::TxOpts;
use mysql_async::prelude::Queryable as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::Role;
use crate::config::BackupMail;
use crate::db;
use crate::jobs::{Failure, Turn};
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
    let wanted = match app.backups.mail {
        BackupMail::Always => true,
        BackupMail::Failures => told == Told::Failed,
        BackupMail::Never => false,
    };
    if !wanted || !app.mail.is_on() {
        return;
    }
    if let Err(error) = write(app, turn.job_id, told).await {
        tracing::warn!(%error, "administrators could not be told how it ended");
    }
}

async fn write(app: &App, job_id: u64, told: Told) -> Result<(), db::Error> {
    let mut conn = app.db.conn().await?;
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
