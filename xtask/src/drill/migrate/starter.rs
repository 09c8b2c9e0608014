//! One container that runs `sysndd-api migrate up`, and what it has said.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Command, Stdio},
    sync::mpsc::Sender,
    thread,
};

use anyhow::Context as _;
use sysndd_protocol::{Event, StartupEvent};

use super::field::{DIR, Field};
use crate::{deploy::TestDatabase, engine::docker};

/// From the thread that listens to a container.
pub(super) enum Said {
    Line { starter: usize, text: String },
    Ended { starter: usize, code: Option<i32> },
}

pub(super) struct Starter {
    pub(super) container: String,
    pub(super) events: Vec<StartupEvent>,
    /// Whatever else it said.
    words: Vec<String>,
    exits: Vec<Option<i32>>,
    running: bool,
    /// How much it had said when it was last started.
    since: usize,
    /// It was killed, or lost what it needs: it need not end well.
    pub(super) disturbed: bool,
}

impl Starter {
    /// Makes its container, as the stack would, but for a shell before the program: a first
    /// process cannot kill itself, and dying by itself is what a fault point is for.
    pub(super) fn create(
        field: &Field<'_>,
        database: &str,
        volume: &str,
        name: &str,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let url = format!(
            "SYSNDD_DATABASE_URL=mysql://root:{}@{}:3306/{database}",
            TestDatabase::PASSWORD,
            TestDatabase::HOST
        );
        let replica = format!("SYSNDD_REPLICA={name}");
        let (label, mount) = (field.label(), format!("{volume}:{DIR}:ro"));
        let variables: Vec<String> = environment
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let program = format!("sysndd-api migrate up --dir {DIR}; exit $?");
        let mut create = vec![
            "create",
            "--name",
            name,
            "--label",
            &label,
            "--network",
            &field.database.network,
            "--cap-drop",
            "ALL",
            "--read-only",
            "-v",
            &mount,
            "-e",
            &url,
            "-e",
            &replica,
        ];
        for variable in &variables {
            create.extend(["-e", variable]);
        }
        create.extend(["--entrypoint", "sh", &field.image, "-c", &program]);
        docker(&create)?;
        Ok(Self {
            container: name.to_owned(),
            events: Vec::new(),
            words: Vec::new(),
            exits: Vec::new(),
            running: false,
            since: 0,
            disturbed: false,
        })
    }

    /// Starts it and listens to it until it ends.
    pub(super) fn run(&mut self, at: usize, sender: &Sender<Said>) -> anyhow::Result<()> {
        let mut start = Command::new("docker");
        start.args(["start", "--attach", &self.container]);
        start
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut client = start.spawn().context("starting a container")?;
        self.running = true;
        self.since = self.events.len();
        let stdout = client.stdout.take().context("no standard output")?;
        let stderr = client.stderr.take().context("no standard error")?;
        let (sender, errors) = (sender.clone(), sender.clone());
        let errors = thread::spawn(move || forward(stderr, at, &errors));
        thread::spawn(move || {
            forward(stdout, at, &sender);
            // Ends with the other stream, and has nothing to answer.
            let _ = errors.join();
            let code = client.wait().ok().and_then(|status| status.code());
            // Nobody listens any more when the round is given up.
            let _ = sender.send(Said::Ended { starter: at, code });
        });
        Ok(())
    }

    pub(super) fn hear(&mut self, text: String) {
        match StartupEvent::parse(&text) {
            Some(event) => self.events.push(event),
            None => self.words.push(text),
        }
    }

    pub(super) fn ended(&mut self, code: Option<i32>) {
        self.running = false;
        self.exits.push(code);
    }

    pub(super) fn has_ended(&self) -> bool {
        !self.running
    }

    pub(super) fn last_exit(&self) -> Option<i32> {
        self.exits.last().copied().flatten()
    }

    /// Events since it was last started.
    fn recent(&self) -> &[StartupEvent] {
        &self.events[self.since..]
    }

    /// Whether it holds the lock and works under it.
    pub(super) fn applies(&self) -> bool {
        let last = self
            .recent()
            .iter()
            .rev()
            .find_map(|event| match &event.event {
                Event::MigrationLockAcquired { .. } => Some(true),
                Event::MigrationComplete { .. } | Event::MigrationFailed { .. } => Some(false),
                _ => None,
            });
        self.running && last == Some(true)
    }

    /// Whether it saw the schema up to date, by whichever way.
    pub(super) fn is_done(&self) -> bool {
        self.recent().iter().any(|event| {
            matches!(
                event.event,
                Event::MigrationComplete { .. }
                    | Event::MigrationObserved { .. }
                    | Event::MigrationFastPath { .. }
            )
        })
    }

    /// Why it failed, in its own words.
    pub(super) fn last_words(&self) -> String {
        let failed = self
            .events
            .iter()
            .rev()
            .find_map(|event| match &event.event {
                Event::MigrationFailed { message, .. } => Some(message.clone()),
                _ => None,
            });
        failed
            .or_else(|| self.words.last().cloned())
            .unwrap_or_else(|| "it said nothing".to_owned())
    }
}

fn forward(stream: impl Read, starter: usize, to: &Sender<Said>) {
    for text in BufReader::new(stream).lines().map_while(Result::ok) {
        if to.send(Said::Line { starter, text }).is_err() {
            return;
        }
    }
}
