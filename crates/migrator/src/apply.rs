//! Applies one file, under the lock, unit by unit, and keeps the ledger true at every moment.
//!
//! It never writes to the ledger on a connection that may have lost the lock, and never on a
//! session that a file may have changed: such a session is replaced first.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value};
use sha2::{Digest as _, Sha256};
use sysndd_protocol::{Event, Level};

use crate::classify::{Object, ObjectKind};
use crate::error::{MigrateError, StatementError, is_transient, server_code, shortened};
use crate::files::{MigrationFile, hex};
use crate::ledger::{self, Doubt, LedgerRow, Shape};
use crate::lock::{Key, Keys};
use crate::resume::{Resume, resume};
use crate::session::{Dialer, RunError, close};
use crate::settings::{EventSink, Settings};
use crate::units::{How, Unit, Units};

/// How long taking over the other key may take. Only a starter that looks, or a session that is
/// just ending, can have it.
const KEY_PATIENCE: Duration = Duration::from_secs(10);
const KEY_RETRY: Duration = Duration::from_millis(20);

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

/// How a unit ended that did not end well.
struct Failure {
    /// Index of the statement.
    statement: usize,
    cause: Cause,
    /// Whether the session must be replaced before anything else is done on it.
    dirty: bool,
    /// Statements that are certainly done, and whether the unit itself is in doubt.
    done: usize,
    in_doubt: bool,
}

enum Cause {
    Run(RunError),
    Ours(MigrateError),
    OpenTransaction,
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
        self.post_condition(file, started).await?;
        let duration_ms = millis(started);
        let applied = ledger::applied(&mut self.conn, &self.shape, file, duration_ms);
        self.dialer.bounded("writing the ledger", applied).await?;
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

    async fn unit(
        &mut self,
        file: &MigrationFile,
        units: &Units,
        unit: &Unit,
    ) -> Result<(), Failure> {
        match &unit.how {
            How::Rows => self.rows(file, unit, true).await,
            How::Transaction => self.rows(file, unit, false).await,
            How::Definition(objects) => self.definition(file, unit, objects).await,
            How::Opaque { dirties, .. } => self.opaque(file, units, unit, *dirties).await,
        }
    }

    /// Row changes and the progress in one transaction: exactly once.
    async fn rows(&mut self, file: &MigrationFile, unit: &Unit, ours: bool) -> Result<(), Failure> {
        let certain = |statement, cause| Failure {
            statement,
            cause,
            dirty: true,
            done: unit.first,
            in_doubt: false,
        };
        // A transaction of the file's own ends with its COMMIT, which waits for the ledger.
        let (last, commit) = if ours {
            (unit.last, "COMMIT")
        } else {
            (unit.last - 1, &*file.statements()[unit.last].text)
        };
        if ours {
            self.run("BEGIN")
                .await
                .map_err(|error| certain(unit.first, Cause::Run(error)))?;
        }
        for at in unit.first..=last {
            self.statement(file, at)
                .await
                .map_err(|error| certain(at, Cause::Run(error)))?;
        }
        let nothing_begun = Doubt::default();
        let noted = ledger::checkpoint(&mut self.conn, file, unit.last + 1, &nothing_begun);
        self.dialer
            .bounded("writing the ledger", noted)
            .await
            .map_err(|error| certain(unit.last, Cause::Ours(error)))?;
        self.run(commit)
            .await
            .map_err(|error| certain(unit.last, Cause::Run(error)))?;
        Ok(())
    }

