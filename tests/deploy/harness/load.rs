//! A constant load on a published address: some clients that keep their connections, some that
//! make a new one for each request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::MissedTickBehavior};

/// Of each kind.
const CLIENTS: usize = 4;
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(25);

/// Runs until it is asked what came of it.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: JoinSet<Vec<String>>,
}

impl Load {
    /// `GET` of these paths in turn.
    pub(crate) fn on(base: &str, paths: &'static [&'static str]) -> Self {
        let (stop, answered) = (Arc::default(), Arc::default());
        let mut clients = JoinSet::new();
        for number in 0..2 * CLIENTS {
            let keep_alive = number % 2 == 0;
            let client = reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_mins(1))
                .pool_max_idle_per_host(usize::from(keep_alive))
                .build()
                .expect("a client");
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let base = base.to_owned();
            clients.spawn(async move { ask(&client, &base, paths, &stop, &answered).await });
        }
        Self {
            stop,
            answered,
            clients,
        }
    }

    /// Returns when so many more were answered.
    pub(crate) async fn more(&self, count: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + count;
        super::eventually("the load is answered", async || {
            (self.answered.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    }

    /// Ends it; every request must have been answered with 200.
    pub(crate) async fn was_answered(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        while let Some(client) = self.clients.join_next().await {
            failures.extend(client.expect("a client does not panic"));
        }
        let answered = self.answered.load(Ordering::Relaxed);
        assert!(
            failures.is_empty(),
            "{} of {} requests failed: {failures:#?}",
            failures.len(),
            answered + failures.len()
        );
        answered
    }
}

async fn ask(
    client: &reqwest::Client,
    base: &str,
    paths: &[&str],
    stop: &AtomicBool,
    answered: &AtomicUsize,
) -> Vec<String> {
    let mut failures = Vec::new();
    let mut tick = tokio::time::interval(PAUSE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for path in paths.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        tick.tick().await;
        let answer = async {
            let answer = client.get(format!("{base}{path}")).send().await?;
            Ok::<_, reqwest::Error>((answer.status(), answer.text().await?))
        };
        let began = Instant::now();
        let failure = match answer.await {
            Ok((status, _)) if status == 200 => {
                answered.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            Ok((status, body)) => format!("{status}: {body}"),
            Err(error) => format!("{error:?}"),
        };
        failures.push(format!("{path} after {:?}: {failure}", began.elapsed()));
    }
    failures
}
