//! Why migrating did not succeed: what was being done, to what, why it failed, what to do next.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::ledger::{LEDGER_TABLE, State};
use crate::remedy::remedy;

/// Why [`migrate`](crate::migrate) or one of its relatives did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The URL names no database.
    #[error("no database is named to migrate; end the database URL with /NAME")]
    NoDatabase,
    /// No connection could be made.
    #[error("cannot connect to the database at {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the driver said.
        source: mysql_async::Error,
    },
    /// The server did not answer in time.
    #[error("the database at {address} did not answer within {} while {doing}", seconds(*.limit))]
    Timeout {
        /// Host and port.
        address: String,
        /// What was asked.
        doing: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The server was lost while a statement ran.
    #[error("the connection to the database was lost while a statement ran: {reason}")]
    Lost {
        /// How that was seen.
        reason: String,
    },
    /// The connection could not be prepared for migrating.
    #[error("cannot prepare the connection for migrating: {source}")]
    Session {
        /// What the driver said.
        source: mysql_async::Error,
    },
    /// The ledger could not be read or written.
    #[error(
        "cannot {doing} the ledger (table {LEDGER_TABLE}): {source}. Nothing is known about what is pending; {}",
        ledger_hint(.source)
    )]
    Ledger {
        /// `read`, `create`, `adopt` or `write`.
        doing: &'static str,
        /// What the driver said.
        source: mysql_async::Error,
    },
    /// A table of the ledger's name is something else.
    #[error(
        "the table {LEDGER_TABLE} is not a ledger that this version understands: {reason}. Rename it, or use a newer version"
    )]
    NotALedger {
        /// What is odd about it.
        reason: String,
    },
    /// The lock functions failed.
    #[error("cannot {doing} the migration lock: {source}")]
    Lock {
        /// What was asked.
        doing: &'static str,
        /// What the driver said.
        source: mysql_async::Error,
    },
    /// Files and ledger contradict each other; nothing was changed.
    #[error("the migration files do not fit the database, nothing was changed:{}", list(.0))]
    Refused(
        /// Each reason, at least one.
        Vec<Refusal>,
    ),
    /// The wait budget ran out.
    #[error(
        "waited {} for pending migrations ({}): {}",
        seconds(*.waited), .pending.join(", "), waiting_for(.holder.as_deref(), *.check)
    )]
    WaitedTooLong {
        /// How long.
        waited: Duration,
        /// Who holds the lock, as far as the database tells.
        holder: Option<String>,
        /// What is pending.
        pending: Vec<String>,
        /// Whether the mode was `check`.
        check: bool,
    },
    /// A statement or a post-condition failed; what was before it is applied and recorded.
    #[error(transparent)]
    Statement(Box<StatementError>),
    /// Another replica's attempt failed while this one waited for it.
    #[error("{file} failed on {}: {error}", .by.as_deref().unwrap_or("another replica"))]
    FailedElsewhere {
        /// The file.
        file: String,
        /// Who tried.
        by: Option<String>,
        /// What it recorded.
        error: String,
    },
    /// It is not known whether a part of a file ran.
    #[error(
        "{file}: statement {statement} was begun and not seen to end, and it cannot be told whether it took effect ({reason}). \
         Look at the schema, then run `migrate resolve {file} --retry` to run it again or `migrate resolve {file} --done` to go on behind it"
    )]
    InDoubt {
        /// The file.
        file: String,
        /// Statement, counted from 1.
        statement: usize,
        /// Why it cannot be told.
        reason: String,
    },
    /// The database is not one that a baseline is for; nothing was changed.
    #[error("no baseline was made, nothing was changed: {reason}")]
    NoBaseline {
        /// Why, and what to do instead.
        reason: String,
    },
    /// There is nothing to resolve in this file.
    #[error("{file} is not in doubt: {reason}")]
    NothingToResolve {
        /// The file.
        file: String,
        /// What it is instead.
        reason: String,
    },
}

