//! The API through the edge, as a browser has it: how many requests it answers, how fast, and what
//! memory that takes, with one replica and with four.

mod site;
mod steady;
mod wrk;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use self::{
    site::{ACCOUNT, Site},
    steady::Steady,
    wrk::{Answered, Ask},
};
use crate::{
    command::{print, say},
    debian,
    deploy::Deploy,
};

/// Pages that are followed from the beginning of each list.
const PAGES: usize = 20;
/// Health asked over one connection, each time when the last answer is there: what the report itself takes.
/// At long pauses it is the machine's waking up that is measured.
const ALONE: &str = "health, one at a time";
/// What 95 of 100 requests of a constant rate stay below, in milliseconds.
const GOALS: [(&str, f64); 2] = [(ALONE, 5.0), ("lists, constant rate", 50.0)];

/// Health, lists and sign-in of one replica and of four, with many rows.
#[derive(clap::Args)]
pub(super) struct Api {
    /// Rows of entities
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// Seconds for each figure
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Connections that ask as fast as they are answered
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// Lists that are asked for in a second, where the rate is constant
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Print all figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Sample {
    what: &'static str,
    replicas: u32,
    #[serde(flatten)]
    answered: Answered,
    /// Of each replica afterwards.
    memory_mb: Vec<f64>,
}

impl Api {
    pub(super) fn run(self) -> anyhow::Result<()> {
        debian::install("/usr/bin/wrk", &["wrk"])?;
        let deploy = Deploy::build(true)?;
        let mut site = Site::up(&deploy, self.rows)?;
        let lists = lists(&site.url)?;
        say(format!("{} different pages", lists.len()));
        let health = ["/api/health/ready".to_owned()];
        let login = ["/api/auth/login".to_owned()];
        let (user_name, password) = ACCOUNT;
        let credentials = json!({ "user_name": user_name, "password": password }).to_string();
        let mut samples = Vec::new();
        for replicas in [1, 4] {
            site.replicas(replicas)?;
            let ask = |paths, body| Ask {
                url: &site.url,
                paths,
                body,
                connections: self.connections,
                seconds: self.seconds,
            };
            let steady = |paths, rate| Steady {
                url: &site.url,
                paths,
                rate,
                seconds: self.seconds,
            };
            let mut keep = |what, answered: anyhow::Result<Answered>| {
                let answered = answered.context(what)?;
                say(format!("{replicas} replicas, {what}: {answered:?}"));
                samples.push(Sample {
                    what,
                    replicas,
                    answered,
                    memory_mb: site.memory()?,
                });
                anyhow::Ok(())
            };
            // Nobody's first look: what is counted and kept is there, as after the first minute.
            ask(&lists, None).run().context("warming up")?;
            let alone = Ask {
                connections: 1,
                ..ask(&health, None)
            };
            keep(ALONE, alone.run())?;
            keep("health", ask(&health, None).run())?;
            keep("lists", ask(&lists, None).run())?;
            keep("lists, constant rate", steady(&lists, self.rate).run())?;
            keep("sign-in", ask(&login, Some(credentials.as_str())).run())?;
        }
        if self.json {
            print(serde_json::to_string_pretty(&samples)?);
        } else {
            print(table(&samples, self.rows));
        }
        let failed: u64 = samples.iter().map(|sample| sample.answered.failed).sum();
        ensure!(failed == 0, "{failed} requests failed");
        for (what, goal_ms) in GOALS {
            for sample in samples.iter().filter(|sample| sample.what == what) {
                let p95_ms = sample.answered.p95_ms;
                let replicas = sample.replicas;
                ensure!(
                    p95_ms < goal_ms,
                    "{what}, {replicas} replicas: p95 is {p95_ms:.1} ms, the goal {goal_ms} ms"
                );
            }
        }
        Ok(())
    }
}

/// Pages as visitors ask for them: each order and filter from its beginning and some pages further,
/// genes, and beginnings of names.
fn lists(base: &str) -> anyhow::Result<Vec<String>> {
    let mut firsts = Vec::new();
    for sort in ["entity_id", "gene", "disease", "category", "entered_on"] {
        for order in ["asc", "desc"] {
            for filter in [
                "",
                "&category=Definitive",
                "&inheritance=HP:0000006",
                "&ndd_phenotype=true",
            ] {
                firsts.push(format!("/api/entities?sort={sort}&order={order}{filter}"));
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut paths = runtime.block_on(async {
        let client = reqwest::Client::new();
        let mut paths = Vec::new();
        for first in firsts {
            let mut path = first.clone();
            for _ in 0..PAGES {
                let answer = client.get(format!("{base}{path}")).send().await?;
                let page: Value = answer.error_for_status()?.json().await?;
                paths.push(path);
                let Some(next) = page["next"].as_str() else {
                    break;
                };
                path = format!("{first}&cursor={next}");
            }
        }
        anyhow::Ok(paths)
    })?;
    for gene in ["MECP2", "SCN1A", "ARID1B", "SYNGAP1", "CHD8", "TSC2"] {
        paths.push(format!("/api/entities?gene={gene}"));
        paths.push(format!("/api/genes/{gene}"));
        paths.push(format!("/api/entities?q={gene}"));
    }
    for beginning in ["SYNTHETIC12", "Synthetic disorder 77", "rett", "Joubert"] {
        paths.push(format!("/api/entities?q={}", beginning.replace(' ', "%20")));
    }
    paths.push("/api/statistics".to_owned());
    Ok(paths)
}

fn table(samples: &[Sample], rows: u32) -> String {
    let mut text = format!(
        "{:<22} {:>8} {:>11} {:>8} {:>8} {:>8} {:>7} {:>14}\n",
        "", "replicas", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failed", "MB a replica"
    );
    for sample in samples {
        let answered = &sample.answered;
        let most = sample.memory_mb.iter().copied().fold(0.0, f64::max);
        text.push_str(&format!(
            "{:<22} {:>8} {:>11.0} {:>8.2} {:>8.2} {:>8.2} {:>7} {most:>14.1}\n",
            sample.what,
            sample.replicas,
            answered.per_second(),
            answered.p50_ms,
            answered.p95_ms,
            answered.p99_ms,
            answered.failed,
        ));
    }
    text.push_str(&format!(
        "client on the same machine: wrk, for constant rates reqwest; {rows} rows"
    ));
    text
}
