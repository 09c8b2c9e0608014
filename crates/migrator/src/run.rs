//! The start-up algorithm: look, wait while another applies, or take the lock, look again, apply.
//!
//! The order of the looks is the point. Who holds the lock is asked *before* the ledger is read:
//! if nobody held it and files are pending afterwards, nobody applied them in between. And after
//! the lock is taken the ledger is read again, because another may have been faster.

use std::collections::BTreeSet;
use std::time::Instant;

use chrono::Utc;
use mysql_async::{Conn, Opts};
use sha2::{Digest as _, Sha256};
use sysndd_protocol::{Event, Level, MigrationPath};

use crate::apply::Applier;
use crate::error::MigrateError;
use crate::files::{MigrationFile, MigrationSet, hex};
use crate::holder::Holder;
use crate::ledger::{self, Ledger, Shape, State};
use crate::lock::{Key, Keys};
use crate::outcome::{Outcome, millis};
use crate::point::Point;
use crate::position::{Position, position};
use crate::session::{Dialer, close};
use crate::settings::{EventSink, Mode, Settings};
use crate::told::Told;

/// Brings the database up to the files, or waits while another replica does.
///
/// The calling task must not be cancelled half-way without reason: a statement that runs in the
/// server then runs on, and the next start carries on from what is certain.
pub async fn migrate(
    opts: Opts,
    set: &MigrationSet,
    settings: &Settings,
    events: &dyn EventSink,
) -> Result<Outcome, MigrateError> {
    let started = Instant::now();
    if settings.mode == Mode::Off {
        return Ok(Outcome::new(
            started,
            MigrationPath::FastPath,
            None,
            Vec::new(),
        ));
    }
    let dialer = Dialer::new(opts, settings)?;
    // The caller tries again when the database is not up yet; that is no failed migration.
    let conn = dialer.connect().await?;
    let keys = Keys::of(dialer.database());
    let start = Start {
        dialer: &dialer,
        keys: &keys,
        set,
        settings,
        events,
        started,
    };
    let result = start.run(conn).await;
    if let Err(error) = &result {
        events.emit(
            Level::Error,
            Event::MigrationFailed {
                file: error.file().map(str::to_owned),
                statement: error.statement(),
                code: error.code(),
                message: error.to_string(),
            },
        );
    }
    result
}

/// One call of [`migrate`].
struct Start<'a> {
    dialer: &'a Dialer,
    keys: &'a Keys,
    set: &'a MigrationSet,
    settings: &'a Settings,
    events: &'a dyn EventSink,
    started: Instant,
}

