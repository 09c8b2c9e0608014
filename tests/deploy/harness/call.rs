//! Calling the built program.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{DEADLINE, Report, root};

/// Longest call: a build with nothing cached, on two cores that others use too.
const LIMIT: Duration = Duration::from_mins(10);

/// One call of the program, not made yet.
pub(crate) struct Call {
    arguments: Vec<String>,
    environment: BTreeMap<String, Option<String>>,
    directory: PathBuf,
    /// Program and arguments that run it; the process stays the same.
    through: Vec<String>,
    transcript: Arc<Mutex<String>>,
}

/// A call of the program that belongs to no deployment.
pub(crate) fn program(arguments: &[&str]) -> Call {
    Call::new(Arc::default()).with(arguments)
}

impl Call {
    pub(super) fn new(transcript: Arc<Mutex<String>>) -> Self {
        // What this test run was started with must not decide how it goes.
        let unset = [
            "SYSNDD_DEPLOY_CONFIG",
            "SYSNDD_DEPLOY_PROJECT",
            "SYSNDD_DEPLOY_PROBE",
            "DOCKER_CONTEXT",
        ];
        Self {
            arguments: Vec::new(),
            environment: unset.map(|name| (name.to_owned(), None)).into(),
            directory: root(),
            through: Vec::new(),
            transcript,
        }
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// In another namespace, for example.
    pub(crate) fn through(mut self, program: &[String]) -> Self {
        self.through = program.to_vec();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment
            .insert(name.to_owned(), Some(value.to_owned()));
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.environment.insert(name.to_owned(), None);
        self
    }

    pub(crate) fn in_directory(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// Starts it; the caller decides how it ends.
    pub(crate) fn start(&self) -> Running {
        let mut words = self.through.clone();
        words.push(env!("CARGO_BIN_EXE_sysndd-deploy").to_owned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(&self.arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Running {
            child: command.spawn().expect("the program starts"),
            command: format!("sysndd-deploy {}", self.arguments.join(" ")),
            transcript: self.transcript.clone(),
        }
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Answer {
        self.start().end().await
    }

    /// Runs it to its end, which must be `code`.
    pub(crate) async fn ends_with(self, code: i32) -> Answer {
        let answer = self.run().await;
        assert_eq!(answer.code, Some(code), "{answer}");
        answer
    }

    /// Runs it with `--format json`; the answer is its one document.
    pub(crate) async fn json(self) -> Value {
        self.with(&["--format", "json"]).ends_with(0).await.json()
    }

    /// Runs `verify`, whichever way it ends.
    pub(crate) async fn report(self) -> Report {
        Report::of(self.with(&["--format", "json"]).run().await)
    }
}

/// A call that was made and has not ended.
pub(crate) struct Running {
    child: Child,
    command: String,
    transcript: Arc<Mutex<String>>,
}

impl Running {
    /// As `kill` does.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = self.child.id().expect("it has not ended");
        let id = i32::try_from(id)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("a process id"), signal)
            .expect("it can be signalled");
    }

    /// What it prints, line by line, from now on.
    pub(crate) fn lines(&mut self) -> Lines<BufReader<ChildStdout>> {
        let stdout = self.child.stdout.take().expect("nobody took it before");
        BufReader::new(stdout).lines()
    }

    /// Waits for a line on stdout, and meanwhile does `something` again and again.
    pub(crate) async fn reads(&mut self, line: &str, mut something: impl AsyncFnMut()) {
        let stdout = self.child.stdout.take().expect("nobody took it before");
        let mut lines = BufReader::new(stdout).lines();
        let read = async {
            while let Some(read) = lines.next_line().await.expect("text") {
                if read == line {
                    return;
                }
            }
            panic!("{} ended without `{line}`", self.command);
        };
        let again = async {
            loop {
                something().await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            () = read => {}
            () = again => {}
            () = tokio::time::sleep(DEADLINE) => panic!("no `{line}` within {DEADLINE:?}"),
        }
        self.child.stdout = Some(lines.into_inner().into_inner());
    }

    /// Waits for a line on stderr that has this in it.
    pub(crate) async fn hears(&mut self, part: &str) {
        let stderr = self.child.stderr.take().expect("nobody took it before");
        let mut lines = BufReader::new(stderr).lines();
        let hear = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if line.contains(part) {
                    return;
                }
            }
            panic!("{} ended without `{part}`", self.command);
        };
        tokio::time::timeout(DEADLINE, hear)
            .await
            .unwrap_or_else(|_| panic!("no `{part}` within {DEADLINE:?}"));
        self.child.stderr = Some(lines.into_inner().into_inner());
    }

    pub(crate) async fn end(self) -> Answer {
        let output = tokio::time::timeout(LIMIT, self.child.wait_with_output())
            .await
            .unwrap_or_else(|_| panic!("{} did not end within {LIMIT:?}", self.command))
            .expect("its output can be read");
        let answer = Answer {
            command: self.command,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        let mut transcript = self.transcript.lock().expect("no panic while it is held");
        transcript.push_str(&format!("{answer}\n"));
        drop(transcript);
        answer
    }
}

/// What a call said.
#[derive(Debug)]
pub(crate) struct Answer {
    command: String,
    /// Absent when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// The one document on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Asserts that the text for people has all of this.
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "stderr lacks `{part}`: {self}");
        }
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            command,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "$ {command}\nexit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}
