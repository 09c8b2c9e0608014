//! Fresh starts of the whole stack on an empty database: exactly one replica applies, each time.

use std::time::Instant;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{
    command::{print, say},
    deploy::Deploy,
};

/// Fresh starts on an empty database: exactly one applier each time.
#[derive(clap::Args)]
pub(super) struct Start {
    /// How many
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Replicas of the API
    #[arg(long, default_value_t = 4)]
    replicas: u32,
}

impl Start {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { runs, replicas } = self;
        let deploy = Deploy::build(true)?;
        let mut slowest = 0;
        for run in 1..=runs {
            let began = Instant::now();
            let longest =
                fresh_start(&deploy, replicas).with_context(|| format!("start {run} of {runs}"))?;
            slowest = slowest.max(longest);
            say(format!(
                "start {run} of {runs}: one applier, the slowest replica ready after {longest} ms; {:.1} s in all",
                began.elapsed().as_secs_f64()
            ));
        }
        print(format!(
            "{runs} fresh starts of {replicas} replicas: {runs} times one applier, one migration.lock_acquired, no time-out, no restart; slowest replica {slowest} ms"
        ));
        Ok(())
    }
}

/// One fresh copy of the stack, verified and removed. The answer is the slowest start-up in ms.
fn fresh_start(deploy: &Deploy, replicas: u32) -> anyhow::Result<u64> {
    let count = replicas.to_string();
    let report = deploy.json(&["verify", "--fresh", "--replicas", &count])?;
    let check = |id: &str| -> anyhow::Result<&Value> {
        let checks = report
            .get("checks")
            .and_then(Value::as_array)
            .context("no checks")?;
        checks
            .iter()
            .find(|check| check.get("id").and_then(Value::as_str) == Some(id))
            .with_context(|| format!("no check {id} in the report"))
    };
    let acquired = &check("migration.single-applier")?["evidence"]["lock_acquired"];
    if acquired.as_u64() != Some(1) {
        bail!("migration.lock_acquired was emitted {acquired} times");
    }
    let budget = &check("startup.budget")?["evidence"]["slowest_ms"];
    budget
        .as_u64()
        .context("startup.budget does not say how long the slowest took")
}
