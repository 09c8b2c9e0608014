//! The fence: while a backup is restored, nothing is changed by any replica.
//!
//! It is a file in the directory of backups, which all replicas share: it outlives whoever raised
//! it and does not go away with a schema. In it stands how far the restore is.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::{BackupName, Error};
use super::Restored;

const FENCE: &str = ".restore.json";
const OUTCOME: &str = ".restore-outcome.json";

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) id: String,
    pub(super) filename: BackupName,
    pub(super) step: Step,
    /// What will have come of it, once the tables are exchanged.
    pub(super) restored: Option<Restored>,
}

/// How far it is, as far as that matters to who finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// The live schema was not touched.
    Preparing,
    /// Definitions are stored; the tables may be exchanged.
    Swapping,
    /// The tables are exchanged and the definitions made; migrations may be under way.
    Defined,
    /// The outcome is noted; what was beside the live schema goes.
    Ended,
}

/// How the last restore ended, for who asks later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) id: String,
    pub(super) end: End,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Restored(Restored),
    TakenBack(String),
}

impl Outcome {
    pub(super) fn is_good(&self) -> bool {
        matches!(self.end, End::Restored(_))
    }

    pub(super) fn into_result(self) -> Result<Restored, Error> {
        match self.end {
            End::Restored(restored) => Ok(restored),
            End::TakenBack(why) => Err(Error::TakenBack(why)),
        }
    }
}

/// The fence, up or down.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    dir: PathBuf,
}

impl Fence {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Whether changes are to wait. A directory that cannot be read is no reason to refuse them: then
    /// nothing can be restored from it either.
    pub(crate) async fn is_up(&self) -> bool {
        tokio::fs::try_exists(self.dir.join(FENCE))
            .await
            .unwrap_or(false)
    }

    pub(super) fn definitions(&self, which: &str) -> PathBuf {
        self.dir.join(format!(".restore-{which}.sql"))
    }

    /// How far the restore is that somebody began.
    pub(super) async fn state(&self) -> Result<Option<State>, Error> {
        self.read(FENCE).await
    }

    /// How the restore ended that had this name.
    pub(super) async fn outcome(&self, id: &str) -> Result<Option<Outcome>, Error> {
        let outcome: Option<Outcome> = self.read(OUTCOME).await?;
        Ok(outcome.filter(|outcome| outcome.id == id))
    }

    /// Raises it, or notes the next step.
    pub(super) async fn raise(&self, state: State) -> Result<(), Error> {
        self.write(FENCE, state).await
    }

    pub(super) async fn note(&self, outcome: Outcome) -> Result<(), Error> {
        self.write(OUTCOME, outcome).await
    }

    /// Takes it away, with what belongs to it.
    pub(super) async fn lower(&self) -> Result<(), Error> {
        let (fence, dir) = (self.dir.join(FENCE), self.dir.clone());
        let definitions = ["old", "new"].map(|which| self.definitions(which));
        let outcome = self.dir.join(OUTCOME);
        blocking(move || {
            for path in &definitions {
                remove(path)?;
            }
            // What somebody began to write who died.
            for path in definitions.iter().chain([&fence, &outcome]) {
                remove(&unfinished(path))?;
            }
            remove(&fence)?;
            sync(&dir)
        })
        .await
    }

    async fn read<T: DeserializeOwned + Send + 'static>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Error> {
        let path = self.dir.join(name);
        blocking(move || match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", &path)(error)),
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| Error::file("read", &path)(error.into())),
        })
        .await
    }

    async fn write(&self, name: &str, value: impl Serialize + Send + 'static) -> Result<(), Error> {
        let (dir, path) = (self.dir.clone(), self.dir.join(name));
        blocking(move || {
            let text = serde_json::to_vec_pretty(&value)
                .map_err(|error| Error::file("write", &path)(error.into()))?;
            store(&path, &text)?;
            sync(&dir)
        })
        .await
    }
}

/// Writes a file so that it is either there whole or not at all.
pub(super) fn store(path: &Path, content: &[u8]) -> Result<(), Error> {
    let next = unfinished(path);
    let written = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&next)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&next, path));
    written.map_err(Error::file("write", path))
}

/// What a file is called until it is whole.
fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("next")
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn sync(dir: &Path) -> Result<(), Error> {
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::file("write", dir))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(Error::Task(panic.to_string())))
}
