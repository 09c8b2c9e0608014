//! A restore that was cut off: whoever finds it finishes it, or takes it back.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::params;
use mysql_async::prelude::Queryable as _;
use tokio::sync::watch as latest;
use tokio_util::sync::CancellationToken;

use super::super::lock::Lock;
use super::super::{Backups, Error};
use super::fence::{Outcome, Step};
use super::schema::Schemas;
use super::{Errand, Progress, Run};
use crate::state::App;

/// How often a replica looks for a restore that nobody does any more.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the server may take to end what a dead process began.
const KILL_PATIENCE: Duration = Duration::from_secs(30);
const CUT_OFF: &str = "it was interrupted before the tables were exchanged";

/// Looks now and then, to the end of the process.
pub(crate) async fn watch(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = app.backups.clear_up().await {
            tracing::warn!(%error, "an interrupted restore could not be cleared up; trying again");
        }
    }
}

impl Backups {
    /// Before a replica looks at the schema: waits for a restore that somebody does, and clears one up that
    /// nobody does any more. When that fails the fence stays up, and the replica starts nevertheless; but not
    /// while the live schema may be half of one database and half of another: that is not to be migrated.
    pub(crate) async fn await_restore(&self, patience: Duration) {
        let began = std::time::Instant::now();
        let mut told = false;
        loop {
            let trouble = match self.clear_up().await {
                Ok(true) => return,
                Ok(false) if began.elapsed() < patience => {
                    tokio::time::sleep(LOOK_EVERY / 10).await;
                    continue;
                }
                Ok(false) => format!("a restore is still under way after {patience:?}"),
                Err(error) => format!("an interrupted restore could not be cleared up: {error}"),
            };
            if !self.fence.is_half_way().await {
                tracing::warn!("{trouble}; starting nevertheless");
                return;
            }
            if !told {
                tracing::warn!(
                    "{trouble}; waiting for its end, since it may be in the middle of the exchange"
                );
            }
            told = true;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Finishes or takes back a restore that nobody does any more; answers whether the fence is down now.
    pub(crate) async fn clear_up(&self) -> Result<bool, Error> {
        if !self.fence.is_up().await {
            return Ok(true);
        }
        let means = self.means.as_ref().ok_or(Error::NoRestoreAccount)?;
        let schemas = Schemas::of(&means.opts)?;
        let mut lock = match Lock::take(means.opts.clone(), Duration::ZERO).await {
            // Somebody does it.
            Err(Error::Busy(_)) => return Ok(false),
            lock => lock?,
        };
        let errand = Errand {
            id: String::new(),
            tell: latest::Sender::new(Progress::NONE),
            cancel: CancellationToken::new(),
        };
        let mut run = Run {
            backups: self,
            means,
            schemas,
            lock: &mut lock,
            errand: &errand,
        };
        let recovered = Box::pin(run.recover()).await;
        lock.release().await;
        recovered.map(|_| true)
    }
}

impl Run<'_> {
    /// Under the lock: whoever raised the fence is dead. Answers how the restore ended.
    pub(super) async fn recover(&mut self) -> Result<Option<Outcome>, Error> {
        let Some(state) = self.backups.fence.state().await? else {
            return Ok(None);
        };
        tracing::warn!(name = %state.filename, step = ?state.step, "an interrupted restore is cleared up");
        self.end_leftovers().await?;
        let (id, step) = (state.id.clone(), state.step);
        if step == Step::Ended {
            self.clear(state).await?;
            return self.backups.fence.outcome(&id).await;
        }
        let mut why = CUT_OFF.to_owned();
        if step != Step::Preparing && self.is_swapped().await? {
            match self.finish().await {
                Ok(_) => return self.backups.fence.outcome(&id).await,
                Err(error) => {
                    tracing::warn!(%error, "it cannot be finished; taking it back");
                    why = error.to_string();
                }
            }
        }
        self.try_take_back(&why).await?;
        self.backups.fence.outcome(&id).await
    }

    /// Programs of a dead process may still be at work in the server.
    pub(super) async fn end_leftovers(&mut self) -> Result<(), Error> {
        let began = std::time::Instant::now();
        loop {
            let conn = self.lock.conn();
            let left: Vec<u64> = conn
                .exec(
                    "SELECT DISTINCT p.id FROM performance_schema.processlist p \
                     JOIN performance_schema.session_account_connect_attrs a ON a.processlist_id = p.id \
                     WHERE a.attr_name = 'program_name' AND a.attr_value IN ('mysql', 'mysqldump') \
                       AND p.db IN (:live, :restore) AND p.id <> CONNECTION_ID()",
                    params! { "live" => &self.schemas.live, "restore" => &self.schemas.restore },
                )
                .await?;
            if left.is_empty() {
                return Ok(());
            }
            if began.elapsed() > KILL_PATIENCE {
                return Err(Error::Refused(
                    "programs of an interrupted restore are still at work in the database".into(),
                ));
            }
            for id in left {
                // It may have ended by itself.
                let _ = conn.query_drop(format!("KILL {id}")).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