    /// One definition, noted down before with what its targets look like.
    async fn definition(
        &mut self,
        file: &MigrationFile,
        unit: &Unit,
        objects: &[Object],
    ) -> Result<(), Failure> {
        let at = unit.first;
        let failure = |cause, in_doubt| Failure {
            statement: at,
            cause,
            dirty: false,
            done: at,
            in_doubt,
        };
        let before_hash = self
            .definitions(objects)
            .await
            .map_err(|error| failure(Cause::Ours(error), false))?;
        let doubt = Doubt {
            statement: Some(at + 1),
            before_hash: before_hash.clone(),
        };
        let noted = ledger::checkpoint(&mut self.conn, file, at, &doubt);
        self.dialer
            .bounded("writing the ledger", noted)
            .await
            .map_err(|error| failure(Cause::Ours(error), false))?;
        let Err(error) = self.statement(file, at).await else {
            // That it is done is written with the next unit, or with the file's end. Until then
            // the changed definition tells.
            return Ok(());
        };
        // Refused, so nothing happened; and if something did, a person looks.
        let unchanged = before_hash.is_some()
            && self
                .definitions(objects)
                .await
                .is_ok_and(|now| now == before_hash);
        Err(failure(Cause::Run(error), !unchanged))
    }

    async fn opaque(
        &mut self,
        file: &MigrationFile,
        units: &Units,
        unit: &Unit,
        dirties: bool,
    ) -> Result<(), Failure> {
        let failure = |statement, cause, done, in_doubt| Failure {
            statement,
            cause,
            dirty: true,
            done,
            in_doubt,
        };
        let doubt = Doubt {
            statement: Some(unit.first + 1),
            before_hash: None,
        };
        let noted = ledger::checkpoint(&mut self.conn, file, unit.first, &doubt);
        self.dialer
            .bounded("writing the ledger", noted)
            .await
            .map_err(|error| failure(unit.first, Cause::Ours(error), unit.first, false))?;
        for at in unit.first..=unit.last {
            let cause = match self.statement(file, at).await {
                Ok(in_transaction) if in_transaction && at == unit.last => Cause::OpenTransaction,
                Ok(_) => continue,
                Err(error) => Cause::Run(error),
            };
            if file.may_rerun() {
                return Err(failure(at, cause, 0, false));
            }
            return Err(failure(
                at,
                cause,
                unit.first,
                !units.guarded(unit.first, at),
            ));
        }
        if dirties {
            let last = unit.last;
            self.renew()
                .await
                .map_err(|error| failure(last, Cause::Ours(error), unit.first, true))?;
        }
        Ok(())
    }

    /// Runs one statement; true when it leaves a transaction open.
    async fn statement(&mut self, file: &MigrationFile, at: usize) -> Result<bool, RunError> {
        let statement = &file.statements()[at];
        let ran = self.dialer.run(&mut self.conn, &statement.text).await?;
        if ran.warnings > 0 {
            // Asking which ones would change what ROW_COUNT() and the like say to the next one.
            tracing::warn!(
                file = file.name(),
                line = statement.line,
                statement = at + 1,
                warnings = ran.warnings,
                text = shortened(&statement.text),
                "a migration statement gave warnings"
            );
        }
        Ok(ran.in_transaction)
    }

    async fn run(&mut self, statement: &str) -> Result<(), RunError> {
        self.dialer.run(&mut self.conn, statement).await.map(|_| ())
    }

    async fn post_condition(
        &mut self,
        file: &MigrationFile,
        started: Instant,
    ) -> Result<(), MigrateError> {
        let Some(verify) = file.verify() else {
            return Ok(());
        };
        let (code, reason) = match self.dialer.rows(&mut self.conn, &verify.query).await {
            Ok(rows) => match holds(rows) {
                Ok(()) => return Ok(()),
                Err(answer) => (None, answer),
            },
            Err(RunError::Statement(error)) if !is_transient(&error) => {
                (server_code(&error), error.to_string())
            }
            Err(RunError::Statement(source)) => {
                return Err(MigrateError::Lost {
                    reason: source.to_string(),
                });
            }
            Err(RunError::Lost(reason)) => return Err(MigrateError::Lost { reason }),
        };
        let total = file.statements().len();
        let error = StatementError {
            file: file.name().to_owned(),
            line: verify.line,
            statement: 0,
            statements: total,
            text: shortened(&verify.query),
            code,
            reason,
            next: format!(
                "Its {total} statements ran. Mend the data and start again: only this check is repeated"
            ),
            transient: false,
        };
        let text = error.to_string();
        let noted = ledger::failed(&mut self.conn, file, total, None, &text, millis(started));
        self.dialer.bounded("writing the ledger", noted).await?;
        Err(MigrateError::Statement(Box::new(error)))
    }

