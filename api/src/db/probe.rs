//! The look at the database behind every health report.
//!
//! It has a connection of its own: a pool that requests have exhausted is busy, not down. Askers
//! that come while a look is under way share the next one, so that a crowd costs two looks and a
//! database that hangs is asked by one at a time. Nothing is remembered beyond that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row};
use sysndd_migrator::MigrationSet;
use sysndd_protocol::Lock;
use tokio::sync::Mutex;

use crate::config::DatabaseUrl;

/// For the whole look, the wait for another one included. A report is due within two seconds.
const DEADLINE: Duration = Duration::from_millis(1_500);

/// What the database said.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Round trip of one ping.
    pub(crate) latency: Duration,
    /// Whether the connection is encrypted.
    pub(crate) tls: bool,
    /// The ledger against the files of this release, or why it could not be read.
    pub(crate) schema: Result<Schema, String>,
}

/// The ledger against the files of this release.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    pub(crate) head: Option<String>,
    pub(crate) applied: usize,
    pub(crate) pending: usize,
    pub(crate) ahead: usize,
    pub(crate) lock: Lock,
}

/// The prober.
pub(crate) struct Probe {
    url: DatabaseUrl,
    set: Arc<MigrationSet>,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    open: Option<Open>,
    last: Option<(Instant, Seen)>,
}

struct Open {
    conn: Conn,
    tls: bool,
}

impl Probe {
    pub(crate) fn new(url: DatabaseUrl, set: Arc<MigrationSet>) -> Self {
        Self {
            url,
            set,
            session: Mutex::default(),
        }
    }

    /// Looks now. The error says in a sentence why the database did not answer.
    pub(crate) async fn look(&self) -> Result<Seen, String> {
        let asked = Instant::now();
        let look = async {
            let mut session = self.session.lock().await;
            match &session.last {
                Some((begun, seen)) if *begun >= asked => Ok(seen.clone()),
                _ => self.look_again(&mut session).await,
            }
        };
        tokio::time::timeout(DEADLINE, look)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} ms", DEADLINE.as_millis())))
    }

    async fn look_again(&self, session: &mut Session) -> Result<Seen, String> {
        let begun = Instant::now();
        // Taken out while in use: when the deadline drops this future in the middle of a query,
        // the connection goes with it.
        let kept = match session.open.take() {
            Some(open) => self
                .ask(open)
                .await
                .ok()
                .filter(|(_, seen)| seen.schema.is_ok()),
            None => None,
        };
        // A kept connection that fails may only be a stale one.
        let (open, seen) = if let Some(answer) = kept {
            answer
        } else {
            let fresh = async { self.ask(Open::new(&self.url).await?).await };
            fresh.await.map_err(|error| error.to_string())?
        };
        session.open = Some(open);
        session.last = Some((begun, seen.clone()));
        Ok(seen)
    }

    async fn ask(&self, mut open: Open) -> mysql_async::Result<(Open, Seen)> {
        let began = Instant::now();
        open.conn.ping().await?;
        let latency = began.elapsed();
        let schema = match sysndd_migrator::status(&mut open.conn, &self.set).await {
            Ok(status) => Ok(Schema {
                head: status.head,
                applied: status.applied,
                pending: status.pending.len(),
                ahead: status.ahead.len(),
                lock: Lock {
                    held: status.lock.held,
                    holder: status.lock.holder,
                },
            }),
            Err(error) => Err(error.to_string()),
        };
        let seen = Seen {
            latency,
            tls: open.tls,
            schema,
        };
        Ok((open, seen))
    }
}

impl Open {
    async fn new(url: &DatabaseUrl) -> mysql_async::Result<Self> {
        let mut conn = Conn::new(url.opts()).await?;
        let cipher: Option<Row> = conn
            .query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
            .await?;
        let tls = cipher
            .and_then(|row| row.get::<String, _>(1))
            .is_some_and(|name| !name.is_empty());
        Ok(Self { conn, tls })
    }
}
