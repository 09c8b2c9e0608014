//! The engine's own client, as a tool of drills and benchmarks. What is made with it bears the label
//! of a project that no stack has, and is removed by who made it.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::command::capture;

/// The label by which the products tell their own.
pub(crate) const PROJECT_LABEL: &str = "dev.sysndd.project";

/// Calls the engine's client and returns what it says.
pub(crate) fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let answer = capture(Command::new("docker").args(arguments))?;
    Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
}

/// The same, with something to read on its standard input.
pub(crate) fn docker_with_input(arguments: &[&str], input: &str) -> anyhow::Result<String> {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    std::thread::scope(|scope| {
        // A program that does not read to the end says why itself.
        scope.spawn(move || stdin.write_all(input.as_bytes()).is_ok());
        let output = child
            .wait_with_output()
            .with_context(|| format!("waiting for {command:?}"))?;
        if !output.status.success() {
            bail!(
                "{command:?} failed ({}):\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    })
}
