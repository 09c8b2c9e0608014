//! A stack that lives for a test, a drill or a measurement.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use serde_json::Value;

use crate::{
    command::{capture, say},
    deploy::{Deploy, SECRETS},
};

/// Taken down with this value, and its data with it.
pub(crate) struct Stack<'a> {
    deploy: &'a Deploy,
    /// The shipped one without.
    config: Option<PathBuf>,
    pub(crate) project: String,
    environment: Vec<(&'static str, String)>,
}

impl<'a> Stack<'a> {
    /// The shipped one, at a port that the engine chooses.
    pub(crate) fn shipped(deploy: &'a Deploy, name: &str) -> Self {
        let secrets = SECRETS.map(|(name, value)| (name, value.to_owned()));
        Self::new(deploy, name)
            .with(secrets)
            .with([("SYSNDD_PORT", "0".to_owned())])
    }

    /// That of another file.
    pub(crate) fn of(deploy: &'a Deploy, config: impl AsRef<Path>, name: &str) -> Self {
        Self::new(deploy, name).by(config)
    }

    fn new(deploy: &'a Deploy, name: &str) -> Self {
        Self {
            deploy,
            config: None,
            project: format!("sysndd-{name}-{}", std::process::id()),
            environment: Vec::new(),
        }
    }

    /// By this file, which is like the one before.
    pub(crate) fn by(mut self, config: impl AsRef<Path>) -> Self {
        self.config = Some(config.as_ref().to_owned());
        self
    }

    /// Variables of all its calls; what was said last counts.
    pub(crate) fn with(
        mut self,
        variables: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        self.environment.extend(variables);
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.deploy.command(&["--project", &self.project]);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.args(arguments);
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        capture(&mut self.command(arguments)).map(drop)
    }

    /// A call whose answer is JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = self.command(arguments);
        let answer = capture(command.args(["--format", "json"]))?;
        serde_json::from_slice(&answer).with_context(|| format!("the answer of {command:?}"))
    }

    /// Brings it up, perhaps anew; answers what `up` does, and where it is reached.
    pub(crate) fn up(&self, arguments: &[&str]) -> anyhow::Result<(Value, String)> {
        let status = self.json(&[&["up"], arguments].concat())?;
        let url = status["url"].as_str().context("no address is published")?;
        let url = url.to_owned();
        Ok((status, url))
    }

    /// Makes an administrator of the shipped site.
    pub(crate) fn make_administrator(&self, (name, password): (&str, &str)) -> anyhow::Result<()> {
        let password = format!("SYSNDD_ADMIN_PASSWORD={password}");
        let email = format!("{name}@example.org");
        let exec = ["exec", "api", "--", "env", &password];
        let create = [
            "sysndd-api",
            "admin",
            "create",
            "--user-name",
            name,
            "--email",
            &email,
        ];
        self.run(&[&exec[..], &create].concat())
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["down", "--volumes"]) {
            say(format!("{} could not be removed: {error:#}", self.project));
        }
    }
}
