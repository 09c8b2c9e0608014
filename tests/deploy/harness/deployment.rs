//! A deployment of the stack under a project name that nothing else uses.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use super::{Call, Engine, StackFile, root};

/// Passwords of databases that live as long as one test.
pub(crate) const PASSWORD: &str = "for-tests-only";
/// As strong as the API demands.
const SECRET_KEY: &str = "only-for-tests-0123456789abcdefghijkl";

/// Taken away with its data when the test ends, however it ends.
pub(crate) struct Deployment {
    pub(crate) project: String,
    pub(crate) engine: Engine,
    file: Option<StackFile>,
    transcript: Arc<Mutex<String>>,
}

impl Deployment {
    /// Of the shipped `sysndd.toml`, as it is.
    pub(crate) fn shipped() -> Self {
        Self::new(None)
    }

    /// Of a changed copy.
    pub(crate) fn of(file: StackFile) -> Self {
        Self::new(Some(file))
    }

    fn new(file: Option<StackFile>) -> Self {
        Self {
            project: format!("t-{:08x}", rand::random::<u32>()),
            engine: Engine::connect(),
            file,
            transcript: Arc::default(),
        }
    }

    /// The file that describes it.
    pub(crate) fn path(&self) -> PathBuf {
        self.file
            .as_ref()
            .map_or_else(|| root().join("sysndd.toml"), StackFile::path)
    }

    /// A call for this deployment.
    pub(crate) fn call(&self, arguments: &[&str]) -> Call {
        self.call_by(&self.path(), arguments)
    }

    /// A call for this deployment, described by another file.
    pub(crate) fn call_by(&self, file: &Path, arguments: &[&str]) -> Call {
        let mut call = Call::new(self.transcript.clone());
        for (name, value) in environment() {
            call = call.env(name, value);
        }
        call.with(&[
            "--config",
            &file.display().to_string(),
            "--project",
            &self.project,
        ])
        .with(arguments)
    }

    fn call_and_wait(&self, arguments: &[&str]) -> std::io::Result<Output> {
        Command::new(env!("CARGO_BIN_EXE_sysndd-deploy"))
            .arg("--config")
            .arg(self.path())
            .args(["--project", &self.project])
            .args(arguments)
            .envs(environment())
            .output()
    }

    /// Ends all containers at once. Nothing of a test is worth the grace that `down` gives, whose order another test
    /// looks at; what this leaves, `down` takes away.
    fn end_at_once(&self) {
        let Ok(ids) = self.list(&["ps", "--all"]) else {
            return;
        };
        // Without any it says that it needs one, which is as well.
        let _ = Command::new("docker")
            .args(["rm", "--force"])
            .args(ids.split_whitespace())
            .output();
    }

    /// What bears the label of its project, a line each.
    fn list(&self, what: &[&str]) -> std::io::Result<String> {
        let label = format!("label=dev.sysndd.project={}", self.project);
        let list = Command::new("docker")
            .args(what)
            .args(["--quiet", "--filter", &label])
            .output()?;
        if !list.status.success() {
            let said = String::from_utf8_lossy(&list.stderr).into_owned();
            return Err(std::io::Error::other(said));
        }
        Ok(String::from_utf8_lossy(&list.stdout).into_owned())
    }

    /// Whether all is gone but for one network.
    fn only_network_is_left(&self) -> bool {
        let count = |what| self.list(what).map(|list| list.lines().count()).ok();
        let left = [
            count(&["ps", "--all"]),
            count(&["volume", "ls"]),
            count(&["network", "ls"]),
        ];
        left == [Some(0), Some(0), Some(1)]
    }

    /// Writes down all that was called and all that the replicas said; the answer is where.
    fn keep_evidence(&self) -> std::io::Result<PathBuf> {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deploy");
        std::fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{}.log", self.project));
        let mut file = std::fs::File::create(&path)?;
        if let Ok(transcript) = self.transcript.lock() {
            file.write_all(transcript.as_bytes())?;
        }
        for arguments in [["status"].as_slice(), &["logs"]] {
            let output = self.call_and_wait(arguments)?;
            writeln!(file, "$ sysndd-deploy {}", arguments.join(" "))?;
            file.write_all(&output.stdout)?;
            file.write_all(&output.stderr)?;
        }
        Ok(path)
    }
}

/// The port is one that the engine picks.
fn environment() -> [(&'static str, &'static str); 5] {
    [
        ("DB_PASSWORD", PASSWORD),
        ("DB_RESTORE_PASSWORD", PASSWORD),
        ("DB_ROOT_PASSWORD", PASSWORD),
        ("SECRET_KEY", SECRET_KEY),
        ("SYSNDD_PORT", "0"),
    ]
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        if failing {
            let line = match self.keep_evidence() {
                Ok(path) => format!("{}: calls and logs are in {}", self.project, path.display()),
                Err(error) => format!("{}: calls and logs are lost: {error}", self.project),
            };
            // Nothing can be done about a stderr that is gone.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        self.end_at_once();
        let removed = self.call_and_wait(&["down", "--volumes"]);
        // A second panic would hide the first.
        if !failing {
            let output = removed.expect("the program starts");
            let stderr = String::from_utf8_lossy(&output.stderr);
            // Seen with 20.10: after it was about to restart containers that are removed, it takes them for
            // members of their network until it is restarted itself.
            let stale = stderr.contains("has active endpoints") && self.only_network_is_left();
            assert!(
                output.status.success() || stale,
                "{} could not be removed: {stderr}",
                self.project
            );
        }
    }
}
