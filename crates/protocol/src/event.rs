//! Startup events: what a replica did between its first line and being ready.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};

use crate::{ReleaseId, ReplicaName};

/// One line on a replica's standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartupEvent {
    /// When it happened, by the replica's clock; written with microseconds.
    #[serde(serialize_with = "rfc3339_micros")]
    pub ts: DateTime<Utc>,
    /// How loud it is.
    pub level: Level,
    /// Who says so.
    pub replica: ReplicaName,
    /// The release that created the replica; absent when it was not started by the CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual five")]
pub enum Level {
    #[serde(alias = "TRACE")]
    Trace,
    #[serde(alias = "DEBUG")]
    Debug,
    #[serde(alias = "INFO")]
    Info,
    #[serde(alias = "WARN")]
    Warn,
    #[serde(alias = "ERROR")]
    Error,
}

/// What happened. The names are the contract; see `docs/reference/events.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    /// First line of a process.
    #[serde(rename = "startup.begin")]
    StartupBegin {
        /// Process id, inside the container.
        pid: u32,
        /// Effective user.
        uid: u32,
        /// Effective group.
        gid: u32,
        /// Version of the program.
        version: String,
    },
    /// The shared data directory was written to, read back and cleaned.
    #[serde(rename = "data_dir.writable")]
    DataDirWritable {
        /// The directory.
        path: String,
    },
    /// The first connection to the database stands.
    #[serde(rename = "db.connected")]
    DbConnected {
        /// Connections tried, the successful one included.
        attempts: u32,
        /// Milliseconds since the first try.
        elapsed_ms: u64,
    },
    /// Nothing was pending at the first look; the lock was never asked for.
    #[serde(rename = "migration.fast_path")]
    MigrationFastPath {
        /// Newest applied migration; absent when there are none.
        head: Option<String>,
    },
    /// Files are pending at the first look.
    #[serde(rename = "migration.pending")]
    MigrationPending {
        /// How many.
        count: usize,
        /// Which, in order.
        files: Vec<String>,
    },
    /// Someone else holds the migration lock; said once per holder.
    #[serde(rename = "migration.lock_wait")]
    MigrationLockWait {
        /// Who, as far as the database tells.
        holder: Option<String>,
    },
    /// The lock was taken *and* work was found under it.
    #[serde(rename = "migration.lock_acquired")]
    MigrationLockAcquired {
        /// Milliseconds between the first look and the lock.
        waited_ms: u64,
        /// Identifies this pass over the pending files in the ledger.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_id: Option<String>,
    },
    /// One file was applied by this replica.
    #[serde(rename = "migration.applied")]
    MigrationApplied {
        /// Number at the head of the file name.
        version: u64,
        /// File name.
        file: String,
        /// Statements in the file.
        statements: usize,
        /// Milliseconds it took.
        duration_ms: u64,
    },
    /// A file that another applier left half done is carried on.
    #[serde(rename = "migration.resumed")]
    MigrationResumed {
        /// Number at the head of the file name.
        version: u64,
        /// First statement that runs now, counted from 1.
        from_statement: usize,
    },
    /// Another replica applied what was pending here.
    #[serde(rename = "migration.observed")]
    MigrationObserved {
        /// Who applied the newest file, by the ledger.
        by: Option<String>,
        /// Whether the lock was taken before that was seen.
        lock_taken: bool,
    },
    /// This replica applied everything that was pending.
    #[serde(rename = "migration.complete")]
    MigrationComplete {
        /// Files applied.
        applied: usize,
        /// Milliseconds under the lock.
        duration_ms: u64,
    },
    /// A statement failed; the replica does not become ready.
    #[serde(rename = "migration.failed")]
    MigrationFailed {
        /// File name; absent when it failed before a file was begun.
        file: Option<String>,
        /// Statement, counted from 1.
        statement: Option<usize>,
        /// MySQL error code.
        code: Option<u16>,
        /// What went wrong and what to do.
        message: String,
    },
    /// The replica serves traffic.
    #[serde(rename = "startup.ready")]
    StartupReady {
        /// Milliseconds since `startup.begin`.
        elapsed_ms: u64,
    },
    /// The replica was asked to end.
    #[serde(rename = "shutdown.begin")]
    ShutdownBegin {
        /// The signal, or what else made it end.
        reason: String,
    },
    /// The last request is answered; the process ends now.
    #[serde(rename = "shutdown.drained")]
    ShutdownDrained {
        /// Requests that were in flight at `shutdown.begin` and finished.
        requests: usize,
        /// Jobs that were running at `shutdown.begin` and finished.
        jobs: usize,
        /// Milliseconds since `shutdown.begin`.
        elapsed_ms: u64,
    },
}

/// How a replica came to an up-to-date schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationPath {
    /// It applied at least one file itself.
    Applied,
    /// Nothing was pending at its first look.
    FastPath,
    /// It waited while another replica applied.
    Observed,
}

impl StartupEvent {
    /// Reads one log line. `None` for whatever is not a startup event: ordinary log lines, text,
    /// events of a newer version.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        // Ordinary JSON log lines pass here by the thousand; do not parse them twice.
        if !line.starts_with('{') || !line.contains("\"event\"") {
            return None;
        }
        serde_json::from_str(line).ok()
    }

    /// The line as it is written, without the line end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            // Every field is a string, a number or a list of them.
            unreachable!("a startup event is always valid JSON: {error}")
        })
    }
}

fn rfc3339_micros<S: Serializer>(ts: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&ts.to_rfc3339_opts(SecondsFormat::Micros, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event: Event) -> StartupEvent {
        StartupEvent {
            ts: DateTime::from_timestamp_micros(1_795_000_000_123_456).expect("in range"),
            level: Level::Info,
            replica: ReplicaName::new("demo-api-r1-1"),
            release: Some(ReleaseId::new("r20261120-120000-abcdef")),
            event,
        }
    }

    #[test]
    fn an_event_is_one_flat_json_object() {
        let line = event(Event::MigrationApplied {
            version: 1,
            file: "001_accounts.sql".into(),
            statements: 3,
            duration_ms: 41,
        })
        .to_line();
        insta::assert_snapshot!(line, @r#"{"ts":"2026-11-18T11:06:40.123456Z","level":"info","replica":"demo-api-r1-1","release":"r20261120-120000-abcdef","event":"migration.applied","version":1,"file":"001_accounts.sql","statements":3,"duration_ms":41}"#);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let before = event(Event::MigrationObserved {
            by: None,
            lock_taken: true,
        });
        assert_eq!(StartupEvent::parse(&before.to_line()), Some(before));
    }

    #[test]
    fn other_lines_are_not_events() {
        for line in [
            "",
            "plain text with \"event\" in it",
            r#"{"ts":"2026-11-18T11:06:40Z","level":"INFO","message":"hello"}"#,
            r#"{"ts":"2026-11-18T11:06:40Z","level":"info","replica":"a","event":"not.ours"}"#,
            r#"{"event":"startup.ready""#,
        ] {
            assert_eq!(StartupEvent::parse(line), None, "{line}");
        }
    }
}
