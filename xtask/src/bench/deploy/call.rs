//! The two contestants, with the same light stack.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    command::{capture, say},
    deploy::Deploy,
    stack::Stack,
};

const STACK: &str = "tests/stacks/light.toml";
/// Between two looks at a program's memory; its peak is kept by the kernel, but for what comes after
/// the last look.
const LOOK: Duration = Duration::from_millis(3);

/// A change that was made.
pub(super) struct Done {
    pub(super) took: Duration,
    /// In kB.
    pub(super) memory: Option<u64>,
}

/// Runs it to its end.
fn timed(command: &mut Command) -> anyhow::Result<Done> {
    let mut output = tempfile::tempfile()?;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?);
    let began = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let status = format!("/proc/{}/status", child.id());
    let mut memory = None;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        memory = peak(&status).or(memory);
        std::thread::sleep(LOOK);
    };
    let took = began.elapsed();
    if !ended.success() {
        let mut said = String::new();
        std::io::Seek::rewind(&mut output)?;
        std::io::Read::read_to_string(&mut output, &mut said)?;
        anyhow::bail!("{command:?} failed ({ended}): {said}");
    }
    Ok(Done { took, memory })
}

fn peak(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The variant of the replicas and that of the web server.
#[derive(Debug, Default)]
struct Variants {
    replicas: usize,
    web: usize,
}

impl Variants {
    fn set(&self, command: &mut Command) {
        command
            .env("LIGHT_VARIANT", format!("variant-{}", self.replicas))
            .env("LIGHT_WEB_VARIANT", format!("variant-{}", self.web));
    }
}

/// `sysndd-deploy`.
pub(super) struct Ours<'a> {
    stack: Stack<'a>,
    variants: Variants,
    pub(super) url: String,
}

impl<'a> Ours<'a> {
    pub(super) fn up(deploy: &'a Deploy) -> anyhow::Result<Self> {
        let mut ours = Self {
            stack: Stack::of(deploy, STACK, "bench"),
            variants: Variants::default(),
            url: String::new(),
        };
        capture(&mut ours.command(&["build"]))?;
        (_, ours.url) = ours.stack.up(&[])?;
        capture(&mut ours.command(&["verify"]))?;
        Ok(ours)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stack.command(arguments);
        self.variants.set(&mut command);
        command
    }

    pub(super) fn replace_replicas(&mut self) -> anyhow::Result<Done> {
        self.variants.replicas += 1;
        timed(&mut self.command(&["up"]))
    }

    pub(super) fn replace_web(&mut self) -> anyhow::Result<Done> {
        self.variants.web += 1;
        timed(&mut self.command(&["up"]))
    }

    /// To the release before, which has another variant of the replicas.
    pub(super) fn roll_back(&mut self) -> anyhow::Result<Done> {
        let releases: Value = serde_json::from_slice(&capture(
            &mut self.command(&["releases", "--format", "json"]),
        )?)?;
        let before = releases["releases"][1]["id"]
            .as_str()
            .context("there is no release to go back to")?
            .to_owned();
        let done = timed(&mut self.command(&["rollback", &before]))?;
        // What is asked for from now on is what runs; else the next change would bring the replicas
        // along, and take as long.
        self.variants.replicas -= 1;
        Ok(done)
    }
}

/// Docker Compose with the file that `export compose` writes; taken down with this value.
pub(super) struct Theirs<'a> {
    deploy: &'a Deploy,
    project: String,
    directory: TempDir,
    variants: Variants,
    pub(super) url: String,
}

impl<'a> Theirs<'a> {
    pub(super) fn up(deploy: &'a Deploy) -> anyhow::Result<Self> {
        let mut theirs = Self {
            deploy,
            project: format!("sysndd-bench-compose-{}", std::process::id()),
            directory: TempDir::new()?,
            variants: Variants::default(),
            url: String::new(),
        };
        theirs.export()?;
        capture(&mut theirs.compose(&["up", "-d", "--wait"]))?;
        let address = capture(&mut theirs.compose(&["port", "listener", "8000"]))?;
        theirs.url = format!("http://{}", String::from_utf8_lossy(&address).trim());
        let mut verify = deploy.command(&["--config", STACK, "--project", &theirs.project]);
        verify.args(["verify", "--suite", "replicas,web"]);
        theirs.variants.set(&mut verify);
        let began = Instant::now();
        while capture(&mut verify).is_err() {
            ensure!(
                began.elapsed() < Duration::from_mins(1),
                "what Compose brought up does not become ready"
            );
        }
        Ok(theirs)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("docker-compose.yml")
    }

    fn export(&self) -> anyhow::Result<()> {
        let mut command = self
            .deploy
            .command(&["--config", STACK, "export", "compose", "--output"]);
        command.arg(self.file());
        self.variants.set(&mut command);
        capture(&mut command).map(drop)
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command
            .args(["compose", "-p", &self.project, "-f"])
            .arg(self.file())
            .args(arguments);
        self.variants.set(&mut command);
        command
    }

    pub(super) fn replace_replicas(&mut self) -> anyhow::Result<Done> {
        self.variants.replicas += 1;
        self.replace()
    }

    pub(super) fn replace_web(&mut self) -> anyhow::Result<Done> {
        self.variants.web += 1;
        self.replace()
    }

    fn replace(&self) -> anyhow::Result<Done> {
        self.export()?;
        // The client that is started hands over to another program: its own memory says nothing.
        let done = timed(&mut self.compose(&["up", "-d", "--wait"]))?;
        Ok(Done {
            memory: None,
            ..done
        })
    }
}

impl Drop for Theirs<'_> {
    fn drop(&mut self) {
        if let Err(error) = capture(&mut self.compose(&["down", "--volumes"])) {
            say(format!("{} could not be removed: {error:#}", self.project));
        }
    }
}
