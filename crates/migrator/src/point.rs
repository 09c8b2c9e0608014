//! The named moments of an applier, for drills that end it there.
//!
//! A sink is told of each ([`EventSink::reached`](crate::EventSink::reached)); nothing in this
//! crate acts on them.

use std::fmt;
use std::str::FromStr;

/// A moment between two steps of an applier. A process that dies at any of them leaves a database
/// that the next start carries on, or whose file it calls in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// The migration lock is taken; nothing was read under it yet.
    LockTaken,
    /// The ledger exists and has all its columns.
    LedgerReady,
    /// The file's row says that it is running.
    FileBegun,
    /// What the next statement needs before it is sent stands: its note in the ledger, or an open
    /// transaction.
    StatementNoted,
    /// The statement was sent and the server is at work on it.
    StatementRunning,
    /// The server has answered; the ledger does not know yet.
    StatementDone,
    /// The progress is written inside the transaction of the row changes, which is not committed.
    BeforeCommit,
    /// The progress is in the ledger for good.
    Checkpointed,
    /// A fresh session holds one key of the lock, the old session still holds the other.
    SessionChanged,
    /// The file's statements are done, its post-condition was not asked yet.
    PostCondition,
    /// The ledger says that the file is applied.
    FileDone,
    /// Every file is done, the lock is still held.
    BeforeRelease,
}

impl Point {
    /// All of them, in the order in which a pass comes to them first.
    pub const ALL: [Self; 12] = [
        Self::LockTaken,
        Self::LedgerReady,
        Self::FileBegun,
        Self::StatementNoted,
        Self::StatementRunning,
        Self::StatementDone,
        Self::BeforeCommit,
        Self::Checkpointed,
        Self::SessionChanged,
        Self::PostCondition,
        Self::FileDone,
        Self::BeforeRelease,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LockTaken => "lock-taken",
            Self::LedgerReady => "ledger-ready",
            Self::FileBegun => "file-begun",
            Self::StatementNoted => "statement-noted",
            Self::StatementRunning => "statement-running",
            Self::StatementDone => "statement-done",
            Self::BeforeCommit => "before-commit",
            Self::Checkpointed => "checkpointed",
            Self::SessionChanged => "session-changed",
            Self::PostCondition => "post-condition",
            Self::FileDone => "file-done",
            Self::BeforeRelease => "before-release",
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|point| point.as_str() == text)
            .ok_or_else(|| {
                let names: Vec<&str> = Self::ALL.iter().map(|point| point.as_str()).collect();
                format!("`{text}` is none of {}", names.join(", "))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_found_by_its_name() {
        for point in Point::ALL {
            assert_eq!(point.to_string().parse(), Ok(point));
        }
        let unknown = "nowhere".parse::<Point>().expect_err("no such point");
        assert!(unknown.contains("lock-taken, ledger-ready"), "{unknown}");
    }
}
