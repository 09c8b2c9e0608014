//! Debian packages.

use std::{env, path::Path};

use tokio::process::Command;

/// Why packages could not be installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    #[error("installing {0} needs root")]
    NotRoot(String),
    #[error("installing {0} needs apt-get, which this machine does not have")]
    NoApt(String),
    #[error("`apt-get {command}` failed:\n{output}")]
    Failed { command: String, output: String },
}

/// Whether a program is on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    // Daemons live in directories that are not on every user's path.
    let extra = ["/usr/sbin", "/sbin", "/usr/local/sbin"]
        .map(Path::new)
        .map(Path::to_path_buf);
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(extra)
        .any(|directory| directory.join(program).is_file())
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Installs packages with apt, without recommended ones.
pub(crate) async fn install(packages: &[&str]) -> Result<(), PackageError> {
    let names = packages.join(" ");
    if !is_installed("apt-get") {
        return Err(PackageError::NoApt(names));
    }
    if !is_root() {
        return Err(PackageError::NotRoot(names));
    }
    // A fresh machine has no package lists; an old one has stale ones.
    apt(&["update", "-q"]).await?;
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments).await
}

async fn apt(arguments: &[&str]) -> Result<(), PackageError> {
    let command = arguments.join(" ");
    let failed = |output: String| PackageError::Failed {
        command: command.clone(),
        output,
    };
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    Err(failed(lines[lines.len().saturating_sub(10)..].join("\n")))
}
