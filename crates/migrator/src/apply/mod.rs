//! Applies one file, under the lock, unit by unit, and keeps the ledger true at every moment.
//!
//! It never writes to the ledger on a connection that may have lost the lock, and never on a
//! session that a file may have changed: such a session is replaced first.

mod definition;
mod failure;
mod handover;
mod note;
mod post_condition;
mod unit;

pub(crate) use post_condition::holds;

use std::time::Instant;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use sysndd_protocol::{Event, Level};

use crate::error::MigrateError;
use crate::files::MigrationFile;
use crate::ledger::{self, Doubt, Entry, LedgerRow, Shape};
use crate::lock::{Key, Keys};
use crate::outcome::millis;
use crate::point::Point;
use crate::resolve::end_of_step;
use crate::resume::{Resume, resume};
use crate::session::{Dialer, close};
use crate::settings::{EventSink, Settings};
use crate::units::{How, OTHER_ENGINES, Unit, Units};

/// One pass over the pending files: the session that holds the lock, and what it writes under.
pub(crate) struct Applier<'a> {
    pub(crate) dialer: &'a Dialer,
    pub(crate) keys: &'a Keys,
    pub(crate) settings: &'a Settings,
    pub(crate) events: &'a dyn EventSink,
    pub(crate) run_id: String,
    pub(crate) shape: Shape,
    pub(crate) conn: Conn,
    pub(crate) key: Key,
    /// The file before, whose end goes into the ledger with the begin of the next.
    pub(crate) unwritten: Option<Finished>,
    /// Whether every table is known to be transactional; `None` when that must be asked.
    pub(crate) transactional: Option<bool>,
}

/// A file that is done and whose row does not say so yet.
pub(crate) struct Finished {
    entry: Entry,
    event: Event,
}

impl Applier<'_> {
    /// Applies what is not yet done of one file.
    pub(crate) async fn file(
        &mut self,
        file: &MigrationFile,
        row: Option<&LedgerRow>,
    ) -> Result<(), MigrateError> {
        let started = Instant::now();
        let units = self.units(file).await?;
        let from = self.starting_point(file, &units, row).await?;
        let done = units
            .units
            .get(from)
            .map_or(file.statements().len(), |unit| unit.first);
        // With the row goes what the first definition needs noted, and the end of the file before.
        let mut note = self.note_for(&units, from).await?;
        let begin = ledger::begin(
            &self.shape,
            file,
            done,
            &note.doubt,
            self.settings,
            &self.run_id,
        );
        self.write(Some(begin)).await?;
        self.events.reached(Point::FileBegun);
        if row.is_some() {
            let event = Event::MigrationResumed {
                version: file.version(),
                from_statement: done + 1,
            };
            self.events.emit(Level::Warn, event);
        }
        for unit in from..units.units.len() {
            if let Err(failure) = self.unit(file, &units, unit, &mut note).await {
                return Err(self.failed(file, failure, started).await);
            }
        }
        self.events.reached(Point::PostCondition);
        self.post_condition(file, started).await?;
        let duration_ms = millis(started);
        self.unwritten = Some(Finished {
            entry: ledger::applied(&self.shape, file, duration_ms),
            event: Event::MigrationApplied {
                version: file.version(),
                file: file.name().to_owned(),
                statements: file.statements().len(),
                duration_ms,
            },
        });
        Ok(())
    }

    /// Writes the end of the file before, if that was not written yet, and `more` with it.
    pub(crate) async fn write(&mut self, more: Option<Entry>) -> Result<(), MigrateError> {
        let before = self.unwritten.take();
        let entries: Vec<Entry> = before
            .iter()
            .map(|finished| finished.entry.clone())
            .chain(more)
            .collect();
        let sent = ledger::send(&mut self.conn, &entries);
        self.dialer.bounded("writing the ledger", sent).await?;
        if let Some(finished) = before {
            self.events.reached(Point::FileDone);
            self.events.emit(Level::Info, finished.event);
        }
        Ok(())
    }

    /// Gives the lock back and ends the session.
    pub(crate) async fn finish(mut self) -> Result<(), MigrateError> {
        let freed = self
            .dialer
            .bounded(
                "releasing the lock",
                self.keys.free(&mut self.conn, self.key),
            )
            .await;
        close(self.conn);
        freed
    }

    async fn units(&mut self, file: &MigrationFile) -> Result<Units, MigrateError> {
        let units = Units::of(file, true);
        let transactional = match self.transactional {
            _ if !units.has_rows() => return Ok(units),
            Some(known) => known,
            None => self.ask_engines().await?,
        };
        // Row changes and definitions of InnoDB tables keep it so.
        let plain = |unit: &Unit| !matches!(unit.how, How::Opaque { .. });
        let keeps =
            units.units.iter().all(plain) && !units.classes.iter().any(|class| class.other_engine);
        self.transactional = Some(transactional).filter(|_| keeps);
        Ok(if transactional {
            units
        } else {
            Units::of(file, false)
        })
    }

    /// Whether every table is transactional, and every new one will be.
    async fn ask_engines(&mut self) -> Result<bool, MigrateError> {
        let conn = &mut self.conn;
        let others = self.dialer.bounded("reading the storage engines", async {
            conn.query_first::<u64, _>(OTHER_ENGINES)
                .await
                .map_err(|source| MigrateError::Session { source })
        });
        Ok(others.await?.unwrap_or(0) == 0)
    }

    async fn starting_point(
        &mut self,
        file: &MigrationFile,
        units: &Units,
        row: Option<&LedgerRow>,
    ) -> Result<usize, MigrateError> {
        match resume(file, units, row) {
            Resume::At(unit) => Ok(unit),
            Resume::Compare { unit, before_hash } => {
                if let Some(undone) = self.first_undone(units, unit, &before_hash).await? {
                    return Ok(undone);
                }
                let reason = "its target's definition cannot be read".to_owned();
                let statement = units.units[unit].first;
                Err(self.in_doubt(file, row, statement, reason).await)
            }
            Resume::InDoubt { statement, reason } => {
                Err(self.in_doubt(file, row, statement, reason).await)
            }
        }
    }

    async fn in_doubt(
        &mut self,
        file: &MigrationFile,
        row: Option<&LedgerRow>,
        statement: usize,
        mut reason: String,
    ) -> MigrateError {
        let last = end_of_step(file, statement);
        if last > statement + 1 {
            reason.push_str(&format!(
                "; statements {} to {last} are one step: `--done` says that all of them took effect",
                statement + 1
            ));
        }
        let done = row
            .map_or(0, |row| row.statements_done)
            .min(file.statements().len());
        if let Err(error) = self.write(None).await {
            return error;
        }
        let noted = ledger::failed(&mut self.conn, file, done, Some(statement + 1), &reason, 0);
        match self.dialer.bounded("writing the ledger", noted).await {
            Ok(()) => MigrateError::InDoubt {
                file: file.name().to_owned(),
                statement: statement + 1,
                reason,
            },
            Err(error) => error,
        }
    }

    /// The first `done` statements are certain; `doubt` is what begins now.
    async fn checkpoint(
        &mut self,
        file: &MigrationFile,
        done: usize,
        doubt: &Doubt,
    ) -> Result<(), MigrateError> {
        self.write(Some(ledger::checkpoint(file, done, doubt)))
            .await
    }
}
