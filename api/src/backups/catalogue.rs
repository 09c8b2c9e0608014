//! The directory of backups: what is there, what is known of it, and what is taken away.
//!
//! A backup is a file with the name of one. Beside it lies a small file with what is known of it;
//! whatever else lies there is left alone, but for what an interrupted run left behind.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Error;
use super::metadata::{Metadata, examine};
use super::name::{BackupName, Kind};

/// How what is not finished is called.
const PARTIAL: &str = ".partial-";
/// A file that was written to later than this may still be on its way.
const SETTLED: Duration = Duration::from_secs(10);
/// Between two looks for a name that is free; a new one comes with each second.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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

impl Backup {
    /// Whether it was read, and nothing is known against it.
    pub(super) fn is_whole(&self) -> bool {
        self.checksum.is_some() && self.fault.is_none()
    }
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
        let known = self.metadata(name, &file);
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
        let unreadable = match readable(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Unknown(name.clone()));
            }
            Err(error) => Some(format!("cannot be read: {error}")),
            Ok(()) => None,
        };
        let fault = unreadable.or(fault);
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

    /// What was noted of a backup. What cannot be read counts as missing, and so does what was read off
    /// a file before that changed.
    fn metadata(&self, name: &BackupName, file: &fs::Metadata) -> Option<Metadata> {
        let text = fs::read(self.sidecar(name)).ok()?;
        let known: Metadata = serde_json::from_slice(&text).ok()?;
        // Ours are whole when they are made.
        let made = !known.derived && known.fault.is_none();
        (made || known.size_bytes == file.len()).then_some(known)
    }

    /// What was noted of a backup when it was made, whatever became of its file.
    fn noted(&self, name: &BackupName) -> Option<Metadata> {
        let text = fs::read(self.sidecar(name)).ok()?;
        let noted: Metadata = serde_json::from_slice(&text).ok()?;
        (!noted.derived && noted.fault.is_none()).then_some(noted)
    }

    /// Reads a backup of which nothing is noted, and notes it. One that is still being put there is left
    /// for later.
    pub(super) fn derive(&self, name: &BackupName) -> Result<(), Error> {
        let path = self.path(name);
        let look = || fs::metadata(&path).map_err(Error::file("look at", &path));
        let before = look()?;
        let age = before.modified().map(|at| at.elapsed());
        // A time to come is that of another machine.
        if matches!(age, Ok(Ok(age)) if age < SETTLED) {
            return Ok(());
        }
        let metadata = examine(&path).map_err(Error::file("read", &path))?;
        let after = look()?;
        let state = |file: &fs::Metadata| (file.ino(), file.len(), file.modified().ok());
        if state(&before) == state(&after) {
            self.note(name, &metadata)
        } else {
            Ok(())
        }
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
        let file = fs::metadata(&path).map_err(Error::file("look at", &path))?;
        match self.metadata(name, &file) {
            Some(noted) if noted.checksum != found.checksum => Err(bad(format!(
                "has the checksum {} and had {} when it was made",
                found.checksum, noted.checksum
            ))),
            Some(_) => Ok(found),
            None => self.note(name, &found).map(|()| found),
        }
    }

    /// A name for a new backup, of this second or, when that is taken, of the next that is not.
    pub(super) fn free_name(&self, kind: Kind) -> BackupName {
        loop {
            let name = BackupName::new(kind, Utc::now());
            if !self.path(&name).exists() {
                return name;
            }
            std::thread::sleep(LOOK_EVERY);
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
    /// without. A name that is taken stays with its file, and with what is noted of that.
    pub(super) fn publish(
        &self,
        partial: Partial,
        name: &BackupName,
        metadata: &Metadata,
    ) -> Result<(), Error> {
        let path = self.path(name);
        let failed = Error::file("give a name to", &path);
        if path.exists() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        self.note(name, metadata)?;
        if let Err(error) = fs::hard_link(partial.path(), &path) {
            // Somebody else had the name first. It is read then: better than what is noted of ours.
            let _ = fs::remove_file(self.sidecar(name));
            return Err(failed(error));
        }
        drop(partial);
        sync(&self.dir)
    }

    /// Whether there is a file of this name that is no good; there must not be one that is.
    pub(super) fn is_spoilt(&self, name: &BackupName) -> Result<bool, Error> {
        match self.verify(name) {
            Ok(_) => Err(Error::Refused(format!("{name} is there, and whole"))),
            Err(Error::Unknown(_)) => Ok(false),
            Err(Error::Bad { .. } | Error::File { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Makes a file from elsewhere a backup, if it can be restored; in place of one that is spoilt.
    pub(super) fn adopt(
        &self,
        partial: Partial,
        name: &BackupName,
        spoilt: bool,
    ) -> Result<(), Error> {
        let found = examine(partial.path()).map_err(Error::file("read", partial.path()))?;
        if let Some(what) = found.fault {
            return Err(Error::Bad {
                name: name.clone(),
                what,
            });
        }
        if let Some(noted) = self.noted(name)
            && noted.checksum != found.checksum
        {
            return Err(Error::Bad {
                name: name.clone(),
                what: format!(
                    "has the checksum {} in the object storage and had {} when it was made, as {} says",
                    found.checksum,
                    noted.checksum,
                    self.sidecar(name).display()
                ),
            });
        }
        let derived = false;
        let metadata = Metadata { derived, ..found };
        if !spoilt {
            return self.publish(partial, name, &metadata);
        }
        // What is cut off in between leaves a file that is read again.
        remove(&self.sidecar(name))?;
        let path = self.path(name);
        fs::rename(partial.path(), &path).map_err(Error::file("give a name to", &path))?;
        self.note(name, &metadata)?;
        sync(&self.dir)
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
        let path = self.path(name);
        let file = fs::metadata(&path).map_err(Error::file("look at", &path))?;
        match self.metadata(name, &file) {
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
        remove(&self.sidecar(name))?;
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

/// Whether a file can be read at all: one that belongs to somebody else can be looked at and no more.
fn readable(path: &Path) -> io::Result<()> {
    File::open(path)?.read(&mut [0; 1]).map(drop)
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

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::file("delete", path)),
    }
}

/// Makes names last.
fn sync(dir: &Path) -> Result<(), Error> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::file("write", dir))
}

#[cfg(test)]
mod tests;
