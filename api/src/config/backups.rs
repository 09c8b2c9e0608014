//! Backups: where they are kept, and with whose programs they are made.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use croner::Cron;

use super::source::count;
use super::{DatabaseUrl, Source};

const NIGHTLY: &str = "17 2 * * *";
const SUNDAYS: &str = "47 4 * * 0";

/// The settings of backups.
#[derive(Debug, Clone)]
pub(crate) struct Backups {
    /// `SYSNDD_BACKUP_DIR`, else `backups` in the data directory.
    pub(crate) dir: PathBuf,
    /// `SYSNDD_MYSQL_CLIENT_DIR`: where `mysqldump` and `mysql` are; else they are looked up as usual.
    pub(crate) client_dir: Option<PathBuf>,
    /// `SYSNDD_RESTORE_DATABASE_URL`: the account that restores; without it nothing can be restored.
    pub(crate) restore_url: Option<DatabaseUrl>,
    /// `SYSNDD_BACKUP_SCHEDULE`: when one is made by itself; five fields, UTC. `off` for never.
    pub(crate) schedule: Option<String>,
    /// `SYSNDD_BACKUP_TEST_SCHEDULE`: when the newest one is tried; `off` for never.
    pub(crate) test_schedule: Option<String>,
    /// `SYSNDD_BACKUP_KEEP_…`: which are kept.
    pub(crate) keep: Keep,
    /// `SYSNDD_BACKUP_MAIL`: of what administrators are told.
    pub(crate) mail: BackupMail,
}

/// Which backups are kept when others are made. Those of somebody's own wish always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    /// Of the scheduled ones, the newest of each of so many days that have one …
    pub(crate) days: usize,
    /// … and of so many weeks …
    pub(crate) weeks: usize,
    /// … and of so many months.
    pub(crate) months: usize,
    /// So many that were made before a restore, and as many before a release.
    pub(crate) before: usize,
}

/// Of what administrators are told by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackupMail {
    /// What failed, and what went well.
    Always,
    /// What failed.
    Failures,
    Never,
}

impl Backups {
    pub(crate) fn read(
        source: &mut Source,
        data_dir: &Path,
        database: Option<&DatabaseUrl>,
    ) -> Self {
        Self {
            dir: Self::dir(source, data_dir),
            client_dir: source.text("SYSNDD_MYSQL_CLIENT_DIR").map(PathBuf::from),
            restore_url: DatabaseUrl::read_restore(source, database),
            schedule: source.value(
                "SYSNDD_BACKUP_SCHEDULE",
                Some(NIGHTLY.to_owned()),
                timetable,
            ),
            test_schedule: source.value(
                "SYSNDD_BACKUP_TEST_SCHEDULE",
                Some(SUNDAYS.to_owned()),
                timetable,
            ),
            keep: Keep {
                days: source.value("SYSNDD_BACKUP_KEEP_DAYS", 7, count(1..=3660)),
                weeks: source.value("SYSNDD_BACKUP_KEEP_WEEKS", 4, count(0..=520)),
                months: source.value("SYSNDD_BACKUP_KEEP_MONTHS", 6, count(0..=120)),
                before: source.value("SYSNDD_BACKUP_KEEP_BEFORE", 10, count(1..=1000)),
            },
            mail: source.value(
                "SYSNDD_BACKUP_MAIL",
                BackupMail::Always,
                |text| match text {
                    "always" => Ok(BackupMail::Always),
                    "failures" => Ok(BackupMail::Failures),
                    "never" => Ok(BackupMail::Never),
                    _ => Err("must be always, failures or never".to_owned()),
                },
            ),
        }
    }
}

impl Backups {
    /// Where they are kept.
    pub(crate) fn dir(source: &mut Source, data_dir: &Path) -> PathBuf {
        let dir = source.text("SYSNDD_BACKUP_DIR").map(PathBuf::from);
        dir.unwrap_or_else(|| data_dir.join("backups"))
    }
}

/// Five fields of cron, or `off`.
fn timetable(text: &str) -> Result<Option<String>, String> {
    if text == "off" {
        return Ok(None);
    }
    let is_cron = text.split_whitespace().count() == 5 && Cron::from_str(text).is_ok();
    if is_cron {
        Ok(Some(text.to_owned()))
    } else {
        Err("must be minute, hour, day, month and day of the week as in cron, such as `17 2 * * *`, or off".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timetable_is_cron_or_off() {
        assert_eq!(timetable("off"), Ok(None));
        assert_eq!(timetable("0 */6 * * *"), Ok(Some("0 */6 * * *".into())));
        for wrong in ["", "daily", "* * * *", "0 0 2 * * *", "61 2 * * *"] {
            assert!(timetable(wrong).is_err(), "{wrong}");
        }
    }
}
