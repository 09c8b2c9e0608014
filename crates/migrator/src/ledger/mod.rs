//! The ledger: table `schema_version`, one row a migration file.
//!
//! Here stand its columns and the meaning of a row. A ledger that cannot be read is an error,
//! never an empty one: only "no such table" means that nothing was ever applied.

mod adopted;
mod read;
mod write;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::header::Compat;

pub(crate) use adopted::adopted;
pub use read::read_ledger;
pub(crate) use read::{Ledger, read, read_with_lock};
pub(crate) use write::{
    Doubt, Entry, adopt, applied, begin, checkpoint, create, failed, resolved, send,
};

/// Name of the ledger table, in the database that is migrated.
pub const LEDGER_TABLE: &str = "schema_version";

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// An applier is at it, or died at it.
    Running,
    /// It is done, its post-condition holds.
    Applied,
    /// A statement or the post-condition failed; the next start goes on where it is certain.
    Failed,
    /// It is not known whether a part of it ran; a person decides (see [`resolve`](crate::resolve)).
    InDoubt,
    /// It was applied before this ledger was there: by the original `SysNDD`, whose ledger knew no
    /// checksums, or by whoever made the schema that [`baseline`](crate::baseline) recorded.
    Adopted,
}

impl State {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Adopted => "adopted",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::Running,
            Self::Applied,
            Self::Failed,
            Self::InDoubt,
            Self::Adopted,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }

    /// Whether nothing remains to be done.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Applied | Self::Adopted)
    }
}

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// File name: the key.
    pub filename: String,
    /// Number at the head of the name; absent when the name has none.
    pub version: Option<u64>,
    /// SHA-256 of the file when it was applied; absent in adopted rows.
    pub checksum: Option<String>,
    /// Whether earlier releases still work on the schema after it; absent in adopted rows.
    pub compat: Option<Compat>,
    /// What became of it.
    pub state: State,
    /// The replica that applied it last.
    pub applied_by: Option<String>,
    /// The pass that applied it: the `run_id` of that pass's `migration.lock_acquired`.
    pub run_id: Option<String>,
    /// The release that applied it.
    pub release: Option<String>,
    /// When it was done, or begun while it is not.
    pub applied_at: Option<DateTime<Utc>>,
    /// How long it took in milliseconds, over all its passes.
    pub duration_ms: Option<u64>,
    /// Statements that are certainly done.
    pub statements_done: usize,
    /// Statements in the file.
    pub statements_total: usize,
    /// Statement that was begun and not seen to end, counted from 1.
    pub in_doubt: Option<usize>,
    /// Hash of the target's definition before that statement.
    pub before_hash: Option<String>,
    /// Hash of the statements that are done, to tell whether the file was changed above them.
    pub done_hash: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

impl LedgerRow {
    /// Whether nothing but its name is known: it was adopted from a ledger without checksums.
    /// Such rows are exempt from the rules about duplicates, missing and changed files.
    pub(crate) fn is_exempt(&self) -> bool {
        self.state == State::Adopted && self.checksum.is_none()
    }
}

/// A column that an older ledger may lack. All are nullable or have a default, so that writers
/// which do not know them still work.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) definition: &'static str,
}

/// All columns but the key and the time, which every ledger has.
pub(crate) const COLUMNS: [Column; 14] = [
    Column {
        name: "version",
        definition: "BIGINT UNSIGNED NULL",
    },
    Column {
        name: "checksum",
        definition: "CHAR(64) CHARACTER SET ascii NULL",
    },
    Column {
        name: "compat",
        definition: "VARCHAR(16) CHARACTER SET ascii NULL",
    },
    Column {
        name: "state",
        definition: "VARCHAR(16) CHARACTER SET ascii NULL",
    },
    Column {
        name: "statements_done",
        definition: "INT UNSIGNED NOT NULL DEFAULT 0",
    },
    Column {
        name: "statements_total",
        definition: "INT UNSIGNED NOT NULL DEFAULT 0",
    },
    Column {
        name: "in_doubt",
        definition: "INT UNSIGNED NULL",
    },
    Column {
        name: "before_hash",
        definition: "CHAR(64) CHARACTER SET ascii NULL",
    },
    Column {
        name: "done_hash",
        definition: "CHAR(64) CHARACTER SET ascii NULL",
    },
    Column {
        name: "duration_ms",
        definition: "BIGINT UNSIGNED NULL",
    },
    Column {
        name: "applied_by",
        definition: "VARCHAR(255) NULL",
    },
    Column {
        name: "run_id",
        definition: "VARCHAR(64) CHARACTER SET ascii NULL",
    },
    Column {
        name: "release",
        definition: "VARCHAR(128) NULL",
    },
    Column {
        name: "error",
        definition: "TEXT NULL",
    },
];

/// What a ledger table looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// There is none.
    Absent,
    /// There is one.
    Present {
        /// Columns of ours that it lacks, by index in [`COLUMNS`]: an older shape, to be adopted.
        missing: Vec<usize>,
        /// Whether it has the `success` column of the original `SysNDD`, which is then kept true.
        success: bool,
    },
}

impl Shape {
    pub(crate) fn has_success(&self) -> bool {
        matches!(self, Self::Present { success: true, .. })
    }
}
