//! What one start did about migrations, for the health report and for logs.

use std::time::Instant;

use sysndd_protocol::{MigrationPath, StartupMigration};

/// What one start did about migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// As the health report has it.
    pub startup: StartupMigration,
    /// Newest applied file in the database; absent when there is none, or in mode `off`.
    pub head: Option<String>,
    /// Files that this call applied, in order.
    pub applied: Vec<String>,
    /// Rows of newer releases, all of them `backward`: the schema is ahead of these files.
    pub ahead: Vec<String>,
    /// Identifies this pass in the ledger, when it applied something.
    pub run_id: Option<String>,
}

impl Outcome {
    /// An outcome in which this call applied nothing.
    pub(crate) fn new(
        started: Instant,
        path: MigrationPath,
        head: Option<String>,
        ahead: Vec<String>,
    ) -> Self {
        Self {
            startup: StartupMigration {
                path,
                lock_acquired: false,
                lock_waited_ms: 0,
                applied: 0,
                duration_ms: millis(started),
            },
            head,
            applied: Vec::new(),
            ahead,
            run_id: None,
        }
    }
}

/// Milliseconds since then.
pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
