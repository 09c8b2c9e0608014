//! Backups of the database: made by MySQL's own client, kept as files that all replicas see.
//!
//! A file is listed when it is whole and on the disk, never before. One backup is made at a time,
//! wherever it is begun.

mod catalogue;
mod cli;
mod client;
mod create;
mod dump;
mod error;
mod job;
mod keep;
mod list;
mod lock;
mod metadata;
mod mirror;
mod name;
mod restore;
mod scan;
mod summary;
mod told;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::Opts;
use tokio::sync::{Mutex, watch as latest};

pub(crate) use catalogue::Backup;
pub(crate) use cli::{Args, run};
pub(crate) use error::Error;
pub(crate) use job::{Create, Scheduled};
pub(crate) use list::{Page, Sort};
use mirror::forget_copies;
pub(crate) use mirror::{Forget, Mirror, forget};
pub(crate) use name::{BackupName, Kind, NoBackupName};
pub(crate) use restore::{Fence, Means, Restore, Test, refuse_behind_the_fence, watch};
pub(crate) use summary::{Summary, watch_directory};
pub(crate) use told::{Told, tell_of_lost};

use crate::config::{self, BackupMail, Keep};
use catalogue::Catalogue;
use client::Client;

/// How long reading backups that were put there by hand may keep a list waiting.
const DERIVE_WAIT: Duration = Duration::from_millis(500);

/// The backups of this database.
#[derive(Debug)]
pub(crate) struct Backups {
    catalogue: Catalogue,
    client: Client,
    opts: Opts,
    release: Option<String>,
    pub(crate) fence: Fence,
    /// Absent where nothing can be restored.
    means: Option<Means>,
    keep: Keep,
    pub(crate) mail: BackupMail,
    summary: latest::Sender<Summary>,
    /// Held by the one who reads backups of which nothing is known.
    deriving: Arc<Mutex<()>>,
}

impl Backups {
    /// Touches nothing yet.
    pub(crate) fn new(
        config: &config::Backups,
        database: &config::DatabaseUrl,
        release: Option<String>,
        means: Option<Means>,
    ) -> Self {
        Self {
            fence: Fence::new(config.dir.clone()),
            means,
            keep: config.keep,
            mail: config.mail,
            summary: latest::Sender::new(Summary::default()),
            catalogue: Catalogue::new(config.dir.clone()),
            client: Client::new(config.client_dir.clone(), database.authority()),
            opts: database.opts(),
            release,
            deriving: Arc::default(),
        }
    }

    /// All backups. What was put there by hand is read first, or soon.
    pub(crate) async fn list(&self) -> Result<Vec<Backup>, Error> {
        let backups = self.blocking(Catalogue::list).await?;
        let unknown: Vec<_> = backups
            .iter()
            .filter(|backup| backup.checksum.is_none() && backup.fault.is_none())
            .map(|backup| backup.filename.clone())
            .collect();
        if unknown.is_empty() {
            return Ok(backups);
        }
        let (catalogue, turn) = (self.catalogue.clone(), Arc::clone(&self.deriving));
        let reading = tokio::spawn(async move {
            let turn = turn.lock_owned().await;
            tokio::task::spawn_blocking(move || {
                for name in unknown {
                    // A turn before may have done it.
                    let known = catalogue.find(&name).map(|backup| backup.checksum.is_some());
                    if let Ok(false) = known
                        && let Err(error) = catalogue.derive(&name)
                    {
                        tracing::warn!(%error, %name, "a backup of which nothing is known could not be read");
                    }
                }
                drop(turn);
            })
            .await
        });
        // It goes on when nobody waits any more.
        let _ = tokio::time::timeout(DERIVE_WAIT, reading).await;
        self.blocking(Catalogue::list).await
    }

    /// One backup.
    pub(crate) async fn find(&self, name: &BackupName) -> Result<Backup, Error> {
        let name = name.clone();
        self.blocking(move |catalogue| catalogue.find(&name)).await
    }

    /// Reads a backup whole; it must be what it was when it was made.
    pub(crate) async fn verify(&self, name: &BackupName) -> Result<Backup, Error> {
        let name = name.clone();
        self.blocking(move |catalogue| {
            catalogue.verify(&name)?;
            catalogue.find(&name)
        })
        .await
    }

    /// Takes a backup away.
    async fn delete(&self, name: &BackupName) -> Result<(), Error> {
        let name = name.clone();
        self.blocking(move |catalogue| catalogue.delete(&name))
            .await
    }

    /// Where a backup lies.
    pub(crate) fn path(&self, name: &BackupName) -> PathBuf {
        self.catalogue.path(name)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Catalogue) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let catalogue = self.catalogue.clone();
        let done = tokio::task::spawn_blocking(move || work(&catalogue)).await;
        done.unwrap_or_else(|panic| Err(Error::Task(panic.to_string())))
    }
}
