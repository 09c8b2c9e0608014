//! The directory of backups: what is there, what is known of it, and what is taken away.
//!
//! A backup is a file with the name of one. Beside it lies a small file with what is known of it;
//! whatever else lies there is left alone, but for what an interrupted run left behind.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Error;
use super::metadata::{Metadata, examine};
use super::name::{BackupName, Kind};

/// How what is not finished is called.
const PARTIAL: &str = ".partial-";

/// A backup as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Backup)]
pub(crate) struct Backup {
    /// What it is called: `‹kind›_‹YYYY-MM-DD_HH-MM-SS›.sql.zst`
    #[schema(value_type = String)]
    pub(crate) filename: BackupName,
    /// Why it was made
    pub(crate) kind: Kind,
    /// Length of the file
    pub(crate) size_bytes: u64,
    /// When it was begun, to the second
    pub(crate) created_at: DateTime<Utc>,
    /// How many tables are in it; `null` until a backup that was put there by hand has been read
    pub(crate) table_count: Option<u32>,
    /// SHA-256 of the file when it was made; `null` as above
    pub(crate) checksum: Option<String>,
    /// The newest migration that is in it
    pub(crate) migration_head: Option<String>,
    /// The release that made it
    pub(crate) release: Option<String>,
    /// When it was last tried: loaded beside the live database, checked and dropped again
    pub(crate) tested_at: Option<DateTime<Utc>>,
    /// Why it cannot be restored; absent when nothing is known against it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
}

/// The directory.
#[derive(Debug, Clone)]
pub(super) struct Catalogue {
    dir: PathBuf,
}

/// A file that is not finished: locked while somebody is at it, and removed again unless it is kept.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    file: File,
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Partial {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// To write into; the lock lasts as long as any of these.
    pub(super) fn file(&self) -> Result<File, Error> {
        self.file
            .try_clone()
            .map_err(Error::file("write", &self.path))
    }
}

