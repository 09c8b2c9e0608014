//! Running programs, with what they say in front of the developer.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, bail};

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Says something on stderr; stdout is for results.
pub(crate) fn say(line: impl AsRef<str>) {
    // Nothing can be done about a stderr that is gone.
    let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
}

/// Prints a result.
pub(crate) fn print(line: impl AsRef<str>) {
    // As above.
    let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
}

/// A program that runs in the root of the repository.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a step to its end; fails when it does.
pub(crate) fn run(title: &str, command: &mut Command) -> anyhow::Result<()> {
    say(format!("\n── {title}"));
    let began = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("{title}: starting {command:?}"))?;
    if !status.success() {
        bail!("{title} failed ({status}): {command:?}");
    }
    say(format!(
        "── {title}: {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Runs a program and returns what it wrote to stdout.
pub(crate) fn capture(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}

/// Builds a program of this workspace; answers where it is. Of the whole workspace, like the tests: by itself
/// it would have features of its own, and with them most dependencies once more.
pub(crate) fn built(name: &str, release: bool) -> anyhow::Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--workspace", "--bin", name]);
    command.arg("--message-format=json");
    if release {
        command.arg("--release");
    }
    let messages = capture(&mut command)?;
    String::from_utf8_lossy(&messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .with_context(|| format!("cargo did not say where {name} is"))
}
