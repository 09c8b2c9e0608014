//! The directory that all replicas share: proof that this replica can use it.
//!
//! The proof is a file written, read back and removed, never a look at permission bits: bits do
//! not know about read-only mounts, quotas, ACLs or user namespaces.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sysndd_protocol::ReplicaName;
use tokio::sync::Mutex as Turn;

/// How long a live probe is waited for: a dead network file system blocks for minutes.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the last probe that worked counts while the next one hangs.
const STALL: Duration = Duration::from_secs(5);

/// The shared directory.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    probe_file: PathBuf,
    /// Held by the one probe that is under way, also when its asker has given up.
    turn: Arc<Turn<()>>,
    /// When the last probe that worked began.
    worked: Arc<Mutex<Option<Instant>>>,
}

impl DataDir {
    pub(crate) fn new(path: PathBuf, replica: &ReplicaName) -> Self {
        let owner: String = replica
            .as_str()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let probe_file = path.join(format!(".probe-{owner}-{}", std::process::id()));
        Self {
            path,
            probe_file,
            turn: Arc::default(),
            worked: Arc::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes, reads back and removes a file. Answers how long that took.
    pub(crate) async fn probe(&self) -> Result<Duration, DataDirError> {
        let asked = Instant::now();
        let (turn, worked) = (Arc::clone(&self.turn), Arc::clone(&self.worked));
        let (path, file) = (self.path.clone(), self.probe_file.clone());
        let attempt = async move {
            let turn = turn.lock_owned().await;
            tokio::task::spawn_blocking(move || {
                let began = Instant::now();
                if lock(&worked).is_some_and(|at| at >= asked) {
                    return Ok(began - asked);
                }
                let outcome = write_read_remove(&file);
                *lock(&worked) = outcome.is_ok().then_some(began);
                drop(turn);
                outcome
                    .map(|()| began.elapsed())
                    .map_err(|(doing, error)| DataDirError::refused(&path, doing, error))
            })
            .await
        };
        match tokio::time::timeout(PROBE_TIMEOUT, attempt).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(ended)) => Err(DataDirError::refused(
                &self.path,
                "use",
                io::Error::other(ended),
            )),
            Err(_) if lock(&self.worked).is_some_and(|at| at.elapsed() < STALL) => {
                Ok(asked.elapsed())
            }
            Err(_) => Err(DataDirError::Hangs {
                path: self.path.clone(),
            }),
        }
    }
}

/// What is kept is one value, which a panic cannot leave half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The three steps; a failure says at which.
fn write_read_remove(file: &Path) -> Result<(), (&'static str, io::Error)> {
    const CONTENT: &[u8] = b"sysndd-api was here\n";
    let doing = |doing| move |error| (doing, error);
    let mut writer = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .map_err(doing("create a file in"))?;
    let used = writer
        .write_all(CONTENT)
        .map_err(doing("write to"))
        .and_then(|()| {
            let mut content = Vec::new();
            fs::File::open(file)
                .and_then(|mut reader| reader.read_to_end(&mut content))
                .map_err(doing("read from"))?;
            if content == CONTENT {
                Ok(())
            } else {
                Err((
                    "read from",
                    io::Error::other("what was written did not come back"),
                ))
            }
        });
    let removed = fs::remove_file(file).map_err(doing("remove a file from"));
    used.and(removed)
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error("cannot {doing} the data directory {path} as UID {uid}: {cause} ({state})", path = .path.display())]
    Refused {
        doing: &'static str,
        path: PathBuf,
        uid: u32,
        cause: io::Error,
        state: String,
    },
    #[error("the data directory {} does not answer; is its network file system reachable?", .path.display())]
    Hangs { path: PathBuf },
}

impl DataDirError {
    fn refused(path: &Path, doing: &'static str, cause: io::Error) -> Self {
        let (uid, gid) = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        let state = match fs::metadata(path) {
            Ok(found) if !found.is_dir() => {
                "it is not a directory; set SYSNDD_DATA_DIR to one".to_owned()
            }
            Ok(found) => format!(
                "it belongs to UID {} GID {} with mode {:04o}; give it to this user with `chown -R {uid}:{gid}`, or run as its owner",
                found.uid(),
                found.gid(),
                found.mode() & 0o7777
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                "it does not exist; mount a volume there, or set SYSNDD_DATA_DIR".to_owned()
            }
            Err(error) => format!("its owner cannot be read: {error}"),
        };
        Self::Refused {
            doing,
            path: path.to_owned(),
            uid,
            cause,
            state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_dir(path: &Path) -> DataDir {
        DataDir::new(path.to_owned(), &ReplicaName::new("demo/api 1"))
    }

    #[tokio::test]
    async fn a_probe_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        data_dir(dir.path()).probe().await.expect("writable");
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 0);
    }

    #[tokio::test]
    async fn a_probe_that_a_killed_process_left_behind_is_no_obstacle() {
        let dir = tempfile::tempdir().expect("a directory");
        let shared = data_dir(dir.path());
        fs::write(&shared.probe_file, "half").expect("writable");
        shared.probe().await.expect("writable");
    }

    /// A pipe in the place of the probe's file: whoever opens it to write waits for a reader.
    struct Gate(PathBuf);

    impl Gate {
        fn shut(shared: &DataDir) -> Self {
            let gate = Self(shared.path.join("gate"));
            let made = std::process::Command::new("mkfifo").arg(&gate.0).status();
            assert!(made.expect("mkfifo runs").success());
            fs::hard_link(&gate.0, &shared.probe_file).expect("a second name");
            gate
        }

        /// The probe goes on, and no other meets the pipe.
        fn open(self, shared: &DataDir) {
            fs::remove_file(&shared.probe_file).expect("it was there");
            fs::File::open(&self.0).expect("a writer waits");
        }
    }

    #[tokio::test]
    async fn a_directory_that_never_answered_hangs() {
        let dir = tempfile::tempdir().expect("a directory");
        let shared = data_dir(dir.path());
        let gate = Gate::shut(&shared);
        let error = shared.probe().await.expect_err("it hangs");
        assert!(matches!(error, DataDirError::Hangs { .. }), "{error}");
        gate.open(&shared);
    }

    #[tokio::test]
    async fn a_directory_that_stalls_for_a_moment_can_still_be_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let shared = data_dir(dir.path());
        shared.probe().await.expect("writable");
        let gate = Gate::shut(&shared);
        shared.probe().await.expect("slow, not broken");
        *lock(&shared.worked) = Instant::now().checked_sub(STALL);
        shared.probe().await.expect_err("that was too long");
        gate.open(&shared);
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_a_directory_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = data_dir(&dir.path().join("missing"))
            .probe()
            .await
            .expect_err("missing")
            .to_string();
        assert!(
            missing.contains("/missing as UID ") && missing.contains("it does not exist"),
            "{missing}"
        );
        let file = dir.path().join("file");
        fs::write(&file, "").expect("writable");
        let file = data_dir(&file)
            .probe()
            .await
            .expect_err("a file")
            .to_string();
        assert!(file.contains("it is not a directory"), "{file}");
    }
}
