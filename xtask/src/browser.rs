//! The pages in a real browser, before the shipped stack with four replicas and a mail catcher.

use std::{net::TcpListener, path::Path};

use anyhow::Context as _;

use crate::{
    command::{program, root, run, say},
    debian,
    deploy::Deploy,
    stack::Stack,
    stack_file::StackFile,
};

/// Who operates the site in the tests.
const ADMIN: (&str, &str) = ("marie", "a-password-of-the-browser-tests");

/// The tests ask whether the pages are right, not whether the machine is quick: a request that waits for
/// its turn is no fault.
const PATIENCE: [(&str, &str); 3] = [
    ("SYSNDD_REQUEST_TIMEOUT", "15s"),
    ("SYSNDD_DB_ACQUIRE_TIMEOUT", "10s"),
    // Less than is shipped: a test waits until the job of a replica that it killed is given to another.
    ("SYSNDD_JOB_LEASE", "10s"),
];

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
    let (port, mail_port) = free_ports()?;
    let file = StackFile::with(&PATIENCE)?;
    let stack = stack(deploy, &file, port, mail_port)?;
    run(
        "the pages in a real browser",
        program("npm")
            .args(["run", "test:browser"])
            .current_dir(&frontend)
            // As the API knows it: changes are taken from its own pages only.
            .env("SYSNDD_URL", format!("http://localhost:{port}"))
            .env("SYSNDD_MAILBOX", format!("http://127.0.0.1:{mail_port}"))
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

/// Four replicas and a mail catcher, as a developer has them.
fn stack<'a>(
    deploy: &'a Deploy,
    file: &StackFile,
    port: u16,
    mail_port: u16,
) -> anyhow::Result<Stack<'a>> {
    let stack = Stack::shipped(deploy, "browser").by(file.path()).with(
        [
            ("SYSNDD_PORT", port.to_string().as_str()),
            ("SYSNDD_PROFILES", "dev"),
            ("MAIL_PORT", &mail_port.to_string()),
            ("SMTP_HOST", "mail"),
            ("SMTP_PORT", "1025"),
            ("SMTP_TLS", "none"),
            ("SMTP_FROM", "SysNDD <no-reply@sysndd.example.org>"),
            // The limits of the edge are for strangers; one address does all here.
            ("EDGE_AUTH_RATE", "100000r/s"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    );
    say("four replicas and a mail catcher");
    stack.up(&[])?;
    stack.make_administrator(ADMIN)?;
    Ok(stack)
}

/// Two ports that nobody has. Held together while they are looked for, so that they differ.
fn free_ports() -> anyhow::Result<(u16, u16)> {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port");
    let (first, second) = (bind()?, bind()?);
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}
