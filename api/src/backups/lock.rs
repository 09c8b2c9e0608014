//! One backup or restore of a database at a time, wherever it is begun: on any replica, or by hand.
//!
//! The lock is the server's own (`GET_LOCK`): it ends with its connection, so a process that dies
//! holds up nobody.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, params};
use sha2::{Digest as _, Sha256};

use super::error::Error;
use crate::hex::hex;

/// Between two tries to get it.
const TRY_EVERY: Duration = Duration::from_millis(250);
/// Between two signs of life; without one the server ends the connection after `PATIENCE`.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How long the server waits for a sign of life, in seconds.
const PATIENCE: u32 = 30;
/// How long a statement waits for a table that somebody's open transaction holds, in seconds: meanwhile
/// nobody else can read it. The server's own measure is a year.
pub(super) const LOCK_WAIT: u32 = 10;

/// The lock, held.
pub(super) struct Lock {
    conn: Conn,
    name: String,
}

impl Lock {
    /// Takes it, waiting no longer than this.
    pub(super) async fn take(opts: Opts, wait: Duration) -> Result<Self, Error> {
        let began = Instant::now();
        let name = name(opts.db_name().unwrap_or_default());
        let opts = OptsBuilder::from_opts(opts).setup(vec![format!(
            "SET SESSION wait_timeout = {PATIENCE}, lock_wait_timeout = {LOCK_WAIT}"
        )]);
        let mut conn = Conn::new(opts).await?;
        loop {
            let got: Option<Option<i8>> = conn
                .exec_first("SELECT GET_LOCK(:name, 0)", params! { "name" => &name })
                .await?;
            if got == Some(Some(1)) {
                return Ok(Self { conn, name });
            }
            if began.elapsed() >= wait {
                return Err(Error::Busy(wait));
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    /// Does something that takes long, as long as the lock is held; when it is lost, that is given up.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    let done = done?;
                    self.check().await?;
                    return Ok(done);
                }
                () = tokio::time::sleep(PING_EVERY) => self.check().await?,
            }
        }
    }

    /// Whether it is still ours.
    async fn check(&mut self) -> Result<(), Error> {
        let ours = self
            .conn
            .exec_first(
                "SELECT IS_USED_LOCK(:name) = CONNECTION_ID()",
                params! { "name" => &self.name },
            )
            .await;
        match ours {
            Ok(Some(Some(true))) => Ok(()),
            Ok(_) => Err(Error::LockLost("it is another's".into())),
            Err(error) => Err(Error::LockLost(error.to_string())),
        }
    }

    /// Its connection. What is done on it is done by the holder of the lock, or not at all.
    pub(super) fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// Gives it back.
    pub(super) async fn release(self) {
        // The server frees it in any case.
        let _ = self.conn.disconnect().await;
    }
}

/// Names of locks are global to the server, and short.
fn name(database: &str) -> String {
    format!("sysndd-backup:{}", &hex(&Sha256::digest(database))[..32])
}
