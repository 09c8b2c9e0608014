//! How long a replica that stops answering stays in the edge's list, and how soon it is back in it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    command::{print, say},
    deploy::Deploy,
    engine::docker,
    stack::Stack,
};

const STACK: &str = "tests/stacks/light.toml";
const DEADLINE: Duration = Duration::from_secs(30);

/// A replica falls silent: out of the list; it answers again: back in it.
#[derive(clap::Args)]
pub(super) struct Watch {
    /// How often
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Measure the debug build
    #[arg(long)]
    debug: bool,
    /// Print all figures as JSON
    #[arg(long)]
    json: bool,
}

impl Watch {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let deploy = Deploy::build(!self.debug)?;
        let stack = Stack::of(&deploy, STACK, "bench-watch");
        stack.run(&["build"])?;
        let up = stack.json(&["up"])?;
        let names = names(&up).context("no replicas were started")?;
        let mut watch = Watching::start(stack.command(&["watch", "--format", "json"]))?;
        let (mut out, mut back) = (Vec::new(), Vec::new());
        for run in 0..self.runs {
            let name = &names[run % names.len()];
            // The engine reports no event of this: it runs, and its workers answer nobody.
            docker(&["exec", name, "sh", "-c", "kill -STOP -1"])?;
            out.push(watch.told("removed", name)?);
            docker(&["exec", name, "sh", "-c", "kill -CONT -1"])?;
            back.push(watch.told("added", name)?);
            say(format!("{name}: out after {:?}", out[run]));
        }
        watch.end()?;
        let figures = |times: &mut Vec<Duration>| {
            times.sort();
            let at = |share: f64| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a place in a short list"
                )]
                let place = ((times.len() - 1) as f64 * share) as usize;
                times[place].as_secs_f64()
            };
            json!({ "runs": times.len(), "median_s": at(0.5), "p95_s": at(0.95), "slowest_s": at(1.0) })
        };
        let figures = json!({ "out": figures(&mut out), "back": figures(&mut back) });
        print(if self.json {
            serde_json::to_string_pretty(&figures)?
        } else {
            format!(
                "out of the list: {}\nback in it:      {}",
                figures["out"], figures["back"]
            )
        });
        Ok(())
    }
}

fn names(up: &Value) -> Option<Vec<String>> {
    let services = up["services"].as_array()?;
    let app = services.iter().find(|service| service["name"] == "app")?;
    let names = app["replicas"].as_array()?.iter();
    names
        .map(|replica| replica["name"].as_str().map(str::to_owned))
        .collect()
}

/// `watch` as it runs, and what it tells.
struct Watching {
    child: Child,
    lines: Receiver<(Instant, Value)>,
}

impl Watching {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting watch")?;
        let stdout = child.stdout.take().context("its output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(line) = serde_json::from_str(&line) else {
                    continue;
                };
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// How long from now until it tells that `name` went or came.
    fn told(&self, what: &str, name: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        while let Some(left) = DEADLINE.checked_sub(began.elapsed()) {
            let (at, line) = self.lines.recv_timeout(left)?;
            let names = line[what].as_array();
            if names.is_some_and(|names| names.iter().any(|found| found == name)) {
                return Ok(at - began);
            }
        }
        bail!("{name} was not {what} within {DEADLINE:?}")
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = Pid::from_raw(i32::try_from(self.child.id())?) {
            kill_process(pid, Signal::TERM)?;
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // After an error; else it has ended.
        let _ = self.end();
    }
}