    /// Notes a failure in the ledger where that is still ours to write, and says it.
    async fn failed(
        &mut self,
        file: &MigrationFile,
        failure: Failure,
        started: Instant,
    ) -> MigrateError {
        let Failure {
            statement,
            cause,
            dirty,
            done,
            in_doubt,
        } = failure;
        let (code, reason, lost) = match cause {
            Cause::Ours(error) => return error,
            Cause::OpenTransaction => (
                None,
                "the file leaves a transaction open, and its changes are lost; end it with COMMIT"
                    .to_owned(),
                false,
            ),
            Cause::Run(RunError::Lost(reason)) => (None, reason, true),
            Cause::Run(RunError::Statement(error)) => {
                (server_code(&error), error.to_string(), is_transient(&error))
            }
        };
        let next = match (lost, in_doubt) {
            (true, _) => {
                "The connection is lost; the next start goes on where it is certain".to_owned()
            }
            (false, true) => format!(
                "How much of it took effect cannot be told. Look at the schema and mend the file, then run \
                 `migrate resolve {0} --retry` to run it again from statement {1} or `migrate resolve {0} --done` to go on behind it",
                file.name(),
                done + 1
            ),
            (false, false) => format!(
                "{} of {} statements are applied and recorded, and every file before. Mend the file and start again: \
                 it goes on with statement {}",
                done,
                file.statements().len(),
                done + 1
            ),
        };
        let error = StatementError {
            file: file.name().to_owned(),
            line: file.statements()[statement].line,
            statement: statement + 1,
            statements: file.statements().len(),
            text: shortened(&file.statements()[statement].text),
            code,
            reason,
            next,
            transient: lost,
        };
        if !lost
            && let Err(unwritten) = self
                .note(file, dirty, done, in_doubt, &error.to_string(), started)
                .await
        {
            tracing::error!(file = file.name(), %unwritten, "the failure of a migration could not be recorded");
        }
        MigrateError::Statement(Box::new(error))
    }

    async fn note(
        &mut self,
        file: &MigrationFile,
        dirty: bool,
        done: usize,
        in_doubt: bool,
        text: &str,
        started: Instant,
    ) -> Result<(), MigrateError> {
        if dirty {
            // Ends what the failed statement left: an open transaction, table locks, settings.
            self.renew().await?;
        }
        let in_doubt = in_doubt.then_some(done + 1);
        let noted = ledger::failed(&mut self.conn, file, done, in_doubt, text, millis(started));
        self.dialer.bounded("writing the ledger", noted).await
    }

    /// Changes to a fresh session without ever being without the lock (see `lock`).
    async fn renew(&mut self) -> Result<(), MigrateError> {
        let mut fresh = self.dialer.connect().await?;
        self.dialer.prepare(&mut fresh).await?;
        let (keys, old_key, new_key) = (self.keys, self.key, self.key.other());
        let deadline = Instant::now() + KEY_PATIENCE;
        while !self
            .dialer
            .bounded("taking the lock over", keys.take(&mut fresh, new_key))
            .await?
        {
            if Instant::now() > deadline {
                return Err(MigrateError::Lost {
                    reason: "the lock could not be taken over to a new session".to_owned(),
                });
            }
            tokio::time::sleep(KEY_RETRY).await;
        }
        // Only a session that still has its key now had it all the time.
        if !self
            .dialer
            .bounded("looking after the lock", keys.has(&mut self.conn, old_key))
            .await?
        {
            return Err(MigrateError::Lost {
                reason: "the session no longer held the migration lock".to_owned(),
            });
        }
        self.key = new_key;
        close(std::mem::replace(&mut self.conn, fresh));
        Ok(())
    }

