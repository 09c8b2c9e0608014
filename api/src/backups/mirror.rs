//! `backup.mirror`: copies of all backups go to the object storage.
//!
//! Only what was read and is whole is copied: what is not may stand in the place of a good copy. A copy is
//! taken away when its backup is deleted, never because the directory lacks it: an empty
//! directory is what a lost volume looks like.

use std::collections::BTreeMap;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Backup, BackupName, Backups, Error, told};
use crate::db;
use crate::jobs::{Failure, Handler, NewJob, Turn, enqueue};
use crate::state::App;
use crate::storage::{self, Storage};

/// Copies what is not there yet.
#[derive(Debug, Deserialize)]
pub(crate) struct Mirror {}

impl Mirror {
    /// Puts it into the queue; while one waits, that one does.
    pub(super) async fn enqueue(conn: &mut impl Queryable) -> Result<(), db::Error> {
        // The clock puts it in under this key as well.
        let job =
            NewJob::new(Self::KIND, json!({})).with_dedup_key(format!("schedule:{}", Self::KIND));
        enqueue(conn, &job).await?;
        Ok(())
    }
}

impl Handler for Mirror {
    const KIND: &'static str = "backup.mirror";

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        let Some(storage) = &app.storage else {
            return Ok(json!({ "copied": 0, "reason": "SYSNDD_STORAGE_URL is not set" }));
        };
        let copied = copy(&app, &turn, storage).await;
        // It goes well every quarter of an hour.
        if copied.is_err() {
            told::tell(&app, &turn, &copied).await;
        }
        copied
    }
}

/// Copies what is not there yet, the newest first. What cannot be copied holds up none of the others.
async fn copy(app: &App, turn: &Turn, storage: &Storage) -> Result<Value, Failure> {
    // A bucket that is missing is made by this; one that lies is not asked what it has.
    let try_out = async || {
        let tried = storage.try_out(app.identity.replica.as_str()).await;
        tried.map_err(failed)
    };
    try_out().await?;
    let mut missing = app.backups.without_copy(storage).await?;
    missing.retain(Backup::is_whole);
    missing.sort_by(|a, b| b.filename.cmp(&a.filename));
    let (mut copied, mut faults) = (Vec::new(), Vec::new());
    for backup in missing {
        let name = backup.filename.to_string();
        turn.progress(
            "copying",
            u32::try_from(copied.len()).unwrap_or(u32::MAX),
            0,
        )
        .await?;
        if turn.stopping.is_cancelled() {
            return Err(Failure::HandBack);
        }
        let path = app.backups.path(&backup.filename);
        let uploaded = tokio::select! {
            uploaded = storage.upload(&name, &path) => uploaded,
            () = turn.cancel.cancelled() => return Err(Failure::Cancelled),
        };
        match uploaded {
            Ok(()) => {
                tracing::info!(name, "a backup was copied to the object storage");
                copied.push(name);
            }
            Err(error) => {
                // It may have been deleted meanwhile.
                if let Err(Error::Unknown(_)) = app.backups.find(&backup.filename).await {
                    continue;
                }
                tracing::warn!(%error, name, "a backup could not be copied to the object storage");
                faults.push(format!("{name}: {error}"));
                // When it is not about this one, the others need not be tried.
                try_out().await?;
            }
        }
    }
    if faults.is_empty() {
        Ok(json!({ "copied": copied.len(), "filenames": copied }))
    } else {
        Err(failed(faults.join("; ")))
    }
}

/// `backup.forget`: the copy of a deleted backup goes as well.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Forget {
    filename: BackupName,
}

impl Forget {
    pub(super) fn new(filename: BackupName) -> Self {
        Self { filename }
    }

    /// Puts it into the queue.
    pub(super) async fn enqueue(self, conn: &mut impl Queryable) -> Result<(), db::Error> {
        enqueue(conn, &NewJob::new(Self::KIND, json!(self))).await?;
        Ok(())
    }
}

impl Handler for Forget {
    const KIND: &'static str = "backup.forget";

    async fn run(self, app: Arc<App>, _turn: Turn) -> Result<Value, Failure> {
        let Some(storage) = &app.storage else {
            return Ok(json!({ "reason": "SYSNDD_STORAGE_URL is not set" }));
        };
        match app.backups.find(&self.filename).await {
            Err(Error::Unknown(_)) => {}
            // It was fetched back since.
            Ok(_) => return Ok(json!({ "reason": "it is there again" })),
            Err(error) => return Err(error.into()),
        }
        storage
            .delete(&self.filename.to_string())
            .await
            .map_err(failed)?;
        Ok(json!({ "filename": self.filename }))
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::again("storage", error)
}

/// Takes a backup away at once, and its copy soon.
pub(crate) async fn forget(app: &App, name: &BackupName) -> Result<(), Error> {
    app.backups.delete(name).await?;
    forget_copies(app, vec![name.clone()]).await;
    Ok(())
}

/// Takes copies away soon.
pub(super) async fn forget_copies(app: &App, names: Vec<BackupName>) {
    if app.storage.is_none() {
        return;
    }
    for name in names {
        let forget = Forget::new(name.clone());
        let enqueued = async { forget.enqueue(&mut app.db.conn().await?).await };
        if let Err(error) = enqueued.await {
            // A copy too many is no loss.
            tracing::warn!(%error, %name, "the copy of a deleted backup stays");
        }
    }
}

impl Backups {
    /// Those that have no copy of their length, but for those that cannot be restored anyway.
    pub(crate) async fn without_copy(&self, storage: &Storage) -> Result<Vec<Backup>, Error> {
        let there = storage.list().await.map_err(from_storage)?;
        let there: BTreeMap<String, u64> = there.into_iter().collect();
        let mut backups = self.list().await?;
        backups.retain(|backup| {
            let copy = there.get(&backup.filename.to_string());
            backup.fault.is_none() && copy != Some(&backup.size_bytes)
        });
        Ok(backups)
    }

    /// Brings a copy back from the storage: it is listed when it is whole, and in place of a file that
    /// is not.
    pub(crate) async fn fetch(&self, storage: &Storage, name: &BackupName) -> Result<(), Error> {
        let wanted = name.clone();
        let (spoilt, partial) = self
            .blocking(move |catalogue| {
                let spoilt = catalogue.is_spoilt(&wanted)?;
                Ok((spoilt, catalogue.partial(&wanted)?))
            })
            .await?;
        storage
            .download(&name.to_string(), partial.file()?)
            .await
            .map_err(from_storage)?;
        let name = name.clone();
        self.blocking(move |catalogue| catalogue.adopt(partial, &name, spoilt))
            .await
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn from_storage(error: storage::Error) -> Error {
    Error::Storage(error.to_string())
}
