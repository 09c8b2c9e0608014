//! MySQL's own client programs, as children of this process.
//!
//! A password is in the environment of the child, never in its arguments, which all users of a
//! machine can see.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use mysql_async::Opts;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::error::Error;

/// Where the certificates of public authorities are on Debian.
const PUBLIC_CA: &str = "/etc/ssl/certs/ca-certificates.crt";
/// For a process that was told none.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// As much of what a program complains about is kept.
const LONGEST_COMPLAINT: u64 = 8 * 1024;
/// The password is one of the account, said by mysql when a password is in the environment.
const NOISE: &str = "[Warning]";

/// How to start the programs.
#[derive(Debug, Clone)]
pub(super) struct Client {
    dir: Option<PathBuf>,
    /// `SYSNDD_DB_CA`.
    authority: Option<PathBuf>,
}

/// A program that runs. It ends when this is dropped.
pub(super) struct Running {
    program: &'static str,
    child: Child,
}

impl Client {
    pub(super) fn new(dir: Option<PathBuf>, authority: Option<PathBuf>) -> Self {
        Self { dir, authority }
    }

    /// A program with what it needs to connect; no file of options has a say.
    pub(super) fn command(&self, program: &'static str, opts: &Opts) -> Command {
        let path: OsString = match &self.dir {
            Some(dir) => dir.join(program).into(),
            None => program.into(),
        };
        let mut command = Command::new(path);
        command.env_clear();
        let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
        command.env("PATH", path);
        command
            .env("MYSQL_PWD", opts.pass().unwrap_or_default())
            .arg("--no-defaults")
            .arg("--protocol=TCP")
            .arg(format!("--host={}", opts.ip_or_hostname()))
            .arg(format!("--port={}", opts.tcp_port()))
            .arg(format!("--user={}", opts.user().unwrap_or_default()))
            .arg("--default-character-set=utf8mb4")
            .arg("--max-allowed-packet=1G")
            .args(encryption(opts, self.authority.as_deref()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// As the driver does it: by the wish of the address.
fn encryption(opts: &Opts, authority: Option<&Path>) -> Vec<String> {
    match opts.ssl_opts() {
        None => vec![
            "--ssl-mode=PREFERRED".into(),
            "--get-server-public-key".into(),
        ],
        Some(ssl) if ssl.accept_invalid_certs() => vec!["--ssl-mode=REQUIRED".into()],
        Some(ssl) => {
            let mode = if ssl.skip_domain_validation() {
                "VERIFY_CA"
            } else {
                "VERIFY_IDENTITY"
            };
            // What `SYSNDD_DB_CA` names, else who is trusted on the internet.
            let ca = authority.unwrap_or(Path::new(PUBLIC_CA)).display();
            vec![format!("--ssl-mode={mode}"), format!("--ssl-ca={ca}")]
        }
    }
}

impl Running {
    /// Starts it. The command is used up, and with it our end of the pipes that it was given.
    pub(super) fn start(program: &'static str, mut command: Command) -> Result<Self, Error> {
        let child = command
            .spawn()
            .map_err(|cause| Error::NoClient { program, cause })?;
        Ok(Self { program, child })
    }

    /// What it writes, if that was asked for.
    pub(super) fn stdout(&mut self) -> Option<tokio::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end, which must be a good one.
    pub(super) async fn end(mut self) -> Result<(), Error> {
        let mut said = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let mut kept = stderr.take(LONGEST_COMPLAINT);
            let _ = kept.read_to_end(&mut said).await;
            // What comes after must not block it.
            let mut rest = kept.into_inner();
            let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
        }
        let status = self.child.wait().await.map_err(|cause| Error::NoClient {
            program: self.program,
            cause,
        })?;
        ended(self.program, status, &said)
    }
}

fn ended(program: &'static str, status: ExitStatus, said: &[u8]) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(said);
    let lines: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains(NOISE))
        .collect();
    Err(Error::Client {
        program,
        status,
        said: if lines.is_empty() {
            "it gave no reason".into()
        } else {
            lines.join("; ")
        },
    })
}