    /// Hash of the definitions of these objects, absent ones included; `None` when one cannot be
    /// read.
    async fn definitions(&mut self, objects: &[Object]) -> Result<Option<String>, MigrateError> {
        let mut hash = Sha256::new();
        for object in objects {
            let conn = &mut self.conn;
            let shown = self.dialer.bounded("reading a definition", async {
                match conn.query_first::<Row, _>(show_create(object)).await {
                    Ok(Some(row)) => Ok(Some(definition_text(&row))),
                    Err(error)
                        if server_code(&error).is_some_and(|code| ABSENT.contains(&code)) =>
                    {
                        Ok(Some("absent".to_owned()))
                    }
                    Ok(None) | Err(mysql_async::Error::Server(_)) => Ok(None),
                    Err(source) => Err(MigrateError::Session { source }),
                }
            });
            let Some(text) = shown.await? else {
                return Ok(None);
            };
            hash.update(text);
            hash.update([0]);
        }
        Ok(Some(hex(&hash.finalize())))
    }
}

/// No such table, routine, trigger, event, database: answers of `SHOW CREATE` only.
const ABSENT: [u16; 5] = [1146, 1305, 1360, 1539, 1049];

fn show_create(object: &Object) -> String {
    let kind = match object.kind {
        ObjectKind::Table => "TABLE",
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Function => "FUNCTION",
        ObjectKind::Trigger => "TRIGGER",
        ObjectKind::Event => "EVENT",
    };
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let schema = object
        .schema
        .as_deref()
        .map(|schema| format!("{}.", quoted(schema)))
        .unwrap_or_default();
    format!("SHOW CREATE {kind} {schema}{}", quoted(&object.name))
}

fn definition_text(row: &Row) -> String {
    let columns: Vec<String> = (0..row.len())
        .map(|at| match row.as_ref(at) {
            Some(Value::Bytes(bytes)) => without_auto_increment(&String::from_utf8_lossy(bytes)),
            other => format!("{other:?}"),
        })
        .collect();
    columns.join("\u{1f}")
}

/// The counter of a table moves with every insert of the running application.
fn without_auto_increment(definition: &str) -> String {
    let Some((before, rest)) = definition.split_once(" AUTO_INCREMENT=") else {
        return definition.to_owned();
    };
    format!(
        "{before}{}",
        rest.trim_start_matches(|digit: char| digit.is_ascii_digit())
    )
}

/// Whether a post-condition's answer is one true value; what it is instead.
fn holds(rows: Vec<Row>) -> Result<(), String> {
    let [row] = &rows[..] else {
        return Err(format!("it returned {} rows instead of one", rows.len()));
    };
    if row.len() != 1 {
        return Err(format!("it returned {} columns instead of one", row.len()));
    }
    match row.as_ref(0) {
        Some(Value::Bytes(bytes)) => {
            let text = String::from_utf8_lossy(bytes);
            match text.trim().parse::<f64>() {
                Ok(number) if number != 0.0 => Ok(()),
                _ => Err(format!("its answer is `{}`", shortened(&text))),
            }
        }
        Some(Value::NULL) | None => Err("its answer is NULL".to_owned()),
        Some(Value::Int(0) | Value::UInt(0)) => Err("its answer is 0".to_owned()),
        Some(_) => Ok(()),
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_of_a_table_is_not_part_of_its_definition() {
        assert_eq!(
            without_auto_increment(
                "CREATE TABLE a (b INT) ENGINE=InnoDB AUTO_INCREMENT=17 COMMENT='c'"
            ),
            "CREATE TABLE a (b INT) ENGINE=InnoDB COMMENT='c'"
        );
    }

    #[test]
    fn objects_are_asked_for_by_their_quoted_name() {
        let object = Object {
            kind: ObjectKind::Table,
            schema: Some("o`dd".into()),
            name: "a".into(),
        };
        assert_eq!(show_create(&object), "SHOW CREATE TABLE `o``dd`.`a`");
    }
}
