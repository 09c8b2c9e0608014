//! Bringing a backup back: into a second schema, checked there, and then exchanged for the live one.
//!
//! | step | what it does | cut off there |
//! |---|---|---|
//! | look | reads the backup whole | nothing happened |
//! | fence | no replica changes anything any more | the fence is taken away |
//! | quiet | waits for what began before | 〃 |
//! | save | makes a `pre-restore` backup | 〃 |
//! | load | fills `‹db›__restore` | 〃, and the second schema dropped |
//! | check | tables and ledger | 〃 |
//! | swap | exchanges all tables at once | finished if they were exchanged, else as before |
//! | define | makes views, triggers, routines and events anew | finished, or exchanged back |
//! | migrate | applies what the backup does not have | finished, or exchanged back |
//!
//! Who does it holds the lock of [`super::lock`], and what touches the live schema runs on that very
//! connection. Who finds the fence and nobody with the lock finishes or takes back (`recover`).

mod carry;
mod definitions;
mod fence;
mod job;
mod load;
mod recover;
mod schema;
mod swap;
mod test;

pub(crate) use fence::{Fence, refuse_behind_the_fence};
pub(crate) use job::Restore;
pub(crate) use recover::watch;
pub(crate) use test::Test;

use std::sync::Arc;
use std::time::Duration;

use mysql_async::{Opts, OptsBuilder};
use serde::Serialize;
use sysndd_migrator::MigrationSet;
use sysndd_protocol::ReplicaName;
use tokio::sync::watch as latest;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use self::fence::{State, Step};
use self::schema::Schemas;
use super::catalogue::Catalogue;
use super::lock::Lock;
use super::metadata::Metadata;
use super::{BackupName, Backups, Error, Kind};

/// How long the backup or restore before it may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// What a restore needs beyond what a backup does.
#[derive(Debug, Clone)]
pub(crate) struct Means {
    /// The account that may touch the schemas beside the live one.
    pub(crate) opts: Opts,
    /// The migrations of this release.
    pub(crate) set: Arc<MigrationSet>,
    /// As the migrator signs.
    pub(crate) replica: ReplicaName,
    /// The longest time after which a request that began before the fence has ended.
    pub(crate) request_timeout: Duration,
}

/// Who asks, and how they hear of it.
#[derive(Debug)]
pub(crate) struct Errand {
    /// Names the restore: what comes of it is kept under this name.
    pub(crate) id: String,
    /// Told what is being done.
    pub(crate) tell: latest::Sender<Progress>,
    /// Stops it, as long as the live schema was not touched.
    pub(crate) cancel: CancellationToken,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) step: &'static str,
    pub(crate) number: u32,
}

impl Progress {
    pub(crate) const TOTAL: u32 = 8;
    pub(crate) const NONE: Self = Self {
        step: "waiting",
        number: 0,
    };
}

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
pub(crate) struct Restored {
    /// The backup that is the live database now
    #[schema(value_type = String)]
    pub(crate) filename: BackupName,
    /// What was the live database before
    #[schema(value_type = String)]
    pub(crate) pre_restore: BackupName,
    pub(crate) table_count: u32,
    /// The newest migration, after pending ones were applied
    pub(crate) migration_head: Option<String>,
}

impl Backups {
    /// Whether restoring is set up.
    pub(crate) fn can_restore(&self) -> bool {
        self.means.is_some()
    }

    /// Exchanges the live database for what is in a backup. On any failure the live one is as it was.
    pub(crate) async fn restore(
        &self,
        name: &BackupName,
        errand: &Errand,
    ) -> Result<Restored, Error> {
        let means = self.means.as_ref().ok_or(Error::NoRestoreAccount)?;
        let schemas = Schemas::of(&means.opts)?;
        let mut lock = Lock::take(means.opts.clone(), PATIENCE).await?;
        let mut run = Run {
            backups: self,
            means,
            schemas,
            lock: &mut lock,
            errand,
        };
        let done = Box::pin(run.whole(name)).await;
        lock.release().await;
        done
    }
}

/// A restore under the lock.
struct Run<'a> {
    backups: &'a Backups,
    means: &'a Means,
    schemas: Schemas,
    lock: &'a mut Lock,
    errand: &'a Errand,
}

impl Run<'_> {
    async fn whole(&mut self, name: &BackupName) -> Result<Restored, Error> {
        // What was interrupted before is cleared up first. It may be this very restore.
        if let Some(ended) = self.recover().await?
            && ended.id == self.errand.id
        {
            return ended.into_result();
        }
        if let Some(ended) = self.backups.fence.outcome(&self.errand.id).await? {
            return ended.into_result();
        }
        self.tell("reading the backup", 1);
        let found = self.look(name).await?;

        tracing::info!(%name, "writes are fenced: a backup is restored");
        self.backups
            .fence
            .raise(State {
                id: self.errand.id.clone(),
                filename: name.clone(),
                step: Step::Preparing,
                restored: None,
                raised_at: None,
            })
            .await?;
        match self.fenced(name, &found).await {
            Ok(restored) => Ok(restored),
            Err(error) => {
                tracing::warn!(%error, %name, "the restore failed; taking it back");
                self.take_back(&error).await;
                // It may have ended well, and only clearing up failed.
                match self.backups.fence.outcome(&self.errand.id).await? {
                    Some(ended) if ended.is_good() => ended.into_result(),
                    _ => Err(error),
                }
            }
        }
    }

    /// All behind the fence, up to its removal.
    async fn fenced(&mut self, name: &BackupName, found: &Metadata) -> Result<Restored, Error> {
        self.tell("waiting for changes that are under way", 2);
        self.quiet().await?;
        self.tell("making a backup of what is there", 3);
        let cancel = self.errand.cancel.clone();
        let saving = self.backups.create_under(self.lock, Kind::PreRestore);
        let saved = tokio::select! {
            saved = saving => saved?,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        };
        self.tell("loading", 4);
        self.load(name, found).await?;
        self.tell("checking", 5);
        let restored = Restored {
            filename: name.clone(),
            pre_restore: saved.filename,
            table_count: self.check(name).await?,
            migration_head: None,
        };
        if self.errand.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        self.tell("exchanging the tables", 6);
        self.swap(&restored).await?;
        self.tell("making views, triggers, routines and events", 7);
        self.finish().await
    }

    /// Reads the backup whole.
    async fn look(&mut self, name: &BackupName) -> Result<Metadata, Error> {
        let name = name.clone();
        let found = self
            .backups
            .blocking(move |catalogue| catalogue.verify(&name));
        self.unless_cancelled(found).await
    }

    fn tell(&self, step: &'static str, number: u32) {
        self.errand.tell.send_replace(Progress { step, number });
        tracing::info!(step, "restoring");
    }

    /// Does something long under the lock, unless somebody wants it to stop.
    async fn unless_cancelled<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            done = self.lock.during(work) => done,
            () = self.errand.cancel.cancelled() => Err(Error::Cancelled),
        }
    }

    /// The address of one of the schemas.
    fn opts(&self, schema: &str) -> Opts {
        OptsBuilder::from_opts(self.means.opts.clone())
            .db_name(Some(schema))
            .into()
    }

    /// Removes what a restore leaves behind in the end, whichever way it went; the fence last. Its outcome
    /// is noted before.
    async fn clear(&mut self, state: State) -> Result<(), Error> {
        let step = Step::Ended;
        self.backups.fence.raise(State { step, ..state }).await?;
        self.drop_schemas().await?;
        // A `pre-restore` backup may have been cut off; nobody else writes one under the lock.
        self.backups.blocking(Catalogue::clean).await?;
        self.backups.fence.lower().await
    }
}
