//! The workers of this process: how many there are, what they do, and how they come to an end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use sysndd_protocol as protocol;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handler::{Handler as _, Kinds};
use super::schedule::{Entry, schedule};
use super::{care, claim, kinds, wake, worker};
use crate::db;
use crate::mail::Letter;
use crate::state::App;
use crate::{backups, config};

/// At the latest a worker looks for jobs this long after it last did.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a ring it looks this soon, then twice as late each time: who rang may not have committed.
const LOOK_SOON: Duration = Duration::from_millis(5);
const CARE_EVERY: Duration = Duration::from_secs(5);
/// How long one look after the jobs of others, or at how many wait, may take. A connection whose
/// other end is gone without a word would hold it up for good.
const LOOK_PATIENCE: Duration = Duration::from_secs(30);
/// For the lease of a running job to be given back.
const HAND_BACK: Duration = Duration::from_secs(1);

/// Jobs that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) queued: usize,
    /// For how long the one has waited that was due first.
    pub(crate) oldest: Duration,
}

/// The workers.
pub(crate) struct Jobs {
    config: config::Jobs,
    pub(super) kinds: Kinds,
    schedule: Vec<Entry>,
    busy: AtomicUsize,
    backlog: watch::Sender<Backlog>,
    tasks: TaskTracker,
    /// No job is claimed any more.
    pub(super) stopping: CancellationToken,
    /// What still runs is given back.
    pub(super) give_back: CancellationToken,
    finished_late: AtomicUsize,
    given_back: AtomicUsize,
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jobs({:?})", self.report())
    }
}

impl Jobs {
    /// Does nothing yet.
    pub(crate) fn new(config: &config::Jobs, backups: &config::Backups) -> Self {
        Self {
            config: config.clone(),
            kinds: kinds::kinds(config),
            schedule: schedule(backups),
            busy: AtomicUsize::new(0),
            backlog: watch::Sender::new(Backlog::default()),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            give_back: CancellationToken::new(),
            finished_late: AtomicUsize::new(0),
            given_back: AtomicUsize::new(0),
        }
    }

    pub(crate) fn config(&self) -> &config::Jobs {
        &self.config
    }

    /// For the health report: nothing is asked, the backlog is at most a second or so old.
    pub(crate) fn report(&self) -> protocol::Workers {
        let backlog = *self.backlog.borrow();
        protocol::Workers {
            configured: self.config.workers,
            busy: self.busy.load(SeqCst),
            queued: backlog.queued,
            oldest_queued_s: backlog.oldest.as_secs(),
        }
    }

    /// Lets the workers begin. The schema must be there.
    pub(crate) fn start(app: &Arc<App>) {
        let jobs = &app.jobs;
        jobs.tasks.spawn(watch_backlog(Arc::clone(app)));
        jobs.tasks.spawn(take_care(Arc::clone(app)));
        if jobs.config.workers > 0 {
            jobs.tasks.spawn(look_for_jobs(Arc::clone(app)));
        }
    }

    /// Claims no more; lets what runs finish within the time, and gives the rest back to the
    /// queue. Answers how many finished.
    pub(crate) async fn drain(&self, within: Duration) -> usize {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(within, self.tasks.wait())
            .await
            .is_err()
        {
            self.hand_back().await;
        }
        self.finished_late.load(SeqCst)
    }

    /// Gives what runs back to the queue, now.
    pub(crate) async fn hand_back(&self) {
        self.stopping.cancel();
        self.give_back.cancel();
        self.tasks.close();
        let all = tokio::time::timeout(HAND_BACK, self.tasks.wait()).await;
        let given_back = self.given_back.load(SeqCst);
        if all.is_err() {
            let left = self.busy.load(SeqCst);
            tracing::warn!(
                given_back,
                left,
                "jobs could not be given back; they run again when their leases are over"
            );
        } else if given_back > 0 {
            tracing::info!(
                given_back,
                "jobs were given back, for another replica to run"
            );
        }
    }

    pub(super) fn ended(&self, given_back: bool) {
        if given_back {
            self.given_back.fetch_add(1, SeqCst);
        } else if self.stopping.is_cancelled() {
            self.finished_late.fetch_add(1, SeqCst);
        }
    }
}

/// A mail server that hangs holds whoever talks with it: one worker is left for all else, where there are two.
fn letters_at_a_time(workers: usize) -> usize {
    workers.saturating_sub(1).max(1)
}

