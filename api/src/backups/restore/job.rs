//! `backup.restore`: a restore as a job of the queue.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::keep::tidy;
use super::super::{BackupName, told};
use super::{Errand, Progress};
use crate::db;
use crate::jobs::{Enqueued, Failure, Handler, NewJob, Turn, enqueue};
use crate::state::App;

/// Brings a backup back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Restore {
    filename: BackupName,
    /// Its own for good: the numbers of jobs begin anew with a new database, and how the last restore ended
    /// is kept beside the backups.
    #[serde(default)]
    id: Option<String>,
}

impl Restore {
    pub(crate) fn new(filename: BackupName) -> Self {
        let id = format!("job-{:016x}", rand::random::<u64>());
        Self {
            filename,
            id: Some(id),
        }
    }

    /// Puts it into the queue; while one waits or runs, that one is answered.
    pub(crate) async fn enqueue(
        self,
        conn: &mut impl Queryable,
        by: u64,
    ) -> Result<Enqueued, db::Error> {
        // A worker that dies leaves a restore that is finished or taken back; the next attempt says which.
        let job = NewJob::new(Self::KIND, json!(self))
            .with_dedup_key(Self::KIND)
            .with_created_by(by)
            .with_max_attempts(5);
        enqueue(conn, &job).await
    }
}

impl Handler for Restore {
    const KIND: &'static str = "backup.restore";

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        let errand = Errand {
            id: self.id.unwrap_or_else(|| format!("job-{}", turn.job_id)),
            tell: watch::Sender::new(Progress::NONE),
            cancel: turn.cancel.clone(),
        };
        let mut told = errand.tell.subscribe();
        let telling = async {
            while told.changed().await.is_ok() {
                let Progress { step, number } = *told.borrow_and_update();
                // It is only told; a failure to tell is none of the restore.
                let _ = turn.progress(step, number, Progress::TOTAL).await;
            }
            std::future::pending::<()>().await;
        };
        let restored = tokio::select! {
            restored = app.backups.restore(&self.filename, &errand) => restored,
            () = telling => return Err(Failure::HandBack),
        };
        let restored = restored
            .map(|restored| json!(restored))
            .map_err(Failure::from);
        // It made a `pre-restore` backup.
        if restored.is_ok() {
            tidy(&app).await;
        }
        told::tell(&app, &turn, &restored).await;
        restored
    }
}
