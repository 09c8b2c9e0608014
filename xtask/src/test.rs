//! `cargo xtask test`: every test, from nothing but a Rust toolchain.

use std::{process::Command, time::Instant};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;

use crate::{
    browser,
    command::{cargo, print, program, root, run, say},
    compose, debian,
    deploy::{Deploy, SECRETS, TestDatabase, TestMail},
    drill::{BackupDrill, DeployDrill, Jobs, Migrate},
    schemathesis::schemathesis,
};

/// Set up what tests need, then run every one of them.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Only these parts
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Format and lints
    Lint,
    /// Tests that need no engine
    Unit,
    /// Frontend: types, lints, unit tests
    Frontend,
    /// Against a real MySQL and a real mail catcher
    Database,
    /// Appliers of migrations, deployments, workers and restores that die
    Drill,
    /// The pages in Chromium, before a real stack
    Browser,
    /// Against a real engine
    Deploy,
}

impl Test {
    /// All parts, also after one that failed: each run tells as much as it can.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let began = Instant::now();
        let wanted = |part: &Part| self.parts.is_empty() || self.parts.contains(part);
        let parts: Vec<_> = Part::value_variants()
            .iter()
            .filter(|it| wanted(it))
            .collect();
        let mut failed = Vec::new();
        for part in parts {
            let began = Instant::now();
            let done = part.run();
            let seconds = began.elapsed().as_secs_f64();
            match done {
                Ok(()) => say(format!("{part:?}: passed in {seconds:.0} s")),
                Err(error) => {
                    say(format!("{part:?}: FAILED after {seconds:.0} s: {error:#}"));
                    failed.push(format!("{part:?}"));
                }
            }
        }
        ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
        print(format!(
            "all tests passed in {:.0} s",
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }
}

impl Part {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Lint => lint(),
            Self::Unit => run("unit tests", &mut tests_of(&[])),
            Self::Frontend => run(
                "frontend",
                &mut engine()?.command(&["build", "--config", "tests/stacks/frontend.toml"]),
            ),
            Self::Database => database(&engine()?),
            Self::Drill => {
                engine()?;
                Migrate::small().run().context("drill of migrations")?;
                DeployDrill::small().run().context("drill of deployments")?;
                Jobs::small().run().context("drill of jobs")?;
                BackupDrill::small().run().context("drill of backups")
            }
            Self::Browser => browser::tests(&engine()?),
            Self::Deploy => end_to_end(&engine()?),
        }
    }
}

/// The project's own program, and an engine that answers it.
fn engine() -> anyhow::Result<Deploy> {
    let deploy = Deploy::build(false)?;
    run(
        "engine",
        &mut deploy.command(&["doctor", "--fix", "--config", STACK_WITHOUT_SECRETS]),
    )?;
    Ok(deploy)
}

/// Loads without a `.env`, and has the same bases as the shipped one.
const STACK_WITHOUT_SECRETS: &str = "tests/stacks/frontend.toml";

fn lint() -> anyhow::Result<()> {
    run("format", cargo().args(["fmt", "--all", "--check"]))?;
    // The checks are put together by build.rs, where `cargo fmt` does not look.
    let mut checks: Vec<_> = std::fs::read_dir(root().join("src/verify/checks"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    checks.sort();
    run(
        "format of checks",
        program("rustfmt")
            .args(["--check", "--edition", "2024"])
            .args(checks),
    )?;
    run(
        "lints",
        cargo().args([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    Ok(())
}

/// Tests of the workspace, or of these of its targets.
fn tests_of(targets: &[&str]) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--quiet", "--no-fail-fast", "--workspace"])
        .args(targets);
    command
}

fn database(deploy: &Deploy) -> anyhow::Result<()> {
    let database = TestDatabase::start(deploy)?;
    let mail = TestMail::start(deploy)?;
    let schemathesis = schemathesis()?;
    run(
        "tests against a real MySQL and a real mail catcher",
        tests_of(&["--bin", "sysndd-api"])
            .args(["--test", "http", "--test", "process", "--test", "mysql"])
            .args(["--", "--ignored"])
            // Each waits more than it works.
            .args(["--test-threads", "4"])
            .env("SYSNDD_TEST_MYSQL", &database.url)
            .env("SYSNDD_TEST_MYSQL_CLIENT", &database.client)
            .env("SYSNDD_TEST_MYSQL_CLIENT_DIR", database.client_dir()?)
            .env("SYSNDD_TEST_SMTP", &mail.smtp)
            .env("SYSNDD_TEST_MAILBOX", &mail.mailbox)
            .env("SYSNDD_TEST_STARTTLS", &mail.starttls)
            .env("SYSNDD_TEST_SMTPS", &mail.tls)
            .env("SYSNDD_TEST_SMTP_CA", &mail.ca)
            .env("SYSNDD_TEST_SCHEMATHESIS", schemathesis),
    )?;
    Ok(())
}

fn end_to_end(deploy: &Deploy) -> anyhow::Result<()> {
    // For tests of engines far away: the program alone, which each test starts with settings of its own.
    debian::install("/usr/sbin/sshd", &["openssh-server", "openssh-client"])?;
    compose::install(deploy)?;
    say("images of the stack, whose build times are part of the answer");
    run("images", deploy.command(&["build"]).envs(SECRETS))?;
    run(
        "tests against a real engine",
        tests_of(&["--bin", "sysndd-deploy", "--test", "deploy"])
            .args(["--", "--ignored"])
            // Each brings up stacks of its own; two cores carry two of them.
            .args(["--test-threads", "2"]),
    )?;
    Ok(())
}
