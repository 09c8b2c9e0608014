//! What all rounds share: a light stack that serves, and the load on it.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    picture::{self, Picture},
    plan::{Kind, When},
};
use crate::{
    command::{root, say},
    deploy::Deploy,
    drill::eventually::eventually,
    engine::{PROJECT_LABEL, docker},
    load::{Load, Rate, Tally},
};

const STACK: &str = "tests/stacks/light.toml";
/// Through the edge to a replica, and a file of the edge's own.
const PATHS: &[&str] = &["/api/health/ready", "/"];
const RATE: Rate = Rate {
    clients: 4,
    pause: Duration::from_millis(25),
};
/// Nothing here takes so long; what does hangs.
const LIMIT: Duration = Duration::from_mins(2);

/// What a call said.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) command: String,
    /// Absent when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) took: Duration,
}

impl Answer {
    pub(super) fn must_end_with(self, code: i32) -> anyhow::Result<Self> {
        ensure!(
            self.code == Some(code),
            "`{}` ended with {:?} instead of {code}: {}",
            self.command,
            self.code,
            self.stderr
        );
        Ok(self)
    }
}

/// An undisturbed run.
pub(super) struct Calm {
    pub(super) took: Duration,
    pub(super) points: Vec<String>,
}

/// What the stack is deployed as.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) release: String,
}

/// Taken away with this value.
pub(super) struct Stage<'a> {
    deploy: &'a Deploy,
    pub(super) project: String,
    load: Option<Load>,
    /// Requests that were answered by loads that have ended.
    answered: usize,
    /// How it should look at every end.
    expected: Option<Picture>,
    /// What serves, and what a rollback would go to.
    pub(super) now: Variant,
    pub(super) before: Variant,
    variants: usize,
    transcript: String,
}

impl<'a> Stage<'a> {
    pub(super) fn open(
        deploy: &'a Deploy,
        number: usize,
        expected: Option<Picture>,
    ) -> anyhow::Result<Self> {
        let nothing = Variant {
            name: String::new(),
            release: String::new(),
        };
        let mut stage = Self {
            deploy,
            project: format!("sysndd-drill-{}-{number}", std::process::id()),
            load: None,
            answered: 0,
            expected,
            now: nothing.clone(),
            before: nothing,
            variants: 0,
            transcript: String::new(),
        };
        stage.call("first", &["build"], None)?.must_end_with(0)?;
        stage.again()?;
        Ok(stage)
    }

    /// From nothing: two releases, both verified, and a load on the second.
    pub(super) fn again(&mut self) -> anyhow::Result<()> {
        self.end_load()?;
        self.call("first", &["down", "--volumes"], None)?
            .must_end_with(0)?;
        self.settle()?;
        self.settle()?;
        let picture = picture::of(self)?;
        match &self.expected {
            None => self.expected = Some(picture),
            Some(expected) => expected.must_be(&picture)?,
        }
        let url = self.json(&["status"])?["url"]
            .as_str()
            .context("the stack publishes no address")?
            .to_owned();
        self.load = Some(Load::on(&url, PATHS, RATE));
        Ok(())
    }

    /// Brings up a new variant and verifies it.
    fn settle(&mut self) -> anyhow::Result<()> {
        let name = self.new_variant();
        self.call(&name, &["up"], None)?.must_end_with(0)?;
        self.stands(&name)
    }

    /// Takes note of what serves now: another release than before, or the same.
    pub(super) fn stands(&mut self, variant: &str) -> anyhow::Result<()> {
        let release = self.json_as(variant, &["status"])?["release"]
            .as_str()
            .context("status tells no release")?
            .to_owned();
        if release != self.now.release {
            // On a machine with much else to do a replica can be slow for a while, which `verify` finds.
            eventually("a release that verifies", LIMIT, || {
                Ok(self.call(variant, &["verify"], None)?.code == Some(0))
            })?;
            let now = Variant {
                name: variant.to_owned(),
                release,
            };
            let was = std::mem::replace(&mut self.now, now);
            // A release that is like the one that runs is not what `rollback` goes back to.
            if was.name != variant {
                self.before = was;
            }
        }
        Ok(())
    }

    pub(super) fn new_variant(&mut self) -> String {
        self.variants += 1;
        format!("variant-{}", self.variants)
    }

    /// How it should look at every end.
    pub(super) fn expected(&self) -> anyhow::Result<&Picture> {
        self.expected.as_ref().context("there was no calm run")
    }

