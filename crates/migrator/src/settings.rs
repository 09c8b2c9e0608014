//! What a caller of [`migrate`](crate::migrate) chooses, and where its events go.

use std::time::Duration;

use serde::Serialize;
use sysndd_protocol::{Event, Level, ReleaseId, ReplicaName};

use crate::point::Point;

/// What to do about pending files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Apply them, or wait while another does.
    #[default]
    Auto,
    /// Wait until another has applied them.
    Check,
    /// Do not look.
    Off,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "check" => Ok(Self::Check),
            "off" => Ok(Self::Off),
            other => Err(format!("`{other}` is none of auto, check, off")),
        }
    }
}

/// What to think of numbers that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gaps {
    /// They are fine.
    #[default]
    Allow,
    /// They are refused.
    Deny,
}

impl std::str::FromStr for Gaps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            other => Err(format!("`{other}` is neither allow nor deny")),
        }
    }
}

/// How to migrate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What to do about pending files.
    pub mode: Mode,
    /// Who this is, in the ledger and for those who wait.
    pub replica: ReplicaName,
    /// The release that it belongs to.
    pub release: Option<ReleaseId>,
    /// How long to wait for another applier; longer than any migration should take.
    pub wait_budget: Duration,
    /// How often a waiter looks.
    pub poll_interval: Duration,
    /// How often a waiter says again whom it waits for and what that is doing.
    pub wait_report: Duration,
    /// How long connecting may take before it counts as failed.
    pub connect_timeout: Duration,
    /// How long a query of this crate's own may take: reading the ledger, asking for the lock.
    /// Statements of migrations have no bound; the server is watched while they run.
    pub query_timeout: Duration,
    /// How often a second connection looks whether the server still works on a statement. After
    /// three looks in a row without an answer the server counts as gone.
    pub watch_interval: Duration,
    /// How long a statement may wait for a table that another connection uses
    /// (`lock_wait_timeout`), in place of the server's default of a year.
    pub table_wait: Duration,
    /// What to think of numbers that are left out.
    pub gaps: Gaps,
}

impl Settings {
    /// The defaults: apply, wait up to 15 minutes, look every 100 ms.
    pub fn new(replica: ReplicaName) -> Self {
        Self {
            mode: Mode::Auto,
            replica,
            release: None,
            wait_budget: Duration::from_mins(15),
            poll_interval: Duration::from_millis(100),
            wait_report: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            query_timeout: Duration::from_secs(10),
            watch_interval: Duration::from_secs(5),
            table_wait: Duration::from_mins(1),
            gaps: Gaps::Allow,
        }
    }
}

/// Where events go: a replica's standard output, a test's list.
pub trait EventSink: Send + Sync {
    /// Takes one event, in the order in which they happen.
    fn emit(&self, level: Level, event: Event);

    /// An applier has come to this point. For drills that end it there; anything else ignores it.
    fn reached(&self, point: Point) {
        let _ = point;
    }
}
