//! What to do about the schema at start-up.

use std::path::PathBuf;
use std::time::Duration;

use sysndd_migrator::{Gaps, Mode};

use super::Source;
use super::source::duration;

/// Longer than any migration should take: a waiter that gives up is restarted into the same wait.
const DEFAULT_WAIT: Duration = Duration::from_mins(15);

/// The migration settings.
#[derive(Debug, Clone)]
pub(crate) struct Migrations {
    /// `SYSNDD_MIGRATE`: apply what is pending, wait until someone else did, or look away.
    pub(crate) mode: Mode,
    /// `SYSNDD_MIGRATIONS_DIR`: the files of this release.
    pub(crate) dir: PathBuf,
    /// `SYSNDD_MIGRATE_WAIT`: how long to wait for another applier.
    pub(crate) wait: Duration,
    /// `SYSNDD_MIGRATE_GAPS`: what to think of numbers that are left out; they are fine for a
    /// start that is not told.
    pub(crate) gaps: Option<Gaps>,
}

impl Migrations {
    pub(crate) fn read(source: &mut Source) -> Self {
        Self {
            mode: source.value("SYSNDD_MIGRATE", Mode::Auto, |text| {
                text.parse()
                    .map_err(|_: String| "must be auto, check or off".to_owned())
            }),
            dir: source
                .text("SYSNDD_MIGRATIONS_DIR")
                .unwrap_or_else(|| "/app/migrations".to_owned())
                .into(),
            wait: source.value("SYSNDD_MIGRATE_WAIT", DEFAULT_WAIT, duration),
            gaps: source.value("SYSNDD_MIGRATE_GAPS", None, |text| {
                text.parse()
                    .map(Some)
                    .map_err(|_: String| "must be allow or deny".to_owned())
            }),
        }
    }
}
