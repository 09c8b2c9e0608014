//! The shipped site with many rows, for as long as it is measured.

use anyhow::ensure;

use crate::{command::say, deploy::Deploy, engine::docker, stack::Stack};

/// Who signs in, a thousand times.
pub(super) const ACCOUNT: (&str, &str) = ("benchmark", "a-password-of-the-benchmark-alone");

pub(super) struct Site<'a> {
    stack: Stack<'a>,
    pub(super) url: String,
}

impl<'a> Site<'a> {
    pub(super) fn up(deploy: &'a Deploy, rows: u32) -> anyhow::Result<Self> {
        // The limits of the edge are for strangers; one address asks for all here.
        let limits = ["EDGE_RATE", "EDGE_AUTH_RATE"].map(|name| (name, "100000r/s".to_owned()));
        let mut site = Self {
            stack: Stack::shipped(deploy, "bench-api").with(limits),
            url: String::new(),
        };
        say("images and one replica");
        site.stack.run(&["build"])?;
        site.replicas(1)?;
        say(format!("{rows} rows"));
        let seed = ["exec", "api", "--", "sysndd-api", "admin", "seed", "--rows"];
        site.stack
            .run(&[&seed[..], &[&rows.to_string()]].concat())?;
        site.stack.make_administrator(ACCOUNT)?;
        Ok(site)
    }

    /// So many replicas, all of them ready.
    pub(super) fn replicas(&mut self, replicas: u32) -> anyhow::Result<()> {
        (_, self.url) = self.stack.up(&["--replicas", &replicas.to_string()])?;
        Ok(())
    }

    /// What each replica holds now, in MB.
    pub(super) fn memory(&self) -> anyhow::Result<Vec<f64>> {
        let project = format!("label=dev.sysndd.project={}", self.stack.project);
        let list = [
            "ps",
            "-q",
            "--filter",
            &project,
            "--filter",
            "label=dev.sysndd.service=api",
        ];
        let containers = docker(&list)?;
        let mut stats = vec!["stats", "--no-stream", "--format", "{{.MemUsage}}"];
        stats.extend(containers.lines());
        let said = docker(&stats)?;
        let memory: Vec<f64> = said.lines().filter_map(megabytes).collect();
        ensure!(!memory.is_empty(), "the engine tells no memory: {said}");
        Ok(memory)
    }
}

/// From `12.3MiB / 256MiB`.
fn megabytes(usage: &str) -> Option<f64> {
    let used = usage.split('/').next()?.trim();
    let at = used.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = used.split_at(at);
    let factor = match unit {
        "KiB" => 1.0 / 1024.0,
        "MiB" => 1.0,
        "GiB" => 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}
