//! Object storage: a bucket or a directory, where copies of backups go.
//!
//! What it says to have taken is not believed: now and then something is written, read back and
//! removed, and the health report says how that went.

mod bucket;

use std::fs::File;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use sysndd_protocol as protocol;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Mutex, watch as latest};

use self::bucket::Maker;
use crate::config;
use crate::state::App;

/// How often the storage is tried for the health report.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A trial that takes longer has failed.
const TRIAL: Duration = Duration::from_secs(10);
/// A copy goes and comes in pieces of so many bytes, each of them a request of its own: what is long, or far away,
/// takes as long as it takes.
const PIECE: usize = 8 * 1024 * 1024;
/// So many pieces go at a time; with the one that is being read, that is all the memory it takes.
const AT_A_TIME: usize = 2;

/// Where objects are kept.
#[derive(Debug)]
pub(crate) struct Storage {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Makes the bucket when it is missing, where it may.
    maker: Option<Maker>,
    seen: latest::Sender<protocol::Storage>,
    /// How many backups had no copy there; absent until it was asked.
    missing: latest::Sender<Option<usize>>,
    /// A replica has one name for its trials.
    trying: Mutex<()>,
}

/// Why the storage did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the object storage: {0}")]
    Store(object_store::Error),
    #[error("what was written to the object storage did not come back: {0}")]
    Lost(String),
    #[error("the bucket {name} is missing and cannot be made: {cause}")]
    NoBucket { name: String, cause: String },
    #[error("copying to or from the object storage: {0}")]
    Io(#[from] std::io::Error),
}

/// Its text holds those of its causes, so they are not told again.
impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

impl Storage {
    /// Asks nobody yet; a directory is made.
    pub(crate) fn new(config: &config::Storage) -> anyhow::Result<Self> {
        let (backend, store, prefix, maker): (_, Arc<dyn ObjectStore>, _, _) = match config {
            config::Storage::Directory(path) => {
                std::fs::create_dir_all(path)?;
                let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
                ("fs", Arc::new(store), Path::default(), None)
            }
            config::Storage::S3(s3) => {
                let (store, maker) = bucket::open(s3)?;
                ("s3", store, Path::from(s3.prefix.as_str()), maker)
            }
        };
        Ok(Self {
            store,
            prefix,
            maker,
            seen: latest::Sender::new(protocol::Storage {
                backend: backend.to_owned(),
                status: protocol::StorageStatus::Unknown,
                latency_ms: None,
                copies_missing: None,
            }),
            missing: latest::Sender::new(None),
            trying: Mutex::new(()),
        })
    }

    /// For the health report, as it was found last.
    pub(crate) fn report(&self) -> protocol::Storage {
        protocol::Storage {
            copies_missing: *self.missing.borrow(),
            ..self.seen.borrow().clone()
        }
    }

    /// For the metrics, likewise.
    pub(crate) fn missing(&self) -> latest::Receiver<Option<usize>> {
        self.missing.subscribe()
    }

    fn at(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }

    /// Names and lengths of what is there.
    pub(crate) async fn list(&self) -> Result<Vec<(String, u64)>, Error> {
        let prefix = (!self.prefix.as_ref().is_empty()).then_some(&self.prefix);
        let found = self.store.list(prefix).try_collect::<Vec<_>>().await?;
        Ok(found
            .into_iter()
            .filter_map(|object| Some((object.location.filename()?.to_owned(), object.size)))
            .collect())
    }

    /// Copies a file there, piece by piece; it is there when it is whole.
    pub(crate) async fn upload(&self, name: &str, from: &FilePath) -> Result<(), Error> {
        let mut file = tokio::fs::File::open(from).await?;
        let mut into = BufWriter::with_capacity(Arc::clone(&self.store), self.at(name), PIECE)
            .with_max_concurrency(AT_A_TIME);
        if let Err(error) = tokio::io::copy(&mut file, &mut into).await {
            let _ = into.abort().await;
            return Err(error.into());
        }
        // It takes back what it began by itself; to abort it then is a panic.
        into.shutdown().await?;
        let (there, here) = (
            self.store.head(&self.at(name)).await?.size,
            file.metadata().await?.len(),
        );
        if there == here {
            Ok(())
        } else {
            Err(Error::Lost(format!("{name} has {there} of {here} bytes")))
        }
    }

