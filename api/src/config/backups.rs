//! Backups: where they are kept, and with whose programs they are made.

use std::path::{Path, PathBuf};

use super::{DatabaseUrl, Source};

/// The settings of backups.
#[derive(Debug, Clone)]
pub(crate) struct Backups {
    /// `SYSNDD_BACKUP_DIR`, else `backups` in the data directory.
    pub(crate) dir: PathBuf,
    /// `SYSNDD_MYSQL_CLIENT_DIR`: where `mysqldump` and `mysql` are; else they are looked up as usual.
    pub(crate) client_dir: Option<PathBuf>,
    /// `SYSNDD_RESTORE_DATABASE_URL`: the account that restores; without it nothing can be restored.
    pub(crate) restore_url: Option<DatabaseUrl>,
}

impl Backups {
    pub(crate) fn read(
        source: &mut Source,
        data_dir: &Path,
        database: Option<&DatabaseUrl>,
    ) -> Self {
        let dir = source.text("SYSNDD_BACKUP_DIR").map(PathBuf::from);
        Self {
            dir: dir.unwrap_or_else(|| data_dir.join("backups")),
            client_dir: source.text("SYSNDD_MYSQL_CLIENT_DIR").map(PathBuf::from),
            restore_url: DatabaseUrl::read_restore(source, database),
        }
    }
}