/// A statement that failed.
#[derive(Debug)]
pub struct StatementError {
    /// The file.
    pub file: String,
    /// Line of the statement, counted from 1.
    pub line: usize,
    /// Statement, counted from 1; 0 for the post-condition.
    pub statement: usize,
    /// Statements in the file.
    pub statements: usize,
    /// The statement, shortened.
    pub text: String,
    /// The server's error code.
    pub code: Option<u16>,
    /// What the server or the driver said.
    pub reason: String,
    /// What stands in the database now, and what the next start does.
    pub next: String,
    /// Whether the connection was lost rather than the statement refused.
    pub transient: bool,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            statement,
            statements,
            text,
            reason,
            next,
            ..
        } = self;
        if *statement == 0 {
            write!(
                f,
                "{file}:{line}: the post-condition `{text}` does not hold: {reason}. {next}"
            )
        } else {
            write!(
                f,
                "{file}:{line}: statement {statement} of {statements} (`{text}`) failed: {reason}. {next}"
            )
        }
    }
}

impl std::error::Error for StatementError {}

/// One contradiction between files and ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Two files have one number.
    #[error(
        "{first} and {second} both have number {version}; renumber the one that is not applied"
    )]
    Duplicate {
        /// The number.
        version: u64,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A number is left out.
    #[error("a number is left out between {before} and {after}")]
    Gap {
        /// The file before the gap.
        before: String,
        /// The file behind it.
        after: String,
    },
    /// An applied file was changed.
    #[error(
        "{file} was changed after it was applied (checksum {} then, {} now); restore it and put the change into a new file",
        &.applied[..12.min(.applied.len())], &.found[..12]
    )]
    Changed {
        /// The file.
        file: String,
        /// Checksum in the ledger.
        applied: String,
        /// Checksum of the file.
        found: String,
    },
    /// A file of the ledger is missing.
    #[error("{file} is {} in the database and missing among the files; restore it", .state.as_str())]
    Missing {
        /// The file.
        file: String,
        /// What the ledger says of it.
        state: State,
    },
    /// The database is ahead of the code by a migration that the code does not bear.
    #[error(
        "the database has {file}{}, which this release does not know and which breaks earlier ones; start that release or a newer one",
        .release.as_ref().map(|release| format!(" of release {release}")).unwrap_or_default()
    )]
    AheadBreaking {
        /// The file.
        file: String,
        /// The release that applied it.
        release: Option<String>,
    },
}

/// Server errors that end with the server or the connection, not with what was asked.
const TRANSIENT_CODES: [u16; 12] = [
    1040, // too many connections
    1053, // shutdown in progress
    1077, 1078, 1079, 1080, // shutting down
    1158, 1159, 1160, 1161, // network
    3169, // session was killed
    4031, // closed for inactivity
];

impl MigrateError {
    /// Whether trying again later may succeed without anyone doing anything: the database is
    /// still starting, was restarted, or the network failed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { source, .. }
            | Self::Session { source }
            | Self::Ledger { source, .. }
            | Self::Lock { source, .. } => is_transient(source),
            Self::Timeout { .. } | Self::Lost { .. } => true,
            Self::Statement(error) => error.transient,
            _ => false,
        }
    }

    /// The server's error code.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Connect { source, .. }
            | Self::Session { source }
            | Self::Ledger { source, .. }
            | Self::Lock { source, .. } => server_code(source),
            Self::Statement(error) => error.code,
            _ => None,
        }
    }

    /// The migration file that it is about.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Statement(error) => Some(&error.file),
            Self::FailedElsewhere { file, .. }
            | Self::InDoubt { file, .. }
            | Self::NothingToResolve { file, .. } => Some(file),
            _ => None,
        }
    }

    /// The statement that it is about, counted from 1.
    pub fn statement(&self) -> Option<usize> {
        match self {
            Self::Statement(error) => (error.statement > 0).then_some(error.statement),
            Self::InDoubt { statement, .. } => Some(*statement),
            _ => None,
        }
    }
}