/// Claims jobs and hands each to a task of its own, never more at a time than there are workers.
async fn look_for_jobs(app: Arc<App>) {
    let jobs = &app.jobs;
    let free = Arc::new(Semaphore::new(jobs.config.workers));
    let letters = Arc::new(Semaphore::new(letters_at_a_time(jobs.config.workers)));
    let kinds: Vec<_> = jobs.kinds.names().collect();
    let all_but_letters: Vec<_> = jobs
        .kinds
        .names()
        .filter(|it| *it != Letter::KIND)
        .collect();
    // While a backup is restored nothing else is begun; another replica may be the one that does it.
    let behind_the_fence = [backups::Restore::KIND];
    let owner = app.identity.replica.as_str();
    let mut pause = LOOK_EVERY;
    let mut trouble = false;
    loop {
        let worker = tokio::select! {
            biased;
            () = jobs.stopping.cancelled() => return,
            worker = Arc::clone(&free).acquire_owned() => worker,
        };
        // It is never closed.
        let Ok(worker) = worker else { return };
        let mut letter = Arc::clone(&letters).try_acquire_owned().ok();
        // Not to be dropped half-way: a job that was claimed must be run or given back.
        let claimed = async {
            let kinds = if app.backups.fence.is_up().await {
                &behind_the_fence[..]
            } else if letter.is_some() {
                &kinds[..]
            } else {
                &all_but_letters[..]
            };
            let mut conn = app.db.conn().await?;
            let lease = jobs.config.lease;
            match tokio::time::timeout(lease, claim::claim(&mut conn, kinds, owner, lease)).await {
                Ok(claimed) => claimed,
                Err(_) => Err(db::Error::NoAnswer(lease)),
            }
        }
        .await;
        match claimed {
            Ok(Some(claim)) => {
                trouble = false;
                jobs.busy.fetch_add(1, SeqCst);
                let app = Arc::clone(&app);
                let letter = letter.take_if(|_| claim.kind == Letter::KIND);
                jobs.tasks.spawn(async move {
                    worker::run(&app, claim).await;
                    app.jobs.busy.fetch_sub(1, SeqCst);
                    drop(worker);
                    if letter.is_some() {
                        drop(letter);
                        // The next one may have been left to wait for this.
                        wake::ring();
                    }
                });
                continue;
            }
            Ok(None) => trouble = false,
            Err(error) => {
                if !trouble {
                    tracing::warn!(%error, "looking for jobs failed; trying again");
                }
                trouble = true;
                pause = LOOK_EVERY;
            }
        }
        drop(worker);
        tokio::select! {
            () = jobs.stopping.cancelled() => return,
            () = wake::rung() => pause = LOOK_SOON,
            () = tokio::time::sleep(spread(pause)) => pause = LOOK_EVERY.min(pause * 2),
        }
    }
}

/// Keeps the number of waiting jobs at hand.
async fn watch_backlog(app: Arc<App>) {
    let jobs = &app.jobs;
    loop {
        match in_time(backlog(&app)).await {
            Ok(backlog) => {
                jobs.backlog.send_replace(backlog);
            }
            Err(error) => tracing::debug!(%error, "the backlog could not be read"),
        }
        tokio::select! {
            () = jobs.stopping.cancelled() => return,
            () = tokio::time::sleep(spread(LOOK_EVERY)) => {}
        }
    }
}

async fn backlog(app: &App) -> Result<Backlog, db::Error> {
    let mut conn = app.db.conn().await?;
    let (queued, oldest): (usize, i64) = conn
        .query_first(
            "SELECT COUNT(*), \
                    COALESCE(TIMESTAMPDIFF(SECOND, MIN(run_after), UTC_TIMESTAMP(6)), 0) \
             FROM jobs WHERE status = 'queued'",
        )
        .await?
        .unwrap_or_default();
    Ok(Backlog {
        queued,
        // Due later only.
        oldest: Duration::from_secs(u64::try_from(oldest).unwrap_or(0)),
    })
}

/// Does what any replica does for all.
async fn take_care(app: Arc<App>) {
    let jobs = &app.jobs;
    let every = CARE_EVERY.min(jobs.config.lease / 2);
    loop {
        let done = async {
            care::reap(&app).await?;
            care::fire(&app.db, &jobs.schedule).await
        };
        if let Err(error) = in_time(done).await
            && !error.is_contention()
        {
            tracing::warn!(%error, "looking after the jobs of others failed; trying again");
        }
        tokio::select! {
            () = jobs.stopping.cancelled() => return,
            () = tokio::time::sleep(spread(every)) => {}
        }
    }
}

/// As long as patience lasts; the connection is given up with what is asked over it.
async fn in_time<T>(work: impl Future<Output = Result<T, db::Error>>) -> Result<T, db::Error> {
    let done = tokio::time::timeout(LOOK_PATIENCE, work).await;
    done.unwrap_or(Err(db::Error::NoAnswer(LOOK_PATIENCE)))
}

/// A little less than the duration, another one each time, so that replicas do not march in step.
fn spread(duration: Duration) -> Duration {
    duration.mul_f64(0.75 + 0.25 * rand::random::<f64>())
}