impl Start<'_> {
    async fn run(&self, mut conn: Conn) -> Result<Outcome, MigrateError> {
        let ledger = self.read(&mut conn).await?;
        let first = self.position(&ledger)?;
        if first.pending.is_empty() {
            let head = first.head.map(str::to_owned);
            self.events
                .emit(Level::Info, Event::MigrationFastPath { head });
            close(conn);
            return Ok(self.done(MigrationPath::FastPath, &first));
        }
        self.events.emit(
            Level::Info,
            Event::MigrationPending {
                count: first.pending.len(),
                files: names(&first.pending),
            },
        );
        refuse_doubts(&first, &ledger)?;
        self.wait_or_apply(conn, &failures(&ledger)).await
    }

    /// `known`: failures that stood in the ledger before this start.
    async fn wait_or_apply(
        &self,
        mut conn: Conn,
        known: &BTreeSet<(String, Option<String>)>,
    ) -> Result<Outcome, MigrateError> {
        let waiting = Instant::now();
        // Also a waiter needs it: on a server without autocommit every look would be the first.
        self.dialer.prepare(&mut conn).await?;
        let mut told = Told::default();
        loop {
            let holder = self
                .dialer
                .bounded("asking who holds the lock", self.keys.used_by(&mut conn))
                .await?;
            let ledger = self.read(&mut conn).await?;
            let now = self.position(&ledger)?;
            if now.pending.is_empty() {
                close(conn);
                return Ok(self.observed(&now, &ledger, waiting, false));
            }
            self.failed_elsewhere(&ledger, known)?;
            if holder.is_none() && self.settings.mode == Mode::Auto {
                if self
                    .dialer
                    .bounded("taking the lock", self.keys.begin(&mut conn))
                    .await?
                {
                    return self.under_lock(conn, waiting).await;
                }
            } else if let Some(connection) = holder
                && told.wants(connection, self.settings.wait_report)
            {
                let holder = self.name(&mut conn, connection).await;
                if let Some((level, holder)) = told.say(holder, self.settings.wait_report) {
                    let holder = Some(holder);
                    self.events.emit(level, Event::MigrationLockWait { holder });
                }
            }
            if waiting.elapsed() >= self.settings.wait_budget {
                let holder = match holder {
                    Some(connection) => Some(self.name(&mut conn, connection).await.to_string()),
                    None => None,
                };
                return Err(MigrateError::WaitedTooLong {
                    waited: waiting.elapsed(),
                    holder,
                    pending: names(&now.pending),
                    check: self.settings.mode == Mode::Check,
                });
            }
            tokio::time::sleep(self.settings.poll_interval).await;
        }
    }

    async fn under_lock(&self, mut conn: Conn, waiting: Instant) -> Result<Outcome, MigrateError> {
        self.events.reached(Point::LockTaken);
        let ledger = self.read(&mut conn).await?;
        let now = self.position(&ledger)?;
        if now.pending.is_empty() {
            self.dialer
                .bounded("releasing the lock", self.keys.free(&mut conn, Key::Zero))
                .await?;
            close(conn);
            return Ok(self.observed(&now, &ledger, waiting, true));
        }
        refuse_doubts(&now, &ledger)?;
        let waited_ms = millis(waiting);
        let under_lock = Instant::now();
        let run_id = run_id(self.settings, &conn);
        self.events.emit(
            Level::Info,
            Event::MigrationLockAcquired {
                waited_ms,
                run_id: Some(run_id.clone()),
            },
        );
        let shape = self.ready_ledger(&mut conn, &ledger.shape).await?;
        self.events.reached(Point::LedgerReady);
        let mut applier = Applier {
            dialer: self.dialer,
            keys: self.keys,
            settings: self.settings,
            events: self.events,
            run_id: run_id.clone(),
            shape,
            conn,
            key: Key::Zero,
            unwritten: None,
            transactional: None,
        };
        let mut passed = Ok(());
        for file in &now.pending {
            passed = applier.file(file, ledger.get(file.name())).await;
            if passed.is_err() {
                break;
            }
        }
        // Also when a file failed before its own begin was written, the one before it is done.
        let written = applier.write(None).await;
        if let Err(error) = passed.and(written) {
            // Those who wait need not wait for the connection to end.
            if let Err(unfreed) = applier.finish().await {
                tracing::debug!(%unfreed, "the lock ends with the connection");
            }
            return Err(error);
        }
        self.events.reached(Point::BeforeRelease);
        applier.finish().await?;
        let done = names(&now.pending);
        self.events.emit(
            Level::Info,
            Event::MigrationComplete {
                applied: done.len(),
                duration_ms: millis(under_lock),
            },
        );
        let head = newest(now.head, done.last().map(String::as_str));
        let mut outcome = Outcome::new(self.started, MigrationPath::Applied, head, ahead(&now));
        outcome.startup.lock_acquired = true;
        outcome.startup.lock_waited_ms = waited_ms;
        outcome.startup.applied = done.len();
        outcome.applied = done;
        outcome.run_id = Some(run_id);
        Ok(outcome)
    }

    /// The ledger table, made or brought up to date. Only under the lock.
    async fn ready_ledger(&self, conn: &mut Conn, shape: &Shape) -> Result<Shape, MigrateError> {
        match shape {
            Shape::Absent => {
                self.dialer
                    .bounded("creating the ledger", ledger::create(conn))
                    .await?;
                Ok(Shape::Present {
                    missing: Vec::new(),
                    success: false,
                })
            }
            Shape::Present { missing, success } => {
                if !missing.is_empty() {
                    self.dialer
                        .bounded("adopting the ledger", ledger::adopt(conn, missing))
                        .await?;
                }
                Ok(Shape::Present {
                    missing: Vec::new(),
                    success: *success,
                })
            }
        }
    }

    async fn read(&self, conn: &mut Conn) -> Result<Ledger, MigrateError> {
        self.dialer
            .bounded("reading the ledger", ledger::read(conn))
            .await
    }

    fn position<'b>(&'b self, ledger: &'b Ledger) -> Result<Position<'b>, MigrateError> {
        let found = position(self.set, &ledger.rows, self.settings.gaps);
        if found.refusals.is_empty() {
            Ok(found)
        } else {
            Err(MigrateError::Refused(found.refusals))
        }
    }

    /// Another's attempt that failed while this one waited is not repeated: it would fail again.
    fn failed_elsewhere(
        &self,
        ledger: &Ledger,
        known: &BTreeSet<(String, Option<String>)>,
    ) -> Result<(), MigrateError> {
        let new = |row: &&ledger::LedgerRow| {
            has_failed(row.state) && !known.contains(&(row.filename.clone(), row.run_id.clone()))
                // A release with another text of the file tries its own.
                && self.set.get(&row.filename).is_some_and(|file| row.checksum.as_deref() == Some(file.checksum()))
        };
        match ledger.rows.iter().find(new) {
            None => Ok(()),
            // A person's to decide, whoever found it.
            Some(row) if row.state == State::InDoubt => Err(in_doubt(row)),
            Some(row) => Err(MigrateError::FailedElsewhere {
                file: row.filename.clone(),
                by: row.applied_by.clone(),
                error: row
                    .error
                    .clone()
                    .unwrap_or_else(|| "it did not say why".to_owned()),
            }),
        }
    }

    async fn name(&self, conn: &mut Conn, connection: u32) -> Holder {
        let name = async { Ok(Holder::of(conn, connection).await) };
        let name = self.dialer.bounded("naming the holder", name).await;
        // The name is for people; without it the number must do.
        name.unwrap_or_else(|_| Holder::unnamed(connection))
    }

    fn observed(
        &self,
        now: &Position<'_>,
        ledger: &Ledger,
        waiting: Instant,
        lock_taken: bool,
    ) -> Outcome {
        let by = now
            .head
            .and_then(|head| ledger.get(head))
            .and_then(|row| row.applied_by.clone());
        self.events
            .emit(Level::Info, Event::MigrationObserved { by, lock_taken });
        let mut outcome = self.done(MigrationPath::Observed, now);
        outcome.startup.lock_waited_ms = millis(waiting);
        outcome
    }

    fn done(&self, path: MigrationPath, now: &Position<'_>) -> Outcome {
        Outcome::new(self.started, path, now.head.map(str::to_owned), ahead(now))
    }
}

