//! The shipped stack with many rows, for as long as it is measured.

use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    command::{capture, say},
    deploy::{Deploy, SECRETS},
    engine::docker,
};

/// Who signs in, a thousand times.
pub(super) const ACCOUNT: (&str, &str) = ("benchmark", "a-password-of-the-benchmark-alone");

/// Taken down with this value.
pub(super) struct Stack<'a> {
    deploy: &'a Deploy,
    project: String,
    pub(super) url: String,
}

impl<'a> Stack<'a> {
    pub(super) fn up(deploy: &'a Deploy, rows: u32) -> anyhow::Result<Self> {
        let mut stack = Self {
            deploy,
            project: format!("sysndd-bench-api-{}", std::process::id()),
            url: String::new(),
        };
        say("images and one replica");
        capture(&mut stack.command(&["build"]))?;
        stack.replicas(1)?;
        say(format!("{rows} rows"));
        let rows = rows.to_string();
        capture(&mut stack.command(&[
            "exec",
            "api",
            "--",
            "sysndd-api",
            "admin",
            "seed",
            "--rows",
            &rows,
        ]))?;
        let (name, password) = ACCOUNT;
        let password = format!("SYSNDD_ADMIN_PASSWORD={password}");
        let email = format!("{name}@example.org");
        capture(&mut stack.command(&[
            "exec",
            "api",
            "--",
            "env",
            &password,
            "sysndd-api",
            "admin",
            "create",
            "--user-name",
            name,
            "--email",
            &email,
        ]))?;
        Ok(stack)
    }

    /// So many replicas, all of them ready.
    pub(super) fn replicas(&mut self, replicas: u32) -> anyhow::Result<()> {
        let replicas = replicas.to_string();
        let up = ["up", "--replicas", &replicas, "--format", "json"];
        let status: Value = serde_json::from_slice(&capture(&mut self.command(&up))?)?;
        let url = status["url"].as_str().context("no address is published")?;
        url.clone_into(&mut self.url);
        Ok(())
    }

    /// What each replica holds now, in MB.
    pub(super) fn memory(&self) -> anyhow::Result<Vec<f64>> {
        let project = format!("label=dev.sysndd.project={}", self.project);
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

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.deploy.command(&["--project", &self.project]);
        command
            .args(arguments)
            .envs(SECRETS)
            .env("SYSNDD_PORT", "0")
            // The limits of the edge are for strangers; one address asks for all here.
            .env("EDGE_RATE", "100000r/s")
            .env("EDGE_AUTH_RATE", "100000r/s");
        command
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

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if let Err(error) = capture(&mut self.command(&["down", "--volumes"])) {
            say(format!(
                "the stack of the benchmark could not be removed: {error:#}"
            ));
        }
    }
}
