//! The Rust toolchain that runs here, as part of a build context.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::{
    context::{Context, ContextError},
    dockerignore::{Ignore, IgnoreError},
};

/// A toolchain as rustup and the standalone installers lay it out: complete in one directory.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    sysroot: PathBuf,
    host: String,
    /// What `rustc` and `cargo` say of themselves; another text is another toolchain.
    pub(crate) identity: String,
}

/// Why the running toolchain cannot be put into an image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolchainError {
    #[error(
        "running `{command}`: {reason}\nhint: install a Rust toolchain (rustup), or set `source = \"registry\"` in [bases]"
    )]
    NotFound { command: String, reason: String },
    #[error("the Rust toolchain in `{}` is spread over the system's directories and cannot be copied\nhint: install one with rustup, or set `source = \"registry\"` in [bases]", .0.display())]
    NotSelfContained(PathBuf),
    #[error(transparent)]
    Context(#[from] ContextError),
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
}

impl Toolchain {
    /// The toolchain that `rustc` names when it is run in `directory`.
    pub(crate) async fn running_in(directory: &Path) -> Result<Self, ToolchainError> {
        let rustc = output_of(directory, "rustc", &["-vV"]).await?;
        let cargo = output_of(directory, "cargo", &["-V"]).await?;
        let sysroot = output_of(directory, "rustc", &["--print", "sysroot"]).await?;
        let sysroot = PathBuf::from(sysroot.trim());
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.unwrap_or_default().to_owned();
        // A distribution's compiler needs libraries from all over the system.
        if !sysroot.join("lib/rustlib/components").is_file() {
            return Err(ToolchainError::NotSelfContained(sysroot));
        }
        Ok(Self {
            sysroot,
            host,
            identity: format!("{rustc}{cargo}"),
        })
    }

    /// Adds what compiling for this host needs, under `prefix`: no documentation, no formatter,
    /// no other targets.
    pub(crate) fn add_to(
        &self,
        context: &mut Context,
        prefix: &Path,
    ) -> Result<(), ToolchainError> {
        let keep = format!(
            "*\n!bin/rustc\n!bin/cargo\n!lib/*.so*\n!lib/rustlib/{}\n!libexec\n",
            self.host
        );
        let ignore = Ignore::parse(&keep, Path::new("toolchain"))?;
        context.add_directory(&self.sysroot, prefix, &ignore)?;
        Ok(())
    }
}

async fn output_of(
    directory: &Path,
    program: &str,
    arguments: &[&str],
) -> Result<String, ToolchainError> {
    let not_found = |reason: String| ToolchainError::NotFound {
        command: format!("{program} {}", arguments.join(" ")),
        reason,
    };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| not_found(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(not_found(format!("{}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
