//! `wrk`, as a tool.

use std::{io::Write as _, process::Command};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::command::capture;

const SCRIPT: &str = include_str!("wrk.lua");

/// What is asked, and how hard.
pub(super) struct Ask<'a> {
    pub(super) url: &'a str,
    pub(super) paths: &'a [String],
    /// Posted, where there is one; else the paths are got.
    pub(super) body: Option<&'a str>,
    pub(super) connections: u32,
    pub(super) seconds: u32,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Answered {
    pub(super) requests: u64,
    pub(super) seconds: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) failed: u64,
}

impl Answered {
    #[expect(clippy::cast_precision_loss, reason = "no bench has 2^52 requests")]
    pub(super) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

impl Ask<'_> {
    pub(super) fn run(&self) -> anyhow::Result<Answered> {
        let mut script = tempfile::Builder::new().suffix(".lua").tempfile()?;
        script.write_all(SCRIPT.as_bytes())?;
        let mut paths = tempfile::NamedTempFile::new()?;
        for path in self.paths {
            writeln!(paths, "{path}")?;
        }
        paths.flush()?;
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let said = capture(
            Command::new("wrk")
                .args(["--threads", "1", "--timeout", "5s"])
                .args(["--connections", &self.connections.to_string()])
                .args(["--duration", &format!("{}s", self.seconds)])
                .arg("--script")
                .arg(script.path())
                .arg(self.url)
                .args(["--", method])
                .arg(paths.path())
                .args(self.body),
        )?;
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().find(|line| line.starts_with('{'));
        serde_json::from_str(line.context("wrk told no figures")?)
            .with_context(|| format!("the figures of wrk: {said}"))
    }
}
