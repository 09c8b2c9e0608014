//! Where a database stands, read when asked. Cheap: one round trip, one or two more only while
//! someone holds the lock. It changes nothing.

use mysql_async::Conn;
use serde::{Deserialize, Serialize};

use crate::error::MigrateError;
use crate::files::{MigrationFile, MigrationSet};
use crate::holder::Holder;
use crate::ledger::{LedgerRow, read_with_lock};
use crate::lock::Keys;
use crate::position::position;
use crate::settings::Gaps;

/// Files against ledger, and the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Newest applied file in the database.
    pub head: Option<String>,
    /// Files of the set that are applied.
    pub applied: usize,
    /// Files of the set that are not, in order.
    pub pending: Vec<String>,
    /// Rows of the ledger above the newest file of the set.
    pub ahead: Vec<String>,
    /// Contradictions between files and ledger, for which a start would be refused.
    pub problems: Vec<String>,
    /// The migration lock.
    pub lock: LockState,
    /// The ledger, by number.
    pub rows: Vec<LedgerRow>,
}

/// The migration lock as the database reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LockState {
    /// Whether someone holds it.
    pub held: bool,
    /// Who, as far as the database tells.
    pub holder: Option<String>,
    /// Where the holder's connection comes from: an address or a name, without the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The container at that address, where the reader knows containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

impl LockState {
    pub(crate) fn held_by(holder: &Holder) -> Self {
        Self {
            held: true,
            holder: Some(holder.to_string()),
            host: holder.host.as_deref().map(without_port),
            container: None,
        }
    }
}

/// Reads where the connection's database stands; left out numbers are fine. The caller bounds it
/// in time.
pub async fn status(conn: &mut Conn, set: &MigrationSet) -> Result<Status, MigrateError> {
    status_with(conn, set, Gaps::Allow).await
}

/// As [`status`], with an opinion about left out numbers.
pub async fn status_with(
    conn: &mut Conn,
    set: &MigrationSet,
    gaps: Gaps,
) -> Result<Status, MigrateError> {
    let keys = Keys::of(conn.opts().db_name().ok_or(MigrateError::NoDatabase)?);
    let (holder, ledger) = read_with_lock(conn, &keys).await?;
    let lock = match holder {
        Some(id) => LockState::held_by(&Holder::of(conn, id).await),
        None => LockState::default(),
    };
    let found = position(set, &ledger.rows, gaps);
    Ok(Status {
        head: found.head.map(str::to_owned),
        applied: found.applied,
        pending: found
            .pending
            .iter()
            .map(|file| MigrationFile::name(file).to_owned())
            .collect(),
        ahead: found.ahead.iter().map(|row| row.filename.clone()).collect(),
        problems: found.refusals.iter().map(ToString::to_string).collect(),
        lock,
        rows: ledger.rows,
    })
}

fn without_port(host: &str) -> String {
    host.rsplit_once(':')
        .map_or(host, |(host, _)| host)
        .to_owned()
}
