//! Runs mmdebstrap and hands its archive on while it is being written.

use std::{io, path::PathBuf, process::Stdio};

use futures::{StreamExt, stream};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};
use tokio_util::io::ReaderStream;

use super::recipe::Rootfs;
use crate::docker::ByteStream;

const PROGRAM: &str = "mmdebstrap";
/// Lines of its report that an error shows.
const TAIL: usize = 15;

/// A program that is missing here, and the Debian packages that bring it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) packages: &'static [&'static str],
}

/// What making a root file system needs.
pub(crate) const TOOL: Tool = Tool {
    program: PROGRAM,
    packages: &[PROGRAM, "debian-archive-keyring"],
};

/// Whether `program` is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory: PathBuf| directory.join(program).is_file())
}

/// The arguments for `rootfs`, writing the archive to standard output.
fn arguments(rootfs: &Rootfs) -> Vec<String> {
    let mut arguments = vec![
        format!("--variant={}", rootfs.variant),
        "--format=tar".to_owned(),
    ];
    if !rootfs.packages.is_empty() {
        arguments.push(format!("--include={}", rootfs.packages.join(",")));
    }
    for (key, value) in &rootfs.apt {
        arguments.push(format!("--aptopt={key} \"{value}\""));
    }
    for option in &rootfs.dpkg {
        arguments.push(format!("--dpkgopt={option}"));
    }
    for path in &rootfs.exclude {
        arguments.push(format!("--dpkgopt=path-exclude={path}"));
    }
    for path in &rootfs.include {
        arguments.push(format!("--dpkgopt=path-include={path}"));
    }
    arguments.extend([rootfs.suite.clone(), "-".to_owned()]);
    arguments
}

/// Starts mmdebstrap. The stream ends in an error when it does not succeed, so that whoever reads
/// never takes half an archive for a whole one. `log` is told each line of its report.
pub(crate) fn make(
    rootfs: &Rootfs,
    log: impl FnMut(String) + Send + 'static,
) -> io::Result<ByteStream> {
    let mut child = Command::new(PROGRAM)
        .args(arguments(rootfs))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stderr = child.stderr.take().map(BufReader::new);
    let stdout = child.stdout.take();
    let report = tokio::spawn(read_report(stderr, log));
    let (Some(stdout), report) = (stdout, report) else {
        return Err(io::Error::other("its output could not be read"));
    };
    Ok(archive(child, stdout, report))
}

fn archive(child: Child, stdout: ChildStdout, report: JoinHandle<Vec<String>>) -> ByteStream {
    let bytes = ReaderStream::with_capacity(stdout, 256 * 1024);
    let end = stream::once(async move { judge(child, report).await });
    bytes
        .chain(end.filter_map(async |end| end.err().map(Err)))
        .boxed()
}

async fn judge(mut child: Child, report: JoinHandle<Vec<String>>) -> io::Result<()> {
    let status = child.wait().await?;
    let tail = report.await.unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{PROGRAM} ended with {status}:\n  {}",
        tail.join("\n  ")
    )))
}

async fn read_report(
    stderr: Option<BufReader<tokio::process::ChildStderr>>,
    mut log: impl FnMut(String),
) -> Vec<String> {
    let mut tail = Vec::new();
    let Some(stderr) = stderr else { return tail };
    let mut lines = stderr.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // Progress bars overwrite their line; nobody wants all their states.
        let line = line.rsplit('\r').next().unwrap_or_default().to_owned();
        if tail.len() == TAIL {
            tail.remove(0);
        }
        tail.push(line.clone());
        log(line);
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_becomes_a_command_line() {
        let rootfs: Rootfs = toml::from_str(
            "suite = 'sid'\nvariant = 'minbase'\npackages = ['a', 'b']\n\
             exclude = ['/usr/share/man/*']\ninclude = ['/usr/share/man/man1/*']\n\
             dpkg = ['force-unsafe-io']\n\
             [apt]\n'Acquire::Languages' = 'none'",
        )
        .unwrap();
        assert_eq!(
            arguments(&rootfs),
            [
                "--variant=minbase",
                "--format=tar",
                "--include=a,b",
                "--aptopt=Acquire::Languages \"none\"",
                "--dpkgopt=force-unsafe-io",
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-include=/usr/share/man/man1/*",
                "sid",
                "-",
            ]
        );
    }
}
