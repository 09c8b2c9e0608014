//! Bringing a stack up: fresh, with nothing to do, and how close the replicas' starts are.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::Value;

use super::compose::Compose;
use crate::{
    command::{capture, print, say},
    compose,
    deploy::{Deploy, SECRETS},
};

/// Fresh start, nothing to do, and the spread of the replicas' starts.
#[derive(clap::Args)]
pub(super) struct Up {
    /// Interleaved runs of each; medians are printed
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Replicas of the API
    #[arg(long, default_value_t = 4)]
    replicas: u32,
}

/// One run of one contestant, in seconds; the spread in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    fresh: f64,
    nothing: f64,
    spread: f64,
}

impl Up {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let deploy = Deploy::build(true)?;
        capture(deploy.command(&["build"]).envs(SECRETS))?;
        compose::install(&deploy)?;
        let compose = Compose::new(&deploy, &SECRETS)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for run in 1..=self.runs {
            let sample = self.ours(&deploy)?;
            say(format!("run {run}, sysndd-deploy: {sample:?}"));
            ours.push(sample);
            let sample = self.theirs(&compose)?;
            say(format!("run {run}, compose: {sample:?}"));
            theirs.push(sample);
        }
        report(self.replicas, &ours, &theirs);
        Ok(())
    }

    fn ours(&self, deploy: &Deploy) -> anyhow::Result<Sample> {
        let project = format!("sysndd-bench-{}", std::process::id());
        let count = self.replicas.to_string();
        let call = |arguments: &[&str]| -> anyhow::Result<(Value, Duration)> {
            let mut command = deploy.command(arguments);
            command.args(["--project", &project, "--format", "json"]);
            command.envs(SECRETS).env("SYSNDD_PORT", "0");
            timed(&mut command).and_then(|(text, took)| Ok((serde_json::from_slice(&text)?, took)))
        };
        let (_, fresh) = call(&["up", "--replicas", &count])?;
        let (status, nothing) = call(&["up", "--replicas", &count])?;
        let starts: Vec<String> = status["services"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|service| service["name"] == "api")
            .flat_map(|service| service["replicas"].as_array().cloned().unwrap_or_default())
            .filter_map(|replica| replica["started_at"].as_str().map(str::to_owned))
            .collect();
        call(&["down", "--volumes"])?;
        sample(fresh, nothing, &starts)
    }

    fn theirs(&self, compose: &Compose) -> anyhow::Result<Sample> {
        let scale = format!("api={}", self.replicas);
        let arguments = ["up", "-d", "--scale", &scale, "--wait"];
        let (_, fresh) = timed(&mut compose.command(&arguments))?;
        let (_, nothing) = timed(&mut compose.command(&arguments))?;
        let mut starts = Vec::new();
        for container in compose.containers("api")? {
            let mut inspect = Command::new("docker");
            inspect.args(["inspect", "-f", "{{.State.StartedAt}}", &container]);
            starts.push(
                String::from_utf8_lossy(&capture(&mut inspect)?)
                    .trim()
                    .to_owned(),
            );
        }
        compose.down()?;
        sample(fresh, nothing, &starts)
    }
}

fn timed(command: &mut Command) -> anyhow::Result<(Vec<u8>, Duration)> {
    let began = Instant::now();
    let output = capture(command)?;
    Ok((output, began.elapsed()))
}

fn sample(fresh: Duration, nothing: Duration, starts: &[String]) -> anyhow::Result<Sample> {
    let times: Vec<f64> = starts
        .iter()
        .map(|text| seconds_of_day(text))
        .collect::<Option<_>>()
        .context("start times")?;
    let first = times.iter().copied().fold(f64::INFINITY, f64::min);
    let last = times.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Ok(Sample {
        fresh: fresh.as_secs_f64(),
        nothing: nothing.as_secs_f64(),
        spread: (last - first) * 1e3,
    })
}

/// Of `2026-11-20T10:00:00.123456789Z`; a run at midnight is run again.
fn seconds_of_day(text: &str) -> Option<f64> {
    let time = text
        .split('T')
        .nth(1)?
        .trim_end_matches('Z')
        .split('+')
        .next()?;
    let mut parts = time.split(':').map(str::parse::<f64>);
    let (hours, minutes, seconds) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    Some(hours * 3600.0 + minutes * 60.0 + seconds)
}

fn median(samples: &[Sample], of: fn(&Sample) -> f64) -> Option<f64> {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Title, figure, goal as a ratio.
type Row = (&'static str, fn(&Sample) -> f64, &'static str);

fn report(replicas: u32, ours: &[Sample], theirs: &[Sample]) {
    print(format!(
        "{:<34} {:>14} {:>10} {:>7}  goal",
        "median", "sysndd-deploy", "compose", "ratio"
    ));
    let rows: [Row; 3] = [
        ("fresh start (s)", |sample| sample.fresh, "≤ 0.65"),
        ("nothing to do (s)", |sample| sample.nothing, "≤ 0.25"),
        (
            "spread of the replicas' starts (ms)",
            |sample| sample.spread,
            "≤ 0.4",
        ),
    ];
    for (title, of, goal) in rows {
        let Some(own) = median(ours, of) else {
            continue;
        };
        let (peer, ratio) = match median(theirs, of) {
            Some(peer) => (format!("{peer:.2}"), format!("{:.2}", own / peer)),
            None => ("-".into(), "-".into()),
        };
        print(format!(
            "{title:<34} {own:>14.2} {peer:>10} {ratio:>7}  {goal}"
        ));
    }
    print(format!("{} runs with {replicas} replicas", ours.len()));
}