pub(crate) fn is_transient(error: &mysql_async::Error) -> bool {
    use mysql_async::{DriverError, Error, IoError};
    match error {
        Error::Io(IoError::Io(_)) => true,
        Error::Driver(driver) => {
            matches!(
                driver,
                DriverError::ConnectionClosed
                    | DriverError::PoolDisconnected
                    | DriverError::PacketOutOfOrder
            )
        }
        Error::Server(server) => TRANSIENT_CODES.contains(&server.code),
        // A certificate does not get right by waiting.
        Error::Io(IoError::Tls(_)) | Error::Other(_) | Error::Url(_) => false,
    }
}

pub(crate) fn server_code(error: &mysql_async::Error) -> Option<u16> {
    match error {
        mysql_async::Error::Server(server) => Some(server.code),
        _ => None,
    }
}

/// A statement on one line, of a length that fits a log line.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS: usize = 160;
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= CHARS {
        return flat;
    }
    flat.chars().take(CHARS - 1).chain(['…']).collect()
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn list(refusals: &[Refusal]) -> String {
    refusals.iter().fold(String::new(), |mut text, refusal| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {refusal}");
        text
    })
}

fn waiting_for(holder: Option<&str>, check: bool) -> String {
    match (holder, check) {
        (Some(holder), _) => format!(
            "the migration lock is held by {holder}. A statement that runs is finished by the server even when its replica is gone, and the lock is free then. \
             If it is stuck, end it (`KILL` and the connection's number); if it takes that long, raise the wait budget"
        ),
        (None, true) => "nobody applied them, and this replica only checks (mode `check`). Start one that migrates".to_owned(),
        (None, false) => "the migration lock could not be taken, though nobody was seen to hold it. Try again".to_owned(),
    }
}

fn ledger_hint(source: &mysql_async::Error) -> &'static str {
    let code = server_code(source);
    match code {
        Some(1142..=1144 | 1044 | 1227) => {
            "give the database user SELECT, INSERT, UPDATE, CREATE and ALTER on this database"
        }
        _ if is_transient(source) => "try again when the database answers",
        _ => remedy(code).unwrap_or("mend that first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_error_says_where_what_why_and_what_next() {
        let error = MigrateError::Statement(Box::new(StatementError {
            file: "003_c.sql".into(),
            line: 14,
            statement: 2,
            statements: 5,
            text: "ALTER TABLE t ADD c INT".into(),
            code: Some(1060),
            reason: "ERROR 1060 (42S21): Duplicate column name 'c'".into(),
            next: "Statement 1 is applied and recorded. Mend the file and start again".into(),
            transient: false,
        }));
        assert_eq!(
            error.to_string(),
            "003_c.sql:14: statement 2 of 5 (`ALTER TABLE t ADD c INT`) failed: ERROR 1060 (42S21): Duplicate column name 'c'. \
             Statement 1 is applied and recorded. Mend the file and start again"
        );
        assert_eq!(
            (error.code(), error.file(), error.statement()),
            (Some(1060), Some("003_c.sql"), Some(2))
        );
    }

    #[test]
    fn long_statements_are_shortened_to_one_line() {
        assert_eq!(shortened("SELECT\n  1,\t2"), "SELECT 1, 2");
        assert_eq!(shortened(&"é".repeat(400)).chars().count(), 160);
    }

    #[test]
    fn a_database_that_is_not_there_yet_is_transient_and_a_wrong_password_is_not() {
        let server = |code| {
            mysql_async::Error::Server(mysql_async::ServerError {
                code,
                message: String::new(),
                state: String::new(),
            })
        };
        let refused = mysql_async::Error::Io(
            std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(),
        );
        assert!(is_transient(&refused));
        assert!(is_transient(&server(1053)));
        assert!(!is_transient(&server(1045)));
        assert!(!is_transient(&server(1142)));
    }
}
