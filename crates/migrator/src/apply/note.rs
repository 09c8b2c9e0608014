//! What stands in the ledger before a definition is sent, so that after a crash its targets tell
//! whether it ran. Nothing here writes.
//!
//! A single definition is noted with what its targets look like. Creations that follow each other
//! are noted together when none of their objects exists: which of them exist afterwards tells how
//! far they came, and the disk is waited for once instead of once each.

use sha2::{Digest as _, Sha256};

use super::Applier;
use super::definition::ABSENT_TEXT;
use crate::classify::Object;
use crate::error::MigrateError;
use crate::files::hex;
use crate::ledger::Doubt;
use crate::units::{How, Units};

/// So many creations at most stand in one note.
const TOGETHER: usize = 64;

/// What is noted, or about to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Note {
    pub(super) doubt: Doubt,
    /// The units that the note is about.
    first: usize,
    count: usize,
}

impl Note {
    /// Whether this unit may be sent under the note.
    pub(super) fn covers(&self, unit: usize) -> bool {
        (self.first..self.first + self.count).contains(&unit)
    }

    /// What the unit's targets looked like when the note was made.
    pub(super) fn before(&self, objects: &[Object]) -> Option<String> {
        if self.count > 1 {
            Some(absent(objects.len()))
        } else {
            self.doubt.before_hash.clone()
        }
    }
}

impl Applier<'_> {
    /// The note that this unit needs before it begins; an empty one when it is no definition.
    pub(super) async fn note_for(
        &mut self,
        units: &Units,
        at: usize,
    ) -> Result<Note, MigrateError> {
        let Some(unit) = units.units.get(at) else {
            return Ok(Note::default());
        };
        let How::Definition(objects) = &unit.how else {
            return Ok(Note::default());
        };
        let first_hash = self.definitions(objects).await?;
        let mut count = 1;
        let mut missing = objects.len();
        if first_hash.as_deref() == Some(&absent(missing)) {
            for next in at + 1..at + units.creations(at).min(TOGETHER) {
                let How::Definition(objects) = &units.units[next].how else {
                    break;
                };
                if self.definitions(objects).await? != Some(absent(objects.len())) {
                    break;
                }
                missing += objects.len();
                count += 1;
            }
        }
        let before_hash = if count > 1 {
            Some(absent(missing))
        } else {
            first_hash
        };
        Ok(Note {
            doubt: Doubt {
                statement: Some(unit.first + 1),
                before_hash,
            },
            first: at,
            count,
        })
    }

    /// The first unit of a note that did not run; `None` when its targets cannot be read.
    pub(super) async fn first_undone(
        &mut self,
        units: &Units,
        at: usize,
        before_hash: &str,
    ) -> Result<Option<usize>, MigrateError> {
        let count = noted_together(units, at, before_hash);
        for unit in at..at + count {
            let How::Definition(objects) = &units.units[unit].how else {
                return Ok(Some(unit));
            };
            let Some(now) = self.definitions(objects).await? else {
                return Ok(None);
            };
            let untouched = if count > 1 {
                now == absent(objects.len())
            } else {
                now == before_hash
            };
            if untouched {
                return Ok(Some(unit));
            }
        }
        Ok(Some(at + count))
    }
}

/// How many units a note with this hash is about.
fn noted_together(units: &Units, at: usize, before_hash: &str) -> usize {
    let mut missing = 0;
    for count in 1..=units.creations(at) {
        if let How::Definition(objects) = &units.units[at + count - 1].how {
            missing += objects.len();
        }
        if count > 1 && before_hash == absent(missing) {
            return count;
        }
    }
    1
}

/// Hash of so many objects none of which exists.
fn absent(count: usize) -> String {
    let mut hash = Sha256::new();
    for _ in 0..count {
        hash.update(ABSENT_TEXT);
        hash.update([0]);
    }
    hex(&hash.finalize())
}
