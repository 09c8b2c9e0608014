//! `backup.create`: a backup as a job of the queue.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keep::tidy;
use super::{Kind, Mirror, told};
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
        let made = create(&app, &turn, self.kind).await;
        after(&app, &turn, &made).await;
        made
    }
}

/// `backup.scheduled`: a backup by the clock.
#[derive(Debug, Deserialize)]
pub(crate) struct Scheduled {}

impl Handler for Scheduled {
    const KIND: &'static str = "backup.scheduled";

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        let made = create(&app, &turn, Kind::Scheduled).await;
        after(&app, &turn, &made).await;
        made
    }
}

async fn create(app: &App, turn: &Turn, kind: Kind) -> Result<Value, Failure> {
    turn.progress("dumping", 0, 1).await?;
    let backup = tokio::select! {
        made = app.backups.create(kind) => made?,
        () = turn.cancel.cancelled() => return Err(Failure::Cancelled),
    };
    Ok(json!(backup))
}

/// A new backup is to be copied, old ones go that are not kept beside it, and somebody is told; nothing of that
/// changes how it ended.
async fn after(app: &App, turn: &Turn, made: &Result<Value, Failure>) {
    if made.is_ok() {
        tidy(app).await;
    }
    told::tell(app, turn, made).await;
    if made.is_ok() && app.storage.is_some() {
        let enqueued = async { Mirror::enqueue(&mut app.db.conn().await?).await };
        if let Err(error) = enqueued.await {
            tracing::warn!(%error, "a backup is copied to the object storage later");
        }
    }
}
