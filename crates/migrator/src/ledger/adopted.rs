//! Recording files that are in the schema already. Only the holder of the migration lock calls
//! this, on a ledger that has no row.

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, TxOpts, params};
use sysndd_protocol::ReleaseId;

use super::{LEDGER_TABLE, Shape, State};
use crate::error::MigrateError;
use crate::files::MigrationFile;
use crate::settings::Settings;

/// Writes all rows or none. No pass applied them, so they have no `run_id` and no duration.
pub(crate) async fn adopted(
    conn: &mut Conn,
    shape: &Shape,
    files: &[&MigrationFile],
    settings: &Settings,
) -> Result<(), MigrateError> {
    let (column, value) = if shape.has_success() {
        (", success", ", 1")
    } else {
        ("", "")
    };
    let query = format!(
        "INSERT INTO {LEDGER_TABLE} (filename, version, checksum, compat, state, statements_done, statements_total, \
         applied_at, applied_by, `release`{column}) \
         VALUES (:filename, :version, :checksum, :compat, :state, :total, :total, NOW(6), :by, :release{value})"
    );
    let rows = files.iter().map(|file| {
        params! {
            "filename" => file.name(),
            "version" => file.version(),
            "checksum" => file.checksum(),
            "compat" => file.compat().as_str(),
            "state" => State::Adopted.as_str(),
            "total" => file.statements().len(),
            "by" => settings.replica.as_str(),
            "release" => settings.release.as_ref().map(ReleaseId::as_str),
        }
    });
    let write = async {
        let mut transaction = conn.start_transaction(TxOpts::default()).await?;
        transaction.exec_batch(query, rows).await?;
        transaction.commit().await
    };
    write.await.map_err(|source| MigrateError::Ledger {
        doing: "write",
        source,
    })
}
