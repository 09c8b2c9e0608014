//! A constant load on a published address, by `reqwest`: half of the clients keep their connections,
//! half make a new one for each request. Requests are idempotent: `GET`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tokio::{task::JoinSet, time::MissedTickBehavior};

/// Longer than anything here takes; a request that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Until some more requests are answered; with a peer, nobody may be there for a while.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Failures that are told one by one.
const TOLD: usize = 20;

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// In all; an even number.
    pub(crate) clients: usize,
    /// Between the beginnings of two requests of one client.
    pub(crate) pause: Duration,
}

impl Rate {
    /// Requests per second.
    pub(crate) fn per_second(self) -> f64 {
        let clients = u32::try_from(self.clients).unwrap_or(u32::MAX);
        f64::from(clients) / self.pause.as_secs_f64()
    }
}

/// Runs until it is ended.
pub(crate) struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<Vec<String>>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicUsize,
    failed: AtomicUsize,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) answered: usize,
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// Fails when a request did.
    pub(crate) fn all_answered(&self) -> anyhow::Result<usize> {
        let failed = self.failures.len();
        if failed > 0 {
            let told: Vec<&str> = self
                .failures
                .iter()
                .take(TOLD)
                .map(String::as_str)
                .collect();
            bail!(
                "{failed} of {} requests failed:\n  {}",
                failed + self.answered,
                told.join("\n  ")
            );
        }
        ensure!(self.answered > 0, "not one request was sent");
        Ok(self.answered)
    }
}

impl Load {
    /// `GET` of these paths in turn.
    pub(crate) fn on(base: &str, paths: &'static [&'static str], rate: Rate) -> Self {
        let shared = Arc::new(Shared::default());
        let (base, for_thread) = (base.to_owned(), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("a runtime for the load")?;
            runtime.block_on(all(&base, paths, rate, &for_thread))
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// Returns when so many more were answered.
    pub(crate) fn more(&self, count: usize) -> anyhow::Result<()> {
        let wanted = self.answered() + count;
        let began = Instant::now();
        while self.answered() < wanted {
            ensure!(
                began.elapsed() < PATIENCE,
                "{count} requests were not answered within {PATIENCE:?}"
            );
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Requests that have failed so far.
    pub(crate) fn failed(&self) -> usize {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Requests that were answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn end(mut self) -> anyhow::Result<Tally> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the load was ended before")?;
        let Ok(failures) = thread.join() else {
            bail!("the load broke down");
        };
        Ok(Tally {
            answered: self.answered(),
            failures: failures?,
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

async fn all(
    base: &str,
    paths: &'static [&'static str],
    rate: Rate,
    shared: &Arc<Shared>,
) -> anyhow::Result<Vec<String>> {
    let mut clients = JoinSet::new();
    for number in 0..rate.clients {
        let keep_alive = number % 2 == 0;
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(usize::from(keep_alive))
            .build()?;
        let (base, shared) = (base.to_owned(), Arc::clone(shared));
        let kind = if keep_alive { "kept" } else { "new" };
        clients.spawn(async move { one(&client, kind, &base, paths, rate.pause, &shared).await });
    }
    let mut failures = Vec::new();
    while let Some(client) = clients.join_next().await {
        failures.extend(client?);
    }
    Ok(failures)
}

async fn one(
    client: &reqwest::Client,
    kind: &str,
    base: &str,
    paths: &[&str],
    pause: Duration,
    shared: &Shared,
) -> Vec<String> {
    let mut failures = Vec::new();
    let mut tick = tokio::time::interval(pause);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for path in paths.iter().cycle() {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        tick.tick().await;
        let answer = async {
            let answer = client.get(format!("{base}{path}")).send().await?;
            let status = answer.status();
            answer.bytes().await?;
            Ok::<_, reqwest::Error>(status)
        };
        let failure = match answer.await {
            Ok(status) if status == 200 => {
                shared.answered.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            Ok(status) => status.to_string(),
            Err(error) => format!("{error:?}"),
        };
        shared.failed.fetch_add(1, Ordering::Relaxed);
        failures.push(format!("{path} over a {kind} connection: {failure}"));
    }
    failures
}
