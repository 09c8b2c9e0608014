//! Writing the ledger. Only the holder of the migration lock calls this.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, params};

use super::{COLUMNS, LEDGER_TABLE, Shape, State};
use sysndd_protocol::ReleaseId;

use crate::error::MigrateError;
use crate::files::MigrationFile;
use crate::settings::Settings;

/// Errors are kept for people to read, not as an archive.
const ERROR_CHARS: usize = 2000;

/// What is begun and not yet known to have ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Doubt {
    /// Statement, counted from 1.
    pub(crate) statement: Option<usize>,
    /// Hash of its target's definition before it.
    pub(crate) before_hash: Option<String>,
}

/// Makes the ledger of a database that has none.
pub(crate) async fn create(conn: &mut Conn) -> Result<(), MigrateError> {
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|column| format!("`{}` {}", column.name, column.definition))
        .collect();
    let query = format!(
        "CREATE TABLE {LEDGER_TABLE} (filename VARCHAR(255) NOT NULL PRIMARY KEY, \
         applied_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), {}) \
         ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        columns.join(", ")
    );
    conn.query_drop(query)
        .await
        .map_err(|source| MigrateError::Ledger {
            doing: "create",
            source,
        })
}

/// Gives an older ledger the columns that it lacks, in one statement; no row is touched.
pub(crate) async fn adopt(conn: &mut Conn, missing: &[usize]) -> Result<(), MigrateError> {
    let columns: Vec<String> = missing
        .iter()
        .map(|index| {
            format!(
                "ADD COLUMN `{}` {}",
                COLUMNS[*index].name, COLUMNS[*index].definition
            )
        })
        .collect();
    let query = format!("ALTER TABLE {LEDGER_TABLE} {}", columns.join(", "));
    conn.query_drop(query)
        .await
        .map_err(|source| MigrateError::Ledger {
            doing: "adopt",
            source,
        })
}

/// A pass begins, or goes on with, a file whose first `done` statements are certain.
pub(crate) async fn begin(
    conn: &mut Conn,
    shape: &Shape,
    file: &MigrationFile,
    done: usize,
    settings: &Settings,
    run_id: &str,
) -> Result<(), MigrateError> {
    let (success_column, success_value, success_update) = if shape.has_success() {
        (", success", ", 0", ", success = 0")
    } else {
        ("", "", "")
    };
    let query = format!(
        "INSERT INTO {LEDGER_TABLE} (filename, version, checksum, compat, state, statements_done, statements_total, \
         done_hash, applied_at, applied_by, run_id, `release`{success_column}) \
         VALUES (:filename, :version, :checksum, :compat, :state, :done, :total, :done_hash, NOW(6), :by, :run, :release{success_value}) \
         ON DUPLICATE KEY UPDATE version = :version, checksum = :checksum, compat = :compat, state = :state, \
         statements_done = :done, statements_total = :total, done_hash = :done_hash, in_doubt = NULL, before_hash = NULL, \
         error = NULL, applied_at = NOW(6), applied_by = :by, run_id = :run, `release` = :release{success_update}"
    );
    let values = params! {
        "filename" => file.name(),
        "version" => file.version(),
        "checksum" => file.checksum(),
        "compat" => file.compat().as_str(),
        "state" => State::Running.as_str(),
        "done" => done,
        "total" => file.statements().len(),
        "done_hash" => file.prefix_checksum(done),
        "by" => settings.replica.as_str(),
        "run" => run_id,
        "release" => settings.release.as_ref().map(ReleaseId::as_str),
    };
    write(conn, query, values).await
}

/// The first `done` statements are certain; `doubt` is what begins now.
pub(crate) async fn checkpoint(
    conn: &mut Conn,
    file: &MigrationFile,
    done: usize,
    doubt: &Doubt,
) -> Result<(), MigrateError> {
    let query = format!(
        "UPDATE {LEDGER_TABLE} SET statements_done = :done, done_hash = :done_hash, in_doubt = :in_doubt, \
         before_hash = :before_hash WHERE filename = :filename"
    );
    let values = params! {
        "filename" => file.name(),
        "done" => done,
        "done_hash" => file.prefix_checksum(done),
        "in_doubt" => doubt.statement,
        "before_hash" => doubt.before_hash.as_deref(),
    };
    write(conn, query, values).await
}

/// The file is done and its post-condition holds.
pub(crate) async fn applied(
    conn: &mut Conn,
    shape: &Shape,
    file: &MigrationFile,
    duration_ms: u64,
) -> Result<(), MigrateError> {
    let success = if shape.has_success() {
        ", success = 1"
    } else {
        ""
    };
    let query = format!(
        "UPDATE {LEDGER_TABLE} SET state = :state, statements_done = :done, done_hash = NULL, in_doubt = NULL, before_hash = NULL, \
         error = NULL, applied_at = NOW(6), duration_ms = COALESCE(duration_ms, 0) + :duration{success} WHERE filename = :filename"
    );
    let values = params! {
        "filename" => file.name(),
        "state" => State::Applied.as_str(),
        "done" => file.statements().len(),
        "duration" => duration_ms,
    };
    write(conn, query, values).await
}

/// The file failed; `done` statements are certain and `doubt` is not.
pub(crate) async fn failed(
    conn: &mut Conn,
    file: &MigrationFile,
    done: usize,
    in_doubt: Option<usize>,
    error: &str,
    duration_ms: u64,
) -> Result<(), MigrateError> {
    let state = if in_doubt.is_some() {
        State::InDoubt
    } else {
        State::Failed
    };
    let query = format!(
        "UPDATE {LEDGER_TABLE} SET state = :state, statements_done = :done, done_hash = :done_hash, in_doubt = :in_doubt, \
         before_hash = NULL, error = :error, duration_ms = COALESCE(duration_ms, 0) + :duration WHERE filename = :filename"
    );
    let values = params! {
        "filename" => file.name(),
        "state" => state.as_str(),
        "done" => done,
        "done_hash" => file.prefix_checksum(done),
        "in_doubt" => in_doubt,
        "error" => error.chars().take(ERROR_CHARS).collect::<String>(),
        "duration" => duration_ms,
    };
    write(conn, query, values).await
}

/// A person decided: `done` statements are done, nothing is in doubt.
pub(crate) async fn resolved(
    conn: &mut Conn,
    file: &MigrationFile,
    done: usize,
) -> Result<(), MigrateError> {
    let query = format!(
        "UPDATE {LEDGER_TABLE} SET state = :state, version = :version, checksum = :checksum, statements_done = :done, \
         statements_total = :total, done_hash = :done_hash, in_doubt = NULL, before_hash = NULL WHERE filename = :filename"
    );
    let values = params! {
        "filename" => file.name(),
        "state" => State::Failed.as_str(),
        "version" => file.version(),
        "checksum" => file.checksum(),
        "total" => file.statements().len(),
        "done" => done,
        "done_hash" => file.prefix_checksum(done),
    };
    write(conn, query, values).await
}

async fn write(conn: &mut Conn, query: String, values: Params) -> Result<(), MigrateError> {
    conn.exec_drop(query, values)
        .await
        .map_err(|source| MigrateError::Ledger {
            doing: "write",
            source,
        })
}