    /// One run of each kind without a disturbance, and where it can be killed.
    pub(super) fn undisturbed(&mut self, kind: Kind) -> anyhow::Result<Calm> {
        let list = When::At("list".to_owned());
        let (variant, arguments, code) = match kind {
            Kind::Up => (self.new_variant(), vec!["up"], 0),
            Kind::Rollback => (self.now.name.clone(), vec!["rollback"], 0),
            Kind::Broken => ("broken".to_owned(), vec!["up"], 4),
        };
        let answer = self
            .call(&variant, &arguments, Some(&list))?
            .must_end_with(code)?;
        let stands = match kind {
            Kind::Up => variant,
            Kind::Rollback => self.before.name.clone(),
            Kind::Broken => self.now.name.clone(),
        };
        self.stands(&stands)?;
        let found = picture::of(self)?;
        self.expected()?.must_be(&found)?;
        let mut seen = BTreeSet::new();
        let points = answer
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("point: "))
            .filter(|point| seen.insert(*point))
            .map(str::to_owned)
            .collect();
        Ok(Calm {
            took: answer.took,
            points,
        })
    }

    /// A call for this stack in this variant, killed when it is told so.
    pub(super) fn call(
        &mut self,
        variant: &str,
        arguments: &[&str],
        kill: Option<&When>,
    ) -> anyhow::Result<Answer> {
        let mut command = self.command(variant, arguments);
        if let Some(When::At(point)) = kill {
            command.env("SYSNDD_DEPLOY_DIE_AT", point);
        }
        let after = match kill {
            Some(When::After(time)) => Some(*time),
            Some(When::At(_)) | None => None,
        };
        let answer = finish(command, arguments, after)?;
        self.transcript.push_str(&format!(
            "$ VARIANT={variant} sysndd-deploy {} ({kill:?})\nexit code {:?} after {} ms\n--- stdout\n{}\n--- stderr\n{}\n",
            answer.command,
            answer.code,
            answer.took.as_millis(),
            answer.stdout,
            answer.stderr
        ));
        Ok(answer)
    }

    fn command(&self, variant: &str, arguments: &[&str]) -> Command {
        let mut command = self.deploy.command(&["--config", STACK, "--project"]);
        command.arg(&self.project).args(arguments);
        command.env("LIGHT_VARIANT", variant);
        // The edge is another one too, but for a release that cannot start.
        let edge = if variant == "broken" {
            &self.now.name
        } else {
            variant
        };
        command.env("LIGHT_WEB_VARIANT", edge);
        command
    }

    /// The answer of a call that only looks.
    pub(super) fn json(&mut self, arguments: &[&str]) -> anyhow::Result<Value> {
        let variant = self.now.name.clone();
        self.json_as(&variant, arguments)
    }

    pub(super) fn json_as(&mut self, variant: &str, arguments: &[&str]) -> anyhow::Result<Value> {
        let arguments = [arguments, &["--format", "json"]].concat();
        let answer = self.call(variant, &arguments, None)?.must_end_with(0)?;
        serde_json::from_str(&answer.stdout).context("the answer is no JSON")
    }

    /// Begins the records of a round; the answer is how many requests were answered so far.
    pub(super) fn begin_round(&mut self) -> usize {
        self.transcript.clear();
        self.requests()
    }

    pub(super) fn requests(&self) -> usize {
        self.answered + self.load.as_ref().map_or(0, Load::answered)
    }

    /// Fails when a request has.
    pub(super) fn nobody_noticed(&mut self) -> anyhow::Result<()> {
        let failed = self.load.as_ref().map_or(0, Load::failed);
        if failed > 0 {
            self.end_load()?.all_answered()?;
        }
        Ok(())
    }

    fn end_load(&mut self) -> anyhow::Result<Tally> {
        let Some(load) = self.load.take() else {
            return Ok(Tally::default());
        };
        let tally = load.end()?;
        self.answered += tally.answered;
        Ok(tally)
    }

    /// Writes down all that was called in this round, and how things stand; the answer is where.
    pub(super) fn keep_evidence(&mut self, round: usize) -> anyhow::Result<PathBuf> {
        let directory = root().join("target/drill");
        fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{}-{}.log", self.project, round + 1));
        let label = format!("label={PROJECT_LABEL}={}", self.project);
        let containers = docker(&[
            "ps",
            "-a",
            "--filter",
            &label,
            "--format",
            "{{.Names}}\t{{.Status}}",
        ]);
        let volume = format!("{}-state:/state:ro", self.project);
        let image = docker(&["images", "-q", "sysndd-base/debian"])?;
        let image = image
            .lines()
            .next()
            .context("no image to read the state with")?;
        let show = "cd /state && for f in $(find releases runs -type f | sort); do echo \"## $f\"; cat $f; echo; done";
        let state = docker(&["run", "--rm", "-v", &volume, image, "sh", "-c", show]);
        let logs = self.call("first", &["logs", "--tail", "200"], None)?;
        let text = format!(
            "{}\n# containers\n{}\n# state\n{}\n# logs\n{}",
            self.transcript,
            containers.unwrap_or_else(|error| format!("{error:#}")),
            state.unwrap_or_else(|error| format!("{error:#}")),
            logs.stdout
        );
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Ends the load, in which nothing may have failed, and takes the stack away.
    pub(super) fn close(mut self) -> anyhow::Result<()> {
        self.end_load()?.all_answered().map(drop)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        let removed = self
            .call("first", &["down", "--volumes"], None)
            .and_then(|answer| answer.must_end_with(0));
        if let Err(error) = removed {
            say(format!("{} could not be removed: {error:#}", self.project));
        }
    }
}

/// Runs it to its end, or kills it so long after its start.
fn finish(
    mut command: Command,
    arguments: &[&str],
    after: Option<Duration>,
) -> anyhow::Result<Answer> {
    let began = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let process = process.context("a process without a number")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = if let Ok(output) = receiver.recv_timeout(after.unwrap_or(LIMIT)) {
        output
    } else {
        // It may have ended in this very moment.
        let _ = kill_process(process, Signal::KILL);
        if after.is_none() {
            bail!("`{}` did not end within {LIMIT:?}", arguments.join(" "));
        }
        receiver.recv().context("waiting for what was killed")?
    };
    let output = output?;
    Ok(Answer {
        command: arguments.join(" "),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: began.elapsed(),
    })
}
