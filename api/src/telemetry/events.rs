//! The writer of startup events, in the shape that `sysndd-protocol` defines.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use chrono::Utc;
use sysndd_migrator::EventSink;
use sysndd_protocol::{Event, Level, StartupEvent};

use crate::config::Identity;

/// Signs events and writes them, one line each.
#[derive(Debug)]
pub(crate) struct Events {
    identity: Identity,
    applying: AtomicBool,
}

impl Events {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            identity,
            applying: AtomicBool::new(false),
        }
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
}
