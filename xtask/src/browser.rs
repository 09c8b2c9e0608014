//! The pages in a real browser, before the shipped stack with four replicas and a mail catcher.

use std::{net::TcpListener, path::Path, process::Command};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{
    command::{capture, program, root, run, say},
    debian,
    deploy::{Deploy, SECRETS},
};

/// Who operates the site in the tests.
const ADMIN: (&str, &str) = ("marie", "a-password-of-the-browser-tests");

/// Brings the stack up, lets Playwright at it, takes it down.
pub(crate) fn tests(deploy: &Deploy) -> anyhow::Result<()> {
    debian::install("/usr/bin/chromium", &["chromium"])?;
    if !is_there("node") || !is_there("npm") {
        debian::install_anyway(&["nodejs", "npm"])?;
    }
    let frontend = root().join("frontend");
    run(
        "packages of the page",
        program("npm")
            .args(["ci", "--no-progress"])
            .current_dir(&frontend),
    )?;
    let stack = Stack::up(deploy)?;
    run(
        "the pages in a real browser",
        program("npm")
            .args(["run", "test:browser"])
            .current_dir(&frontend)
            .env("SYSNDD_URL", &stack.url)
            .env("SYSNDD_MAILBOX", &stack.mailbox)
            .env("SYSNDD_PROJECT", &stack.project)
            .env("SYSNDD_ADMIN", ADMIN.0)
            .env("SYSNDD_ADMIN_PASSWORD", ADMIN.1),
    )?;
    Ok(())
}

fn is_there(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir: std::path::PathBuf| Path::new(&dir).join(name).exists())
}

/// The shipped stack as a developer has it. Taken down with this value.
struct Stack<'a> {
    deploy: &'a Deploy,
    project: String,
    port: u16,
    mail_port: u16,
    /// As the API knows it: changes are taken from its own pages only.
    url: String,
    mailbox: String,
}

impl<'a> Stack<'a> {
    fn up(deploy: &'a Deploy) -> anyhow::Result<Self> {
        let (port, mail_port) = free_ports()?;
        let stack = Self {
            deploy,
            project: format!("sysndd-browser-{}", std::process::id()),
            port,
            mail_port,
            url: format!("http://localhost:{port}"),
            mailbox: format!("http://127.0.0.1:{mail_port}"),
        };
        say("four replicas and a mail catcher");
        let status: Value =
            serde_json::from_slice(&capture(&mut stack.command(&["up", "--format", "json"]))?)?;
        if status["project"] != stack.project.as_str() {
            bail!("another stack was brought up: {status}");
        }
        let password = format!("SYSNDD_ADMIN_PASSWORD={}", ADMIN.1);
        let email = format!("{}@example.org", ADMIN.0);
        let create = ["sysndd-api", "admin", "create", "--user-name", ADMIN.0];
        stack.in_api(&[&["env", &password], &create[..], &["--email", &email]].concat())?;
        Ok(stack)
    }

    fn in_api(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let exec = ["exec", "api", "--"];
        capture(&mut self.command(&[&exec, arguments].concat())).map(drop)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.deploy.command(&["--project", &self.project]);
        command
            .args(arguments)
            .envs(SECRETS)
            .env("SYSNDD_PORT", self.port.to_string())
            .env("SYSNDD_PROFILES", "dev")
            .env("MAIL_PORT", self.mail_port.to_string())
            .env("SMTP_HOST", "mail")
            .env("SMTP_PORT", "1025")
            .env("SMTP_TLS", "none")
            .env("SMTP_FROM", "SysNDD <no-reply@sysndd.example.org>")
            // The limits of the edge are for strangers; one address does all here.
            .env("EDGE_AUTH_RATE", "100000r/s");
        command
    }
}

/// Two ports that nobody has. Held together while they are looked for, so that they differ.
fn free_ports() -> anyhow::Result<(u16, u16)> {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port");
    let (first, second) = (bind()?, bind()?);
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if let Err(error) = capture(&mut self.command(&["down", "--volumes"])) {
            say(format!(
                "the stack of the browser tests could not be removed: {error:#}"
            ));
        }
    }
}
