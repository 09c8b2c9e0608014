//! Why something about a backup could not be done.

use std::io;
use std::path::{Path, PathBuf};

use super::name::BackupName;
use crate::db;
use crate::jobs::Failure;

/// Why something about a backup could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot {doing} {}: {cause}", .path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
    #[error("no room is left for the backup in {}; what was written of it is removed. Delete old backups or make the volume larger, then try again", .path.display())]
    DiskFull { path: PathBuf },
    #[error(
        "cannot start {program}: {cause}; it is MySQL's own client, see SYSNDD_MYSQL_CLIENT_DIR"
    )]
    NoClient {
        program: &'static str,
        cause: io::Error,
    },
    #[error("{program} failed ({status}): {said}")]
    Client {
        program: &'static str,
        status: std::process::ExitStatus,
        said: String,
    },
    #[error("the dump does not end as a whole one does; it is thrown away")]
    Incomplete,
    #[error("the schema was changed while it was dumped; the dump is thrown away")]
    SchemaChanged,
    #[error("another backup or restore is under way; it did not end within {} s", .0.as_secs())]
    Busy(std::time::Duration),
    #[error("the connection that keeps others from making a backup at the same time was lost: {0}")]
    LockLost(String),
    #[error("there is no backup {0}")]
    Unknown(BackupName),
    #[error("{name} {what}")]
    Bad { name: BackupName, what: String },
    #[error(
        "nothing can be restored here: SYSNDD_RESTORE_DATABASE_URL is not set; it names the account that may make the schemas beside the live one"
    )]
    NoRestoreAccount,
    #[error("{0}")]
    Refused(String),
    #[error("it was asked to stop; the live database is as it was")]
    Cancelled,
    #[error("the restore was taken back and the live database is as it was: {0}")]
    TakenBack(String),
    #[error("{0}")]
    Storage(String),
    #[error("a task of this process ended: {0}")]
    Task(String),
    #[error("the migration ledger cannot be read: {0}")]
    Ledger(String),
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl Error {
    /// What went wrong with a file. A full disk has words of its own.
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::File { doing, path, cause },
        }
    }

    /// A word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::DiskFull { .. } => "disk_full",
            Self::NoClient { .. } => "no_client",
            Self::Client { .. } => "client",
            Self::Incomplete => "incomplete",
            Self::SchemaChanged => "schema_changed",
            Self::Busy(_) => "busy",
            Self::LockLost(_) => "lock_lost",
            Self::Unknown(_) => "unknown",
            Self::Bad { .. } => "bad_backup",
            Self::NoRestoreAccount => "no_restore_account",
            Self::Refused(_) => "refused",
            Self::Cancelled => "cancelled",
            Self::TakenBack(_) => "taken_back",
            Self::Storage(_) => "storage",
            Self::Task(_) => "task",
            Self::Ledger(_) => "ledger",
            Self::Database(_) => "database",
        }
    }

    /// Whether the same may succeed later, with nobody doing anything about it.
    fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Client { .. }
                | Self::Incomplete
                | Self::SchemaChanged
                | Self::Busy(_)
                | Self::LockLost(_)
                | Self::Ledger(_)
                | Self::Storage(_)
                | Self::Database(_)
        )
    }
}

impl From<mysql_async::Error> for Error {
    fn from(error: mysql_async::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Cancelled) {
            Self::Cancelled
        } else if error.may_pass() {
            Self::again(error.code(), error)
        } else {
            Self::fatal(error.code(), error)
        }
    }
}
