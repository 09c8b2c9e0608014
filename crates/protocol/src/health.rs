//! The health report: body of `GET /health/ready`, with status 200 or 503.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{MigrationPath, ReleaseId, ReplicaName};

/// The state of one replica and of what it depends on, read when asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Whether traffic may be sent here.
    pub status: ReadyStatus,
    /// Why not; present when `status` is not `ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who answers.
    pub replica: ReplicaName,
    /// The release it belongs to.
    #[serde(default)]
    pub release: Option<ReleaseId>,
    /// Version of the program.
    pub version: String,
    /// When the process started.
    pub started_at: DateTime<Utc>,
    /// The database, by one query.
    pub database: Database,
    /// The schema against the files of this release.
    pub migrations: Migrations,
    /// Background jobs.
    pub workers: Workers,
    /// The server that takes our mail. One that is down makes no replica unready.
    #[serde(default)]
    pub smtp: Smtp,
    /// Object storage.
    pub storage: Storage,
    /// The shared data directory.
    pub data_dir: DataDir,
}

/// Whether traffic may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyStatus {
    /// Everything that a request needs answers.
    Ready,
    /// The boot sequence has not ended.
    Starting,
    /// Something that a request needs does not answer.
    Unavailable,
    /// The replica was asked to end.
    Draining,
}

/// The database as one query saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// Whether it answered.
    pub status: DatabaseStatus,
    /// Round trip of one query in milliseconds; absent when it did not answer.
    #[serde(default)]
    pub latency_ms: Option<f64>,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// This replica's connection pool.
    pub pool: Pool,
}

/// Whether the database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum DatabaseStatus {
    Up,
    Down,
}

/// Connections of one replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Upper bound.
    pub max: usize,
    /// Taken by requests and jobs.
    pub in_use: usize,
    /// Open and free.
    pub idle: usize,
}

/// The schema against the migration files of this release. All numbers are live except `startup`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Migrations {
    /// Newest applied file; absent when there is none or the ledger could not be read.
    #[serde(default)]
    pub head: Option<String>,
    /// Files of this release that the ledger has as applied; absent when it could not be read.
    #[serde(default)]
    pub applied: Option<usize>,
    /// Files of this release that are not applied; absent when the ledger could not be read.
    #[serde(default)]
    pub pending: Option<usize>,
    /// Applied rows that this release does not know; absent when the ledger could not be read.
    #[serde(default)]
    pub ahead: Option<usize>,
    /// What this replica did at its start; absent until the migration step ended.
    #[serde(default)]
    pub startup: Option<StartupMigration>,
    /// The migration lock.
    pub lock: Lock,
}

/// What one replica's start-up did about migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartupMigration {
    /// How it came to an up-to-date schema.
    pub path: MigrationPath,
    /// Whether it took the lock and found work under it.
    pub lock_acquired: bool,
    /// Milliseconds spent waiting for the lock or for its holder's work.
    pub lock_waited_ms: u64,
    /// Files that it applied.
    pub applied: usize,
    /// Milliseconds of the whole migration step.
    pub duration_ms: u64,
}

/// The migration lock, as the database reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lock {
    /// Whether someone holds it.
    pub held: bool,
    /// Who, as far as the database tells.
    #[serde(default)]
    pub holder: Option<String>,
}

/// Background jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Workers {
    /// Worker tasks of this replica.
    pub configured: usize,
    /// Of them, running a job.
    pub busy: usize,
    /// Jobs that wait in the database.
    pub queued: usize,
    /// How long the one has waited that was due first, in seconds.
    pub oldest_queued_s: u64,
}

/// The server that takes our mail, as it was found at most 30 seconds ago.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Smtp {
    /// Whether it answered.
    pub status: SmtpStatus,
    /// Milliseconds from connecting to the end of the greeting, encryption included; absent when it
    /// did not answer.
    #[serde(default)]
    pub latency_ms: Option<f64>,
    /// Why it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether the mail server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum SmtpStatus {
    Up,
    Down,
    /// No server is set up; no mail is sent.
    Off,
    /// It was not asked yet.
    #[default]
    Unknown,
}

/// Object storage, as it was found at most 45 seconds ago. One that is down makes no replica unready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Storage {
    /// `fs` or `s3`.
    pub backend: String,
    /// Whether it answered.
    pub status: StorageStatus,
    /// Round trip in milliseconds; absent when it did not answer.
    #[serde(default)]
    pub latency_ms: Option<f64>,
    /// How many backups without a fault had no whole copy there when it last answered; absent when nobody asked, or
    /// copies go nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies_missing: Option<usize>,
}

/// Whether the storage answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum StorageStatus {
    Up,
    Down,
    /// It was not tried yet.
    Unknown,
}

/// The shared data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataDir {
    /// Whether this replica's user can write to it, tried now.
    pub writable: bool,
}
