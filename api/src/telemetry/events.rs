//! The writer of startup events, in the shape that `sysndd-protocol` defines.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use chrono::Utc;
use rustix::process::{Signal, getpid, kill_process};
use sysndd_migrator::{EventSink, Point};
use sysndd_protocol::{Event, Level, StartupEvent};

use crate::config::{Fault, Identity};

/// Signs events and writes them, one line each.
#[derive(Debug)]
pub(crate) struct Events {
    identity: Identity,
    applying: AtomicBool,
    fault: Option<Fault>,
    /// How often the fault's point was reached.
    passed: AtomicUsize,
}

impl Events {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            identity,
            applying: AtomicBool::new(false),
            fault: None,
            passed: AtomicUsize::new(0),
        }
    }

    /// Ends the process at the fault's moment, as `kill -9` does.
    pub(crate) fn dying_at(self, fault: Option<Fault>) -> Self {
        Self { fault, ..self }
    }

    /// Says that something ordinary happened.
    pub(crate) fn info(&self, event: Event) {
        self.emit(Level::Info, event);
    }

    /// Whether this replica is changing the schema right now.
    pub(crate) fn applying(&self) -> bool {
        self.applying.load(SeqCst)
    }
}

impl EventSink for Events {
    fn emit(&self, level: Level, event: Event) {
        match event {
            Event::MigrationLockAcquired { .. } => self.applying.store(true, SeqCst),
            Event::MigrationComplete { .. } | Event::MigrationFailed { .. } => {
                self.applying.store(false, SeqCst);
            }
            _ => {}
        }
        let mut line = StartupEvent {
            ts: Utc::now(),
            level,
            replica: self.identity.replica.clone(),
            release: self.identity.release.clone(),
            event,
        }
        .to_line();
        line.push('\n');
        let mut stdout = std::io::stdout().lock();
        // With standard output closed there is nobody left to tell.
        let _ = stdout
            .write_all(line.as_bytes())
            .and_then(|()| stdout.flush());
    }

    fn reached(&self, point: Point) {
        let Some(fault) = self.fault.filter(|fault| fault.point == point) else {
            return;
        };
        if self.passed.fetch_add(1, SeqCst) + 1 == fault.nth {
            tracing::warn!(%point, nth = fault.nth, "SYSNDD_FAULT: this process kills itself");
            if let Err(error) = kill_process(getpid(), Signal::KILL) {
                tracing::error!(%error, "this process could not kill itself");
            }
        }
    }
}
