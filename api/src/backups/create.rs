//! Making a backup, from the lock to the name.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, params};
use sysndd_migrator::{LedgerRow, State, read_ledger};

use super::dump::{What, dump};
use super::error::Error;
use super::lock::Lock;
use super::metadata::Origin;
use super::{Backup, Backups, Kind};

/// How long the backup or restore before it may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// Between two looks at a restore that was cut off, and that others clear up.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Backups {
    /// Makes a backup. Dropping this takes back what was done of it.
    pub(crate) async fn create(&self, kind: Kind) -> Result<Backup, Error> {
        let mut lock = self.take_unfenced().await?;
        let made = Box::pin(self.create_under(&mut lock, kind)).await;
        lock.release().await;
        made
    }

    /// The lock, with no restore half-way: who raised the fence and has no lock is dead, and what is live
    /// may be of two databases. It is finished or taken back first, here or by who can.
    async fn take_unfenced(&self) -> Result<Lock, Error> {
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let lock = Lock::take(self.opts.clone(), left).await?;
            if !self.fence.is_up().await {
                return Ok(lock);
            }
            lock.release().await;
            if self.can_restore() {
                self.clear_up().await?;
            } else if left.is_zero() {
                return Err(Error::Busy(PATIENCE));
            } else {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// As [`Backups::create`], for who has the lock already, and for a restore that saves what is there.
    pub(super) async fn create_under(&self, lock: &mut Lock, kind: Kind) -> Result<Backup, Error> {
        let (name, partial) = self
            .blocking(move |catalogue| {
                catalogue.clean()?;
                let name = catalogue.free_name(kind);
                let partial = catalogue.partial(&name)?;
                Ok((name, partial))
            })
            .await?;
        let before = ledger(lock.conn()).await?;
        let server: Option<String> = lock.conn().query_first("SELECT VERSION()").await?;
        let origin = Origin {
            migration_head: head(&before),
            release: self.release.clone(),
            server,
        };
        let schema = self.opts.db_name().unwrap_or_default();
        let views = views(lock.conn(), schema).await?;
        let what = What { origin, views };
        let work = dump(&self.client, &self.opts, what, &partial);
        let metadata = lock.during(work).await?;
        // Changes of the schema are no part of the consistent picture.
        if ledger(lock.conn()).await? != before {
            return Err(Error::SchemaChanged);
        }
        tracing::info!(
            %name,
            tables = metadata.table_count,
            bytes = metadata.size_bytes,
            checksum = metadata.checksum,
            "a backup was made"
        );
        let published = name.clone();
        self.blocking(move |catalogue| {
            catalogue.publish(partial, &published, &metadata)?;
            catalogue.find(&published)
        })
        .await
    }
}

/// The views of a schema.
pub(super) async fn views(conn: &mut Conn, schema: &str) -> Result<Vec<String>, Error> {
    Ok(conn
        .exec(
            "SELECT TABLE_NAME FROM information_schema.views \
             WHERE table_schema = :schema ORDER BY TABLE_NAME",
            params! { schema },
        )
        .await?)
}

/// The rows of the ledger; none where there is no ledger.
async fn ledger(conn: &mut Conn) -> Result<Vec<LedgerRow>, Error> {
    read_ledger(conn)
        .await
        .map_err(|error| Error::Ledger(error.to_string()))
}

/// The newest migration that is in the database.
fn head(rows: &[LedgerRow]) -> Option<String> {
    rows.iter()
        .filter(|row| matches!(row.state, State::Applied | State::Adopted))
        .max_by_key(|row| row.version)
        .map(|row| row.filename.clone())
}
