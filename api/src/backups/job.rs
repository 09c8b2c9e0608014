//! `backup.create`: a backup as a job of the queue.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Kind;
use crate::db;
use crate::jobs::{Enqueued, Failure, Handler, NewJob, Turn, enqueue};
use crate::state::App;

/// Makes a backup.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Create {
    pub(crate) kind: Kind,
}

impl Create {
    /// Puts it into the queue; while one waits or runs, that one is answered.
    pub(crate) async fn enqueue(
        self,
        conn: &mut impl Queryable,
        by: u64,
    ) -> Result<Enqueued, db::Error> {
        let job = NewJob::new(Self::KIND, json!(self))
            .with_dedup_key(Self::KIND)
            .with_created_by(by)
            .with_max_attempts(3);
        enqueue(conn, &job).await
    }
}

impl Handler for Create {
    const KIND: &'static str = "backup.create";

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        turn.progress("dumping", 0, 1).await?;
        let backup = tokio::select! {
            made = app.backups.create(self.kind) => made?,
            () = turn.cancel.cancelled() => return Err(Failure::Cancelled),
        };
        Ok(json!(backup))
    }
}
