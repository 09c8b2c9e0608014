//! Applies one file, under the lock, unit by unit, and keeps the ledger true at every moment.
//!
//! It never writes to the ledger on a connection that may have lost the lock, and never on a
//! session that a file may have changed: such a session is replaced first.

mod definition;
mod failure;
mod handover;
mod post_condition;
mod unit;

use std::time::Instant;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use sysndd_protocol::{Event, Level};

use crate::error::MigrateError;
use crate::files::MigrationFile;
use crate::ledger::{self, Doubt, LedgerRow, Shape};
use crate::lock::{Key, Keys};
use crate::outcome::millis;
use crate::point::Point;
use crate::resume::{Resume, resume};
use crate::session::{Dialer, close};
use crate::settings::{EventSink, Settings};
use crate::units::{How, Units};

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
        let begin = ledger::begin(
            &mut self.conn,
            &self.shape,
            file,
            done,
            self.settings,
            &self.run_id,
        );
        self.dialer.bounded("writing the ledger", begin).await?;
        self.events.reached(Point::FileBegun);
        if row.is_some() {
            let event = Event::MigrationResumed {
                version: file.version(),
                from_statement: done + 1,
            };
            self.events.emit(Level::Warn, event);
        }
        for unit in &units.units[from..] {
            if let Err(failure) = self.unit(file, &units, unit).await {
                return Err(self.failed(file, failure, started).await);
            }
        }
        self.events.reached(Point::PostCondition);
        self.post_condition(file, started).await?;
        let duration_ms = millis(started);
        let applied = ledger::applied(&mut self.conn, &self.shape, file, duration_ms);
        self.dialer.bounded("writing the ledger", applied).await?;
        self.events.reached(Point::FileDone);
        self.events.emit(
            Level::Info,
            Event::MigrationApplied {
                version: file.version(),
                file: file.name().to_owned(),
                statements: file.statements().len(),
                duration_ms,
            },
        );
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
        if !units.has_rows() {
            return Ok(units);
        }
        let query = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' \
             AND ENGINE NOT IN ('InnoDB', 'PERFORMANCE_SCHEMA') \
             AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')";
        let conn = &mut self.conn;
        let others = self.dialer.bounded("reading the storage engines", async {
            conn.query_first::<u64, _>(query)
                .await
                .map_err(|source| MigrateError::Session { source })
        });
        let others = others.await?.unwrap_or(0);
        Ok(if others == 0 {
            units
        } else {
            Units::of(file, false)
        })
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
                let How::Definition(objects) = &units.units[unit].how else {
                    return Ok(unit);
                };
                match self.definitions(objects).await? {
                    Some(now) if now == before_hash => Ok(unit),
                    Some(_) => Ok(unit + 1),
                    None => {
                        let reason = "its target's definition cannot be read".to_owned();
                        Err(self
                            .in_doubt(file, row, units.units[unit].first, reason)
                            .await)
                    }
                }
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
        reason: String,
    ) -> MigrateError {
        let done = row
            .map_or(0, |row| row.statements_done)
            .min(file.statements().len());
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
        let noted = ledger::checkpoint(&mut self.conn, file, done, doubt);
        self.dialer.bounded("writing the ledger", noted).await
    }
}
