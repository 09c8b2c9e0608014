//! Reading the ledger, in one round trip, whatever shape it has. It changes nothing.

use chrono::{DateTime, Utc};
use mysql_async::prelude::{FromValue, Queryable as _};
use mysql_async::{Conn, Row};

use super::{COLUMNS, LEDGER_TABLE, LedgerRow, Shape, State};
use crate::error::MigrateError;
use crate::files::version_and_rest;
use crate::header::Compat;
use crate::lock::Keys;

const NO_SUCH_TABLE: u16 = 1146;
const UNKNOWN_COLUMN: u16 = 1054;

/// The ledger as it was at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) shape: Shape,
    /// By number, then by name.
    pub(crate) rows: Vec<LedgerRow>,
}

impl Ledger {
    pub(crate) fn get(&self, filename: &str) -> Option<&LedgerRow> {
        self.rows.iter().find(|row| row.filename == filename)
    }
}

/// Reads all rows of the ledger in the connection's database, by number. A database without a
/// ledger has none; any other trouble is an error.
pub async fn read_ledger(conn: &mut Conn) -> Result<Vec<LedgerRow>, MigrateError> {
    read(conn).await.map(|ledger| ledger.rows)
}

pub(crate) async fn read(conn: &mut Conn) -> Result<Ledger, MigrateError> {
    let query = format!(
        "SELECT s.*, UNIX_TIMESTAMP(s.applied_at) AS applied_at_unix FROM {LEDGER_TABLE} s"
    );
    let (columns, rows) = match fetch(conn, query).await {
        Err(source) if code(&source) == Some(NO_SUCH_TABLE) => {
            return Ok(Ledger {
                shape: Shape::Absent,
                rows: Vec::new(),
            });
        }
        other => other.map_err(unreadable)?,
    };
    ledger(&columns, &rows)
}

/// Lock and ledger in one round trip, for reports. For decisions the lock is read *before* the
/// ledger, in two.
pub(crate) async fn read_with_lock(
    conn: &mut Conn,
    keys: &Keys,
) -> Result<(Option<u32>, Ledger), MigrateError> {
    let query = format!(
        "SELECT l.lock_connection, s.*, UNIX_TIMESTAMP(s.applied_at) AS applied_at_unix \
         FROM (SELECT {} AS lock_connection) l LEFT JOIN {LEDGER_TABLE} s ON TRUE",
        keys.used_by_expression()
    );
    let (columns, mut rows) = match fetch(conn, query).await {
        Err(source) if code(&source) == Some(NO_SUCH_TABLE) => {
            let holder = keys.used_by(conn).await?;
            return Ok((
                holder,
                Ledger {
                    shape: Shape::Absent,
                    rows: Vec::new(),
                },
            ));
        }
        other => other.map_err(unreadable)?,
    };
    let holder = rows.first().and_then(|row| value(row, "lock_connection"));
    // An empty ledger leaves the lock's row alone.
    rows.retain(|row| value::<String>(row, "filename").is_some());
    ledger(&columns, &rows).map(|ledger| (holder, ledger))
}

async fn fetch(conn: &mut Conn, query: String) -> mysql_async::Result<(Vec<String>, Vec<Row>)> {
    let mut result = conn.query_iter(query).await?;
    let columns = result
        .columns_ref()
        .iter()
        .map(|column| column.name_str().to_ascii_lowercase())
        .collect();
    let rows = result.collect().await?;
    result.drop_result().await?;
    Ok((columns, rows))
}

fn ledger(columns: &[String], rows: &[Row]) -> Result<Ledger, MigrateError> {
    let has = |name: &str| columns.iter().any(|column| column == name);
    if !has("filename") {
        return Err(MigrateError::NotALedger {
            reason: "it has no column `filename`".to_owned(),
        });
    }
    let shape = Shape::Present {
        missing: (0..COLUMNS.len())
            .filter(|index| !has(COLUMNS[*index].name))
            .collect(),
        success: has("success"),
    };
    let mut rows = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    rows.sort_by(|a, b| (a.version, &a.filename).cmp(&(b.version, &b.filename)));
    Ok(Ledger { shape, rows })
}

fn row(row: &Row) -> Result<LedgerRow, MigrateError> {
    let filename: String = value(row, "filename").ok_or_else(|| MigrateError::NotALedger {
        reason: "a row's `filename` is no text".to_owned(),
    })?;
    let state = match value::<String>(row, "state") {
        Some(text) => State::parse(&text).ok_or_else(|| MigrateError::NotALedger {
            reason: format!(
                "the row of {filename} has the state `{text}`, which this version does not know"
            ),
        })?,
        // Written by the original SysNDD, before or after the ledger was adopted.
        None if value::<i64>(row, "success") == Some(0) => State::Failed,
        None => State::Adopted,
    };
    Ok(LedgerRow {
        version: value(row, "version")
            .or_else(|| version_and_rest(&filename).map(|(version, _)| version)),
        checksum: value(row, "checksum"),
        compat: value::<String>(row, "compat")
            .as_deref()
            .and_then(Compat::parse),
        state,
        applied_by: value(row, "applied_by"),
        run_id: value(row, "run_id"),
        release: value(row, "release"),
        applied_at: value::<String>(row, "applied_at_unix")
            .as_deref()
            .and_then(time),
        duration_ms: value(row, "duration_ms"),
        statements_done: value(row, "statements_done").unwrap_or(0),
        statements_total: value(row, "statements_total").unwrap_or(0),
        in_doubt: value(row, "in_doubt"),
        before_hash: value(row, "before_hash"),
        done_hash: value(row, "done_hash"),
        error: value(row, "error"),
        filename,
    })
}

/// The value of a column; `None` when it is NULL or the table lacks it.
fn value<T: FromValue>(row: &Row, column: &str) -> Option<T> {
    row.get_opt::<Option<T>, _>(column)?.ok()?
}

/// Seconds since 1970, with a fraction: the same whatever the session's time zone is.
fn time(unix: &str) -> Option<DateTime<Utc>> {
    let (seconds, fraction) = unix.split_once('.').unwrap_or((unix, ""));
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    DateTime::from_timestamp_micros(seconds.parse::<i64>().ok()?.checked_mul(1_000_000)? + micros)
}

fn code(error: &mysql_async::Error) -> Option<u16> {
    match error {
        mysql_async::Error::Server(server) => Some(server.code),
        _ => None,
    }
}

fn unreadable(source: mysql_async::Error) -> MigrateError {
    if code(&source) == Some(UNKNOWN_COLUMN) {
        MigrateError::NotALedger {
            reason: source.to_string(),
        }
    } else {
        MigrateError::Ledger {
            doing: "read",
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_fraction() {
        let read = |text: &str| time(text).map(|time| time.timestamp_micros());
        assert_eq!(read("1795000000.12"), Some(1_795_000_000_120_000));
        assert_eq!(read("1795000000"), Some(1_795_000_000_000_000));
        assert_eq!(read("never"), None);
    }
}