/// A file in doubt is a person's to decide; no lock helps.
fn refuse_doubts(now: &Position<'_>, ledger: &Ledger) -> Result<(), MigrateError> {
    let doubt = now.pending.iter().find_map(|file| {
        let row = ledger
            .get(file.name())
            .filter(|row| row.state == State::InDoubt)?;
        Some(in_doubt(row))
    });
    doubt.map_or(Ok(()), Err)
}

fn in_doubt(row: &ledger::LedgerRow) -> MigrateError {
    MigrateError::InDoubt {
        file: row.filename.clone(),
        statement: row.in_doubt.unwrap_or(1),
        reason: row
            .error
            .clone()
            .unwrap_or_else(|| "an earlier start found so".to_owned()),
    }
}

fn has_failed(state: State) -> bool {
    matches!(state, State::Failed | State::InDoubt)
}

fn failures(ledger: &Ledger) -> BTreeSet<(String, Option<String>)> {
    let failed = ledger.rows.iter().filter(|row| has_failed(row.state));
    failed
        .map(|row| (row.filename.clone(), row.run_id.clone()))
        .collect()
}

fn names(files: &[&MigrationFile]) -> Vec<String> {
    files.iter().map(|file| file.name().to_owned()).collect()
}

fn ahead(now: &Position<'_>) -> Vec<String> {
    now.ahead.iter().map(|row| row.filename.clone()).collect()
}

/// Of two heads, the one with the higher number.
fn newest(before: Option<&str>, applied: Option<&str>) -> Option<String> {
    let number = |name: &str| crate::files::version_and_rest(name).map(|(version, _)| version);
    [before, applied]
        .into_iter()
        .flatten()
        .max_by_key(|name| number(name))
        .map(str::to_owned)
}

/// Time, and what tells two passes of one second apart.
fn run_id(settings: &Settings, conn: &Conn) -> String {
    let now = Utc::now();
    let seed = format!(
        "{}/{}/{}/{:?}",
        settings.replica,
        std::process::id(),
        conn.id(),
        now
    );
    format!(
        "{}-{}",
        now.format("%Y%m%dT%H%M%S"),
        &hex(&Sha256::digest(seed))[..12]
    )
}
