//! Writing the ledger. Only the holder of the migration lock calls this.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, params};

use super::{COLUMNS, LEDGER_TABLE, Shape, State};
use sysndd_protocol::ReleaseId;

use crate::error::MigrateError;
use crate::files::{MigrationFile, hex};
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

/// A write that was put together and not sent yet: several go in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry(String);

/// Writes the entries in one round trip, all of them or none.
pub(crate) async fn send(conn: &mut Conn, entries: &[Entry]) -> Result<(), MigrateError> {
    let texts: Vec<&str> = entries.iter().map(|entry| entry.0.as_str()).collect();
    let query = match texts[..] {
        [] => return Ok(()),
        [one] => one.to_owned(),
        _ => format!("START TRANSACTION; {}; COMMIT", texts.join("; ")),
    };
    conn.query_drop(query)
        .await
        .map_err(|source| MigrateError::Ledger {
            doing: "write",
            source,
        })
}

/// A pass begins, or goes on with, a file whose first `done` statements are certain; `doubt` is
/// what begins at once.
pub(crate) fn begin(
    shape: &Shape,
    file: &MigrationFile,
    done: usize,
    doubt: &Doubt,
    settings: &Settings,
    run_id: &str,
) -> Entry {
    let mut columns = vec![
        ("version", file.version().to_string()),
        ("checksum", text(file.checksum())),
        ("compat", text(file.compat().as_str())),
        ("state", text(State::Running.as_str())),
        ("statements_total", file.statements().len().to_string()),
        ("error", "NULL".to_owned()),
        ("applied_at", "NOW(6)".to_owned()),
        ("applied_by", text(settings.replica.as_str())),
        ("run_id", text(run_id)),
        (
            "`release`",
            or_null(settings.release.as_ref().map(ReleaseId::as_str)),
        ),
    ];
    columns.extend(progress(file, done, doubt));
    if shape.has_success() {
        columns.push(("success", "0".to_owned()));
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<&str> = columns.iter().map(|(_, value)| value.as_str()).collect();
    Entry(format!(
        "INSERT INTO {LEDGER_TABLE} (filename, {}) VALUES ({}, {}) ON DUPLICATE KEY UPDATE {}",
        names.join(", "),
        text(file.name()),
        values.join(", "),
        assignments(&columns)
    ))
}

/// The first `done` statements are certain; `doubt` is what begins now.
pub(crate) fn checkpoint(file: &MigrationFile, done: usize, doubt: &Doubt) -> Entry {
    update(file, &progress(file, done, doubt))
}

/// The file is done and its post-condition holds.
pub(crate) fn applied(shape: &Shape, file: &MigrationFile, duration_ms: u64) -> Entry {
    let mut columns = vec![
        ("state", text(State::Applied.as_str())),
        ("statements_done", file.statements().len().to_string()),
        ("applied_at", "NOW(6)".to_owned()),
        (
            "duration_ms",
            format!("COALESCE(duration_ms, 0) + {duration_ms}"),
        ),
    ];
    columns.extend(
        ["done_hash", "in_doubt", "before_hash", "error"].map(|name| (name, "NULL".to_owned())),
    );
    if shape.has_success() {
        columns.push(("success", "1".to_owned()));
    }
    update(file, &columns)
}

type Assigned = (&'static str, String);

fn progress(file: &MigrationFile, done: usize, doubt: &Doubt) -> [Assigned; 4] {
    [
        ("statements_done", done.to_string()),
        ("done_hash", text(&file.prefix_checksum(done))),
        (
            "in_doubt",
            doubt
                .statement
                .map_or_else(|| "NULL".to_owned(), |statement| statement.to_string()),
        ),
        ("before_hash", or_null(doubt.before_hash.as_deref())),
    ]
}

fn update(file: &MigrationFile, columns: &[Assigned]) -> Entry {
    Entry(format!(
        "UPDATE {LEDGER_TABLE} SET {} WHERE filename = {}",
        assignments(columns),
        text(file.name())
    ))
}

fn assignments(columns: &[Assigned]) -> String {
    let assigned: Vec<String> = columns
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    assigned.join(", ")
}

/// A literal that means the same in every `sql_mode`: whether a backslash escapes depends on it.
fn text(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _-.,:/+".contains(&byte);
    if value.bytes().all(plain) {
        format!("'{value}'")
    } else {
        format!("_utf8mb4 0x{}", hex(value.as_bytes()))
    }
}

fn or_null(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_owned(), text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_need_no_escape() {
        assert_eq!(text("001_a.sql"), "'001_a.sql'");
        assert_eq!(text(r"it's\"), "_utf8mb4 0x697427735c");
        assert_eq!(text(""), "''");
        assert_eq!(or_null(None), "NULL");
    }
}
