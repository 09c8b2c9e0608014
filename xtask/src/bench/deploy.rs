//! Replacing releases under a constant load: what of it clients notice, how long it takes, and how
//! long going back does; side by side with what Compose does with the same stack.

mod call;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use serde_json::json;

use self::call::{Done, Ours, Theirs};
use crate::{
    command::{print, say},
    compose,
    deploy::Deploy,
    load::{Load, Rate},
};

/// Through the edge to a replica, and a file of the edge's own.
const PATHS: &[&str] = &["/api/health/ready", "/"];
/// Answered before a change begins, and again after it has ended.
const AROUND: usize = 60;

/// Replacements under load, and the way back: failed requests, time, memory.
#[derive(clap::Args)]
pub(super) struct Deployments {
    /// Replacements of the four replicas
    #[arg(long, default_value_t = 30)]
    runs: usize,
    /// Replacements of the web server
    #[arg(long, default_value_t = 10)]
    web: usize,
    /// Rollbacks
    #[arg(long, default_value_t = 5)]
    rollbacks: usize,
    /// Replacements of each by Compose
    #[arg(long, default_value_t = 5)]
    peer: usize,
    /// Clients; half of them keep their connections
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Milliseconds between two requests of a client
    #[arg(long, default_value_t = 25)]
    pause: u64,
    /// Measure the debug build
    #[arg(long)]
    debug: bool,
    /// Print all figures as JSON
    #[arg(long)]
    json: bool,
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Replicas,
    Rollback,
    Web,
    PeerReplicas,
    PeerWeb,
}

impl Change {
    fn title(self) -> &'static str {
        match self {
            Self::Replicas => "up: four replicas",
            Self::Rollback => "rollback: four replicas",
            Self::Web => "up: the web server",
            Self::PeerReplicas => "compose: four replicas",
            Self::PeerWeb => "compose: the web server",
        }
    }
}

/// One change under load.
#[derive(Debug, Clone, serde::Serialize)]
struct Sample {
    seconds: f64,
    answered: usize,
    failed: usize,
    /// Peak of the program's memory, in kB.
    memory: Option<u64>,
}

impl Deployments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let deploy = Deploy::build(!self.debug)?;
        let rate = Rate {
            clients: self.clients,
            pause: Duration::from_millis(self.pause),
        };
        let mut samples: BTreeMap<Change, Vec<Sample>> = BTreeMap::new();
        let mut ours = Ours::up(&deploy)?;
        let mut theirs = None;
        if self.peer > 0 {
            compose::install(&deploy)?;
            theirs = Some(Theirs::up(&deploy)?);
        }
        // A little of each in turn, so that the machine's moods befall all alike.
        let rounds = [self.runs, self.web, self.rollbacks, self.peer];
        let rounds = rounds.into_iter().max().unwrap_or(0);
        for round in 0..rounds {
            let mut turn = |change: Change, wanted: usize| -> anyhow::Result<()> {
                if round * wanted / rounds == (round + 1) * wanted / rounds {
                    return Ok(());
                }
                let base = match (change, &theirs) {
                    (Change::PeerReplicas | Change::PeerWeb, Some(theirs)) => theirs.url.clone(),
                    (Change::PeerReplicas | Change::PeerWeb, None) => return Ok(()),
                    _ => ours.url.clone(),
                };
                let sample = under_load(&base, rate, || match (change, &mut theirs) {
                    (Change::Replicas, _) => ours.replace_replicas(),
                    (Change::Web, _) => ours.replace_web(),
                    (Change::Rollback, _) => ours.roll_back(),
                    (Change::PeerReplicas, Some(theirs)) => theirs.replace_replicas(),
                    (Change::PeerWeb, Some(theirs)) => theirs.replace_web(),
                    (Change::PeerReplicas | Change::PeerWeb, None) => {
                        anyhow::bail!("there is no peer")
                    }
                })
                .with_context(|| change.title())?;
                say(format!("{}: {sample:?}", change.title()));
                samples.entry(change).or_default().push(sample);
                Ok(())
            };
            turn(Change::Replicas, self.runs)?;
            turn(Change::Rollback, self.rollbacks)?;
            turn(Change::Web, self.web)?;
            turn(Change::PeerReplicas, self.peer)?;
            turn(Change::PeerWeb, self.peer)?;
        }
        if self.json {
            let all: BTreeMap<&str, &Vec<Sample>> = samples
                .iter()
                .map(|(change, samples)| (change.title(), samples))
                .collect();
            print(serde_json::to_string_pretty(&json!({
                "client": "reqwest",
                "requests_per_second": rate.per_second(),
                "samples": all,
            }))?);
        } else {
            print(table(&samples, rate));
        }
        let own = [Change::Replicas, Change::Rollback, Change::Web];
        let failed = own
            .iter()
            .filter_map(|change| samples.get(change))
            .flatten();
        let failed: usize = failed.map(|sample| sample.failed).sum();
        anyhow::ensure!(failed == 0, "{failed} requests failed");
        Ok(())
    }
}

fn under_load(
    base: &str,
    rate: Rate,
    change: impl FnOnce() -> anyhow::Result<Done>,
) -> anyhow::Result<Sample> {
    let load = Load::on(base, PATHS, rate);
    load.more(AROUND)?;
    let done = change()?;
    load.more(AROUND)?;
    let tally = load.end()?;
    for failure in tally.failures.iter().take(1) {
        say(format!("  {failure}"));
    }
    Ok(Sample {
        seconds: done.took.as_secs_f64(),
        answered: tally.answered,
        failed: tally.failures.len(),
        memory: done.memory,
    })
}

fn table(samples: &BTreeMap<Change, Vec<Sample>>, rate: Rate) -> String {
    let median = |change: Change| {
        let mut times: Vec<f64> = samples
            .get(&change)?
            .iter()
            .map(|sample| sample.seconds)
            .collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    };
    let mut text = format!(
        "{:<26} {:>5} {:>9} {:>7} {:>9} {:>9} {:>9} {:>8}  compared with\n",
        "", "runs", "requests", "failed", "median s", "slowest s", "memory MB", "ratio"
    );
    for (change, of) in samples {
        let peer = match change {
            Change::Replicas => Some(Change::PeerReplicas),
            Change::Rollback => Some(Change::Replicas),
            Change::Web => Some(Change::PeerWeb),
            Change::PeerReplicas | Change::PeerWeb => None,
        };
        let own = median(*change).unwrap_or_default();
        let slowest = of.iter().map(|sample| sample.seconds).fold(0.0, f64::max);
        let memory = of.iter().filter_map(|sample| sample.memory).max();
        let memory = memory.map_or_else(|| "-".to_owned(), |kb| format!("{}", kb / 1024));
        let compared = peer.and_then(|peer| Some((peer, own / median(peer)?)));
        let (ratio, with) = compared.map_or_else(
            || ("-".to_owned(), ""),
            |(peer, ratio)| (format!("{ratio:.2}"), peer.title()),
        );
        text.push_str(&format!(
            "{:<26} {:>5} {:>9} {:>7} {own:>9.2} {slowest:>9.2} {memory:>9} {ratio:>8}  {with}\n",
            change.title(),
            of.len(),
            of.iter().map(|sample| sample.answered).sum::<usize>(),
            of.iter().map(|sample| sample.failed).sum::<usize>(),
        ));
    }
    text.push_str(&format!(
        "load: GET by reqwest, {} clients, half with keep-alive, at most {:.0} requests/s",
        rate.clients,
        rate.per_second()
    ));
    text
}