    /// Copies an object into a file, which is on the disk then.
    pub(crate) async fn download(&self, name: &str, into: File) -> Result<(), Error> {
        let at = self.at(name);
        let length = self.store.head(&at).await?.size;
        let mut file = tokio::fs::File::from_std(into);
        let mut from = 0;
        while from < length {
            let to = length.min(from + PIECE as u64);
            let piece = self.store.get_range(&at, from..to).await?;
            if piece.len() as u64 != to - from {
                let there = from + piece.len() as u64;
                return Err(Error::Lost(format!("{name} has {there} of {length} bytes")));
            }
            file.write_all(&piece).await?;
            from = to;
        }
        file.sync_all().await?;
        Ok(())
    }

    /// Takes an object away; one that is not there is no fault.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.store.delete(&self.at(name)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            deleted => Ok(deleted?),
        }
    }

    /// Writes something, reads it back and removes it. Answers how long that took. What cannot be removed is written
    /// over the next time.
    pub(crate) async fn try_out(&self, who: &str) -> Result<Duration, Error> {
        let _turn = self.trying.lock().await;
        let began = Instant::now();
        let chance: u64 = rand::random();
        let (content, at) = (
            format!("{who} was here, {chance:016x}"),
            self.at(&format!(".trial-{who}")),
        );
        let put = || {
            let content = PutPayload::from(content.clone().into_bytes());
            self.store.put(&at, content)
        };
        let trial = async {
            match (put().await, &self.maker) {
                (Err(object_store::Error::NotFound { .. }), Some(maker)) => {
                    maker.make().await?;
                    put().await?
                }
                (done, _) => done?,
            };
            let read = async { self.store.get(&at).await?.bytes().await }.await;
            // Also when it did not come back: it may be there.
            let deleted = self.store.delete(&at).await;
            let back = read?;
            deleted?;
            if back == content.as_bytes() {
                Ok(began.elapsed())
            } else {
                Err(Error::Lost(format!("{} other bytes came", back.len())))
            }
        };
        tokio::time::timeout(TRIAL, trial)
            .await
            .unwrap_or_else(|_| {
                Err(Error::Lost(format!(
                    "no answer within {} s",
                    TRIAL.as_secs()
                )))
            })
    }
}

/// Tries the storage now and then, to the end of the process.
pub(crate) async fn watch(app: Arc<App>) {
    let Some(storage) = &app.storage else { return };
    loop {
        let tried = storage.try_out(app.identity.replica.as_str()).await;
        let was = storage.report().status;
        let (status, latency) = match &tried {
            Ok(took) => (protocol::StorageStatus::Up, Some(*took)),
            Err(error) => {
                if was != protocol::StorageStatus::Down {
                    tracing::warn!(%error, "the object storage does not do what it should");
                }
                (protocol::StorageStatus::Down, None)
            }
        };
        storage.seen.send_modify(|seen| {
            seen.status = status;
            seen.latency_ms = latency.map(|latency| latency.as_secs_f64() * 1e3);
        });
        // What was known stays so while nobody can say more.
        if status == protocol::StorageStatus::Up
            && let Ok(missing) = app.backups.without_copy(storage).await
        {
            storage.missing.send_replace(Some(missing.len()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use rand::RngCore as _;

    use super::*;

    #[tokio::test]
    async fn what_is_longer_than_a_piece_goes_and_comes_in_several_and_whole() {
        let (there, here) = (
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
        );
        let config = config::Storage::Directory(there.path().to_owned());
        let storage = Storage::new(&config).expect("a storage");
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let mut noise = vec![0; length];
            rand::rng().fill_bytes(&mut noise);
            let (from, to) = (here.path().join("from"), here.path().join("to"));
            std::fs::write(&from, &noise).expect("written");
            storage.upload("copy", &from).await.expect("uploaded");
            let into = File::create(&to).expect("a file");
            storage.download("copy", into).await.expect("downloaded");
            assert!(std::fs::read(&to).expect("a file") == noise, "{length}");
        }
        storage.delete("copy").await.expect("deleted");
        assert_eq!(
            std::fs::read_dir(there.path()).expect("readable").count(),
            0
        );
    }

    #[tokio::test]
    async fn a_trial_that_fails_leaves_nothing_that_the_next_does_not_take_away() {
        let there = tempfile::tempdir().expect("a directory");
        let config = config::Storage::Directory(there.path().to_owned());
        let storage = Storage::new(&config).expect("a storage");
        // As one that died left it.
        std::fs::write(there.path().join(".trial-api-1"), "half").expect("written");
        storage.try_out("api-1").await.expect("tried");
        assert_eq!(
            std::fs::read_dir(there.path()).expect("readable").count(),
            0
        );
    }
}