// All of this touches the disk: call it where that may block.
impl Catalogue {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) fn path(&self, name: &BackupName) -> PathBuf {
        self.dir.join(name.to_string())
    }

    fn sidecar(&self, name: &BackupName) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    /// All backups, in no order.
    pub(super) fn list(&self) -> Result<Vec<Backup>, Error> {
        let failed = |error| Error::file("list", &self.dir)(error);
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut backups = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Some(name) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            match self.find(&name) {
                Ok(backup) => backups.push(backup),
                // It was deleted meanwhile.
                Err(Error::Unknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(backups)
    }

    /// One backup.
    pub(super) fn find(&self, name: &BackupName) -> Result<Backup, Error> {
        let path = self.path(name);
        let file = match fs::metadata(&path) {
            Ok(file) if file.is_file() => file,
            Ok(_) => return Err(Error::Unknown(name.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Unknown(name.clone()));
            }
            Err(error) => return Err(Error::file("look at", &path)(error)),
        };
        let known = self.metadata(name);
        let fault = known.as_ref().and_then(|known| {
            let other_length = (known.size_bytes != file.len()).then(|| {
                format!(
                    "is {} bytes long and was {} when it was made",
                    file.len(),
                    known.size_bytes
                )
            });
            known.fault.clone().or(other_length)
        });
        Ok(Backup {
            filename: name.clone(),
            kind: name.kind(),
            size_bytes: file.len(),
            created_at: name.created_at(),
            table_count: known.as_ref().map(|known| known.table_count),
            checksum: known.as_ref().map(|known| known.checksum.clone()),
            migration_head: known
                .as_ref()
                .and_then(|known| known.origin.migration_head.clone()),
            tested_at: known.as_ref().and_then(|known| known.tested_at),
            release: known.and_then(|known| known.origin.release),
            fault,
        })
    }

    /// What was noted of a backup. One that cannot be read counts as missing.
    fn metadata(&self, name: &BackupName) -> Option<Metadata> {
        let text = fs::read(self.sidecar(name)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Reads a backup of which nothing is noted, and notes it.
    pub(super) fn derive(&self, name: &BackupName) -> Result<(), Error> {
        let path = self.path(name);
        let metadata = examine(&path).map_err(Error::file("read", &path))?;
        self.note(name, &metadata)
    }

    /// Reads a backup whole; it must be what was noted when it was made.
    pub(super) fn verify(&self, name: &BackupName) -> Result<Metadata, Error> {
        let backup = self.find(name)?;
        let bad = |what: String| Error::Bad {
            name: name.clone(),
            what,
        };
        if let Some(fault) = backup.fault {
            return Err(bad(fault));
        }
        let path = self.path(name);
        let found = examine(&path).map_err(Error::file("read", &path))?;
        if let Some(fault) = &found.fault {
            return Err(bad(fault.clone()));
        }
        match self.metadata(name) {
            Some(noted) if noted.checksum != found.checksum => Err(bad(format!(
                "has the checksum {} and had {} when it was made",
                found.checksum, noted.checksum
            ))),
            Some(_) => Ok(found),
            None => self.note(name, &found).map(|()| found),
        }
    }

    /// A new file that is not finished yet.
    pub(super) fn partial(&self, name: &BackupName) -> Result<Partial, Error> {
        fs::create_dir_all(&self.dir).map_err(Error::file("make", &self.dir))?;
        loop {
            let chance: u64 = rand::random();
            let path = self.dir.join(format!("{PARTIAL}{chance:016x}-{name}"));
            let file = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            let ours = file.and_then(|file| {
                let ours = claim(&file)? && file.metadata()?.nlink() > 0;
                Ok(ours.then_some(file))
            });
            // Else who cleans up found it before it was locked.
            if let Some(file) = ours.map_err(Error::file("write", &path))? {
                return Ok(Partial { path, file });
            }
        }
    }

    /// Makes a finished file a backup. What is noted of it goes first, so that none is ever listed
    /// without.
    pub(super) fn publish(
        &self,
        partial: Partial,
        name: &BackupName,
        metadata: &Metadata,
    ) -> Result<(), Error> {
        let path = self.path(name);
        self.note(name, metadata)?;
        // Fails when there is one already; and what does not happen leaves nothing behind.
        if let Err(error) = fs::hard_link(partial.path(), &path) {
            return Err(Error::file("give a name to", &path)(error));
        }
        drop(partial);
        sync(&self.dir)
    }

    /// Makes a file from elsewhere a backup, if it can be restored.
    pub(super) fn adopt(&self, partial: Partial, name: &BackupName) -> Result<(), Error> {
        let metadata = examine(partial.path()).map_err(Error::file("read", partial.path()))?;
        match &metadata.fault {
            Some(what) => Err(Error::Bad {
                name: name.clone(),
                what: what.clone(),
            }),
            None => self.publish(partial, name, &metadata),
        }
    }

    fn note(&self, name: &BackupName, metadata: &Metadata) -> Result<(), Error> {
        let partial = self.partial(name)?;
        // Text and numbers always become JSON.
        let text = serde_json::to_vec_pretty(metadata).unwrap_or_default();
        (&partial.file)
            .write_all(&text)
            .and_then(|()| partial.file.sync_all())
            .map_err(Error::file("write", partial.path()))?;
        let path = self.sidecar(name);
        fs::rename(partial.path(), &path).map_err(Error::file("write", &path))
    }

    /// Notes that a backup was tried and is good.
    pub(super) fn tested(&self, name: &BackupName, at: DateTime<Utc>) -> Result<(), Error> {
        match self.metadata(name) {
            Some(metadata) => self.note(
                name,
                &Metadata {
                    tested_at: Some(at),
                    ..metadata
                },
            ),
            None => Ok(()),
        }
    }

    /// Takes a backup away.
    pub(super) fn delete(&self, name: &BackupName) -> Result<(), Error> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Unknown(name.clone()));
            }
            removed => removed.map_err(Error::file("delete", &path))?,
        }
        match fs::remove_file(self.sidecar(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::file("delete", &self.sidecar(name))(error));
            }
            _ => {}
        }
        sync(&self.dir)
    }

    /// Removes what runs that were cut off left behind; what somebody is at, like a copy that is
    /// fetched, is locked and stays.
    pub(super) fn clean(&self) -> Result<(), Error> {
        let failed = |error| Error::file("list", &self.dir)(error);
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            // A note whose backup did not come about, or is gone.
            let orphan = name
                .strip_suffix(".json")
                .and_then(|name| name.parse().ok())
                .is_some_and(|name: BackupName| !self.path(&name).exists());
            let path = entry.path();
            let left = orphan || name.starts_with(PARTIAL) && abandoned(&path)?;
            if left {
                fs::remove_file(&path).map_err(Error::file("remove", &path))?;
                tracing::info!(path = %path.display(), "removed what an interrupted backup left behind");
            }
        }
        Ok(())
    }
}

/// Whether nobody is at this unfinished file.
fn abandoned(path: &Path) -> Result<bool, Error> {
    match File::open(path).and_then(|file| claim(&file)) {
        // Who was at it is done.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        free => free.map_err(Error::file("look at", path)),
    }
}

/// Locks a file unless somebody else has. Where files cannot be locked nobody has.
fn claim(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes names last.
fn sync(dir: &Path) -> Result<(), Error> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::file("write", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_behind_goes_and_what_somebody_is_at_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let catalogue = Catalogue::new(dir.path().to_owned());
        let name = BackupName::new(Kind::Manual, Utc::now());
        let at_it = catalogue.partial(&name).expect("a file");
        let left = dir.path().join(format!("{PARTIAL}0000000000000000-{name}"));
        let orphan = catalogue.sidecar(&name);
        let foreign = dir.path().join("notes.txt");
        for path in [&left, &orphan, &foreign] {
            fs::write(path, "half").expect("written");
        }
        catalogue.clean().expect("cleaned");
        assert!(at_it.path().exists() && foreign.exists());
        assert!(!left.exists() && !orphan.exists());
    }

    #[test]
    fn a_file_whose_writer_died_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let catalogue = Catalogue::new(dir.path().to_owned());
        let name = BackupName::new(Kind::Manual, Utc::now());
        let Partial { path, file } =
            &*std::mem::ManuallyDrop::new(catalogue.partial(&name).expect("a file"));
        assert!(path.exists() && !abandoned(path).expect("looked at"));
        // The end of a process closes its files and runs nothing else.
        file.unlock().expect("as closed");
        catalogue.clean().expect("cleaned");
        assert!(!path.exists());
    }
}
