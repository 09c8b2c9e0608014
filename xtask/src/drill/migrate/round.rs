//! One fresh database and the containers that start on it: starting, listening, killing, waiting.
//! It decides nothing about what is right; it says what was seen.

use std::{
    fs,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use sysndd_protocol::Event;

use super::{
    field::Field,
    starter::{Said, Starter},
};
use crate::{command::root, engine::docker};

/// Far more than any round takes that is not stuck.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Round<'a> {
    pub(super) field: &'a Field<'a>,
    /// Of the database, and the beginning of the containers' names.
    pub(super) name: String,
    volume: &'a str,
    pub(super) starters: Vec<Starter>,
    said: Receiver<Said>,
    sender: Sender<Said>,
    log: Vec<String>,
    began: Instant,
}

impl<'a> Round<'a> {
    pub(super) fn new(field: &'a Field<'a>, name: &str, volume: &'a str) -> anyhow::Result<Self> {
        let database = name.replace('-', "_");
        field
            .database
            .sql("mysql", &format!("CREATE DATABASE `{database}`"))?;
        let (sender, said) = channel();
        Ok(Self {
            field,
            name: database,
            volume,
            starters: Vec::new(),
            said,
            sender,
            log: Vec::new(),
            began: Instant::now(),
        })
    }

    /// Starts so many replicas at once. `environment`: what they have beside the usual.
    pub(super) fn start(
        &mut self,
        count: usize,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let first = self.starters.len();
        let made: Vec<anyhow::Result<Starter>> = std::thread::scope(|scope| {
            let (field, database, volume) = (self.field, &*self.name, self.volume);
            let threads: Vec<_> = (first..first + count)
                .map(|at| {
                    scope.spawn(move || {
                        let name =
                            format!("{}-{database}-{}", field.database.stack.project, at + 1);
                        Starter::create(field, database, volume, &name, environment)
                    })
                })
                .collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined
                .map(|made| made.unwrap_or_else(|_| bail!("a thread of the drill ended badly")))
                .collect()
        });
        for starter in made {
            self.starters.push(starter?);
        }
        for at in first..self.starters.len() {
            self.starters[at].run(at, &self.sender)?;
        }
        Ok(())
    }

    /// Starts one again that has ended, as an engine with a restart policy does.
    pub(super) fn start_again(&mut self, at: usize) -> anyhow::Result<()> {
        self.note(at, "(started again)");
        self.starters[at].run(at, &self.sender)
    }

    /// Listens until something is seen, or `None` at the given time.
    pub(super) fn listen<T>(
        &mut self,
        until: Instant,
        seen: impl Fn(&Self) -> Option<T>,
    ) -> Option<T> {
        loop {
            if let Some(seen) = seen(self) {
                return Some(seen);
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(said) => self.hear(said),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Listens until something is seen that must come.
    pub(super) fn expect<T>(
        &mut self,
        what: &str,
        seen: impl Fn(&Self) -> Option<T>,
    ) -> anyhow::Result<T> {
        let until = Instant::now() + PATIENCE;
        self.listen(until, seen)
            .with_context(|| format!("wedged: waited {} s for {what}", PATIENCE.as_secs()))
    }

    /// The one that applies right now.
    pub(super) fn applier(&self) -> Option<usize> {
        self.starters.iter().position(Starter::applies)
    }

    pub(super) fn all_ended(&self) -> bool {
        self.starters.iter().all(Starter::has_ended)
    }

    /// Waits for the next applier; `None` when all have ended without one.
    pub(super) fn next_applier(&mut self) -> anyhow::Result<Option<usize>> {
        self.expect("an applier", |round| match round.applier() {
            Some(at) => Some(Some(at)),
            None => round.all_ended().then_some(None),
        })
    }

    /// `docker kill -s KILL`; whether it found the replica still at work.
    pub(super) fn kill(&mut self, at: usize) -> anyhow::Result<bool> {
        self.note(at, "(killed)");
        let starter = &mut self.starters[at];
        starter.disturbed = true;
        // Fails when the container has just ended by itself; else the wait for its end does.
        let _ = docker(&["kill", "--signal", "KILL", &starter.container]);
        self.expect("a killed container's end", |round| {
            round.starters[at].has_ended().then_some(())
        })?;
        Ok(!self.starters[at].is_done())
    }

    /// Waits until every replica has ended; all but those that were disturbed must end well.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        self.expect("every replica's end", |round| {
            round.all_ended().then_some(())
        })?;
        for starter in &self.starters {
            if !starter.disturbed && starter.last_exit() != Some(0) {
                bail!(
                    "{} ended with {:?}: {}",
                    starter.container,
                    starter.last_exit(),
                    starter.last_words()
                );
            }
        }
        Ok(())
    }

    /// Cuts the connection that holds the migration lock; whether there was one.
    pub(super) fn cut(&self) -> bool {
        let name = &self.name;
        let script = format!(
            "SET @holder = COALESCE(IS_USED_LOCK('schema-migration:{name}:0'), IS_USED_LOCK('schema-migration:{name}:1')); KILL @holder"
        );
        // Fails when it has just ended by itself.
        self.field.database.sql("mysql", &script).is_ok()
    }

    /// Opens or closes the gate at which the unguarded `CALL` waits.
    pub(super) fn gate(&self, open: bool) -> anyhow::Result<()> {
        let script = format!(
            "CREATE TABLE IF NOT EXISTS gate (id INT PRIMARY KEY, open INT NOT NULL); REPLACE INTO gate VALUES (1, {})",
            u8::from(open)
        );
        self.field.database.sql(&self.name, &script).map(drop)
    }

    pub(super) fn volume(&self) -> &'a str {
        self.volume
    }

    pub(super) fn count(&self, of: fn(&Event) -> bool) -> usize {
        let events = self.starters.iter().flat_map(|starter| &starter.events);
        events.filter(|event| of(&event.event)).count()
    }

    pub(super) fn note(&mut self, at: usize, text: &str) {
        let line = format!(
            "{:>8.3} {:>2} {text}",
            self.began.elapsed().as_secs_f64(),
            at + 1
        );
        self.log.push(line);
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Line { starter, text } => {
                self.note(starter, &text);
                self.starters[starter].hear(text);
            }
            Said::Ended { starter, code } => {
                self.note(starter, &format!("(ended with {code:?})"));
                self.starters[starter].ended(code);
            }
        }
    }

    /// Writes down all that was said; the answer is where.
    pub(super) fn keep_log(&self) -> anyhow::Result<PathBuf> {
        let dir = root().join("target/drill");
        fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{}.log", self.name));
        fs::write(&path, self.log.join("\n") + "\n")?;
        Ok(path)
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let mut remove = vec!["rm", "--force", "--volumes"];
        remove.extend(self.starters.iter().map(|starter| &*starter.container));
        let drop = format!("DROP DATABASE `{}`", self.name);
        let removed = docker(&remove).and_then(|_| self.field.database.sql("mysql", &drop));
        if let Err(error) = removed {
            crate::command::say(format!(
                "the containers and the database of {} could not be removed: {error:#}",
                self.name
            ));
        }
    }
}
