//! The fence: while a backup is restored, nothing is changed by any replica.
//!
//! It is a file in the directory of backups, which all replicas share: it outlives whoever raised
//! it and does not go away with a schema. In it stands how far the restore is.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::{BackupName, Error};
use super::Restored;
use crate::config::{self, Source};

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
    /// Since when it is up; absent in one that is to be raised.
    #[serde(default)]
    pub(super) raised_at: Option<DateTime<Utc>>,
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

    /// For how long it has been up; nothing when it is down.
    pub(crate) async fn up_for(&self) -> Option<Duration> {
        let state = self.state().await;
        let raised_at = match state {
            Ok(None) => return None,
            Ok(Some(state)) => state.raised_at,
            Err(_) => None,
        };
        if let Some(at) = raised_at {
            return Some((Utc::now() - at).to_std().unwrap_or_default());
        }
        // One that nobody can read is up as well.
        let file = tokio::fs::metadata(self.dir.join(FENCE)).await.ok()?;
        Some(file.modified().ok()?.elapsed().unwrap_or_default())
    }

    /// Whether what is live may be of two databases; also when nobody can say.
    pub(super) async fn is_half_way(&self) -> bool {
        match self.state().await {
            Ok(state) => {
                state.is_some_and(|state| matches!(state.step, Step::Swapping | Step::Defined))
            }
            Err(_) => true,
        }
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
    pub(super) async fn raise(&self, mut state: State) -> Result<(), Error> {
        if state.raised_at.is_none() {
            let before = self.state().await?.and_then(|state| state.raised_at);
            state.raised_at = before.or_else(|| Some(Utc::now()));
        }
        self.write(FENCE, state).await
    }

    pub(super) async fn note(&self, outcome: Outcome) -> Result<(), Error> {
        self.write(OUTCOME, outcome).await
    }

    /// Takes definitions away that nobody makes any more.
    pub(super) async fn drop_definitions(&self, which: &str) -> Result<(), Error> {
        let path = self.definitions(which);
        blocking(move || remove(&path)).await
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

/// For commands that would change the database.
pub(crate) async fn refuse_behind_the_fence() -> anyhow::Result<()> {
    let mut source = Source::from_process();
    let data_dir = config::data_dir(&mut source);
    let dir = config::Backups::dir(&mut source, &data_dir);
    let path = dir.join(FENCE);
    anyhow::ensure!(
        !Fence::new(dir).is_up().await,
        "a backup is being restored, and what is changed now would be lost: try again when {} is gone; \
         docs/backups.md says what to do when it stays",
        path.display()
    );
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn state(step: Step) -> State {
        State {
            id: "job-1".to_owned(),
            filename: "manual_2026-11-20_20-01-02.sql.zst"
                .parse()
                .expect("a name"),
            step,
            restored: None,
            raised_at: None,
        }
    }

    #[tokio::test]
    async fn nobody_migrates_what_may_be_half_of_two_databases() {
        let dir = tempfile::tempdir().expect("a directory");
        let fence = Fence::new(dir.path().to_owned());
        assert!(!fence.is_half_way().await);
        for (step, half_way) in [
            (Step::Preparing, false),
            (Step::Swapping, true),
            (Step::Defined, true),
            (Step::Ended, false),
        ] {
            fence.raise(state(step)).await.expect("raised");
            assert_eq!(fence.is_half_way().await, half_way, "{step:?}");
        }
        fs::write(dir.path().join(FENCE), "{").expect("written");
        assert!(fence.is_half_way().await, "nobody knows");
    }

    #[tokio::test]
    async fn it_is_up_since_it_was_raised_whatever_the_step() {
        let dir = tempfile::tempdir().expect("a directory");
        let fence = Fence::new(dir.path().to_owned());
        assert_eq!(fence.up_for().await, None);
        let raised_at = Some(Utc::now() - chrono::TimeDelta::hours(2));
        let first = State {
            raised_at,
            ..state(Step::Preparing)
        };
        fence.raise(first).await.expect("raised");
        fence.raise(state(Step::Swapping)).await.expect("raised");
        let up = fence.up_for().await.expect("up");
        assert!(up >= Duration::from_hours(2), "{up:?}");
        // By the file, where it does not say.
        fs::write(dir.path().join(FENCE), "{").expect("written");
        let up = fence.up_for().await.expect("up");
        assert!(up < Duration::from_hours(1), "{up:?}");
        fence.lower().await.expect("lowered");
        assert_eq!(fence.up_for().await, None);
    }
}
