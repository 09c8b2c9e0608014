//! One process of the program under test.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use sysndd_protocol::{Event, HealthReport, StartupEvent};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::http::{Answer, Request};
use super::{DEADLINE, eventually};

/// As strong as the API demands.
pub(crate) const SECRET_KEY: &str = "only-for-tests-0123456789abcdefghijkl";

/// Makes the first administrator; their password comes from the environment.
pub(crate) const ADMIN_CREATE: [&str; 6] = [
    "admin",
    "create",
    "--user-name",
    "marie",
    "--email",
    "marie@example.org",
];

/// The limits that replicas have where nothing else is said, for tests that are about them.
pub(crate) const PRODUCTION_LIMITS: [(&str, &str); 2] = [
    ("SYSNDD_REQUEST_TIMEOUT", "2s"),
    ("SYSNDD_DB_ACQUIRE_TIMEOUT", "1s"),
];

/// How to start a process. The environment is empty but for what a test says.
pub(crate) struct Launch {
    command: Command,
}

impl Launch {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::of(Path::new(env!("CARGO_BIN_EXE_sysndd-api")), arguments)
    }

    /// Another copy of the program.
    pub(crate) fn of(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("SYSNDD_BIND", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self { command }
    }

    /// `serve` with what it needs.
    pub(crate) fn serve(name: &str, database: &str, data_dir: &Path, migrations: PathBuf) -> Self {
        Self::replica("serve", name, database, data_dir, migrations)
    }

    /// A role that needs the same as `serve`. It has more time for each request than in production:
    /// on a busy machine only a test that is about time-outs is to see one. A restore waits as long
    /// as a request may take, and its lock ends when it is silent for 30 s.
    pub(crate) fn replica(
        role: &str,
        name: &str,
        database: &str,
        data_dir: &Path,
        migrations: PathBuf,
    ) -> Self {
        Self::new(&[role])
            .set("SYSNDD_REPLICA", name)
            .set("SYSNDD_RELEASE", "r-test")
            .set("SYSNDD_DATABASE_URL", database)
            .set("SYSNDD_SECRET_KEY", SECRET_KEY)
            .set("SYSNDD_DATA_DIR", data_dir)
            .set("SYSNDD_MIGRATIONS_DIR", migrations)
            .set("SYSNDD_REQUEST_TIMEOUT", "20s")
            .set("SYSNDD_DB_ACQUIRE_TIMEOUT", "15s")
    }

    pub(crate) fn set(mut self, variable: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(variable, value);
        self
    }

    pub(crate) fn set_all(self, variables: &[(&str, &str)]) -> Self {
        variables.iter().fold(self, |launch, (variable, value)| {
            launch.set(variable, value)
        })
    }

    pub(crate) fn uid(mut self, uid: u32) -> Self {
        self.command.uid(uid).gid(uid);
        self
    }

    pub(crate) fn start(mut self) -> Replica {
        let mut child = self.command.spawn().expect("the program starts");
        let stdout = Lines::of(child.stdout.take().expect("piped"));
        let stderr = Lines::of(child.stderr.take().expect("piped"));
        Replica {
            child,
            stdout,
            stderr,
        }
    }
}

/// A running process and what it wrote so far.
pub(crate) struct Replica {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Replica {
    /// Where it listens, once it says so.
    pub(crate) async fn address(&self) -> SocketAddr {
        self.eventually("listening", || {
            let line = self
                .stdout
                .all()
                .into_iter()
                .find(|line| line.contains("\"listening\""))?;
            let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            Some(
                line["address"]
                    .as_str()
                    .expect("text")
                    .parse()
                    .expect("an address"),
            )
        })
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(self.address().await, path)
            .await
            .expect("accepted");
        let answer = tokio::time::timeout(DEADLINE, request.answer()).await;
        answer.expect("answered in time").expect("answered")
    }

    /// Asks until the health report is as wanted; answers the report.
    pub(crate) async fn becomes(
        &self,
        what: &str,
        wanted: fn(&HealthReport) -> bool,
    ) -> HealthReport {
        eventually(what, async || {
            Some(self.get("/health/ready").await.report()).filter(wanted)
        })
        .await
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<StartupEvent> {
        self.stdout
            .all()
            .iter()
            .filter_map(|line| StartupEvent::parse(line))
            .collect()
    }

    /// Waits for an event.
    pub(crate) async fn event<T>(&self, what: &str, wanted: fn(&Event) -> Option<T>) -> T {
        self.eventually(what, || {
            self.events().iter().find_map(|event| wanted(&event.event))
        })
        .await
    }

    pub(crate) async fn is_ready(&self) -> u64 {
        self.event("startup.ready", |event| match event {
            Event::StartupReady { elapsed_ms } => Some(*elapsed_ms),
            _ => None,
        })
        .await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it runs");
        let pid = Pid::from_raw(i32::try_from(pid).expect("small")).expect("not zero");
        kill_process(pid, signal).expect("it can be signalled");
    }

    /// Waits for its end; answers exit status, standard output and standard error.
    pub(crate) async fn end(mut self) -> (ExitStatus, Vec<String>, String) {
        let status = tokio::time::timeout(DEADLINE, self.child.wait()).await;
        let Ok(status) = status else {
            panic!("it did not end:\n{}", self.output())
        };
        let (stdout, stderr) = (self.stdout.into_all().await, self.stderr.into_all().await);
        (status.expect("it ran"), stdout, stderr.join("\n"))
    }

    /// What it wrote so far.
    pub(crate) fn output(&self) -> String {
        [self.stdout.all(), self.stderr.all()].concat().join("\n")
    }

    async fn eventually<T>(&self, what: &str, ask: impl Fn() -> Option<T>) -> T {
        let answer = tokio::time::timeout(DEADLINE, eventually(what, async || ask())).await;
        answer.unwrap_or_else(|_| panic!("{what} did not come about:\n{}", self.output()))
    }
}

/// What a pipe brought so far.
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Lines {
    fn of(pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = pipe.next_line().await {
                sink.lock().expect("not poisoned").push(line);
            }
        });
        Self { lines, reader }
    }

    fn all(&self) -> Vec<String> {
        self.lines.lock().expect("not poisoned").clone()
    }

    async fn into_all(self) -> Vec<String> {
        self.reader.await.expect("read to the end");
        let lines = self.lines.lock().expect("not poisoned");
        lines.clone()
    }
}
