//! From the file into the second schema: `mysql`, and what is given to it.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use sysndd_migrator::{EventSink, LEDGER_TABLE, Settings};
use sysndd_protocol::{Event, Level};

use super::super::client::Running;
use super::super::metadata::Metadata;
use super::super::{BackupName, Error};
use super::Run;
use super::schema::{Name, is, tables};

pub(super) const PROGRAM: &str = "mysql";
const PIECE: usize = 128 * 1024;
/// There is no such table.
const NO_TABLE: u16 = 1146;
/// How long jobs may take that run when the fence goes up.
const JOBS_PATIENCE: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Added to the time-out of requests: another replica sees the fence with its next request.
const MARGIN: Duration = Duration::from_millis(500);

impl Run<'_> {
    /// Waits until what began before the fence has ended: requests by their time-out, jobs by their end.
    /// Jobs of backups change nothing in the database but the queue, which is carried over, and they may wait for
    /// the lock that is held here.
    pub(super) async fn quiet(&mut self) -> Result<(), Error> {
        let requests = self.means.request_timeout + MARGIN;
        self.unless_cancelled(async {
            tokio::time::sleep(requests).await;
            Ok(())
        })
        .await?;
        let began = Instant::now();
        loop {
            let running = self
                .lock
                .conn()
                .query_first(
                    "SELECT COUNT(*) FROM jobs WHERE status = 'running' \
                     AND lease_until > UTC_TIMESTAMP(6) AND kind NOT LIKE 'backup.%'",
                )
                .await;
            let running: Option<u64> = match running {
                // A database that lost its tables is what a restore is for.
                Err(error) if is(&error, NO_TABLE) => None,
                running => running?,
            };
            if running.unwrap_or_default() == 0 {
                return Ok(());
            }
            if self.errand.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            if began.elapsed() > JOBS_PATIENCE {
                return Err(Error::Refused(
                    "other jobs run and do not end; stop them, or wait, and try again".into(),
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Fills the second schema with the tables, and writes down what is made anew later.
    pub(super) async fn load(&mut self, name: &BackupName, found: &Metadata) -> Result<(), Error> {
        self.make_schemas().await?;
        let tables = found.definitions_at.unwrap_or(found.dump_bytes);
        let (path, rest) = (
            self.backups.path(name),
            self.backups.fence.definitions("new"),
        );
        let opts = self.opts(&self.schemas.restore);
        let mut command = self.backups.client.command(PROGRAM, &opts);
        command.arg("--binary-mode").arg(&self.schemas.restore);
        let work = feed(command, move |into| {
            let file = BufReader::with_capacity(PIECE, File::open(&path)?);
            let mut text = zstd::stream::read::Decoder::with_buffer(file)?;
            copy((&mut text).take(tables), into)?;
            let mut rest = File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&rest)?;
            copy(text, &mut rest)?;
            rest.sync_all()
        });
        self.unless_cancelled(work).await
    }

    /// What was loaded must be all of the backup, and of this site. Answers how many tables there are.
    pub(super) async fn check(&mut self, name: &BackupName) -> Result<u32, Error> {
        let bad = |what: String| Error::Bad {
            name: name.clone(),
            what,
        };
        let expected = self.backups.find(name).await?.table_count;
        let loaded = tables(self.lock.conn(), &self.schemas.restore).await?;
        let count = u32::try_from(loaded.len()).unwrap_or(u32::MAX);
        if expected != Some(count) || loaded.is_empty() {
            return Err(bad(format!(
                "holds {} tables and {count} were loaded from it",
                expected.unwrap_or_default(),
            )));
        }
        if !loaded.iter().any(|table| table == LEDGER_TABLE) {
            return Err(bad(format!(
                "is of something else: it has no {LEDGER_TABLE}"
            )));
        }
        // What this release does not work with, and what it cannot bring up to date.
        let mut conn = Conn::new(self.opts(&self.schemas.restore)).await?;
        let status = sysndd_migrator::status(&mut conn, &self.means.set).await;
        let _ = conn.disconnect().await;
        let status =
            status.map_err(|error| bad(format!("has a ledger that cannot be read: {error}")))?;
        if status.problems.is_empty() {
            Ok(count)
        } else {
            Err(bad(format!(
                "does not go with this release: {}",
                status.problems.join("; ")
            )))
        }
    }

    /// Brings the live database up to date, as the application's account: what migrations make is its.
    /// Answers the newest one.
    pub(super) async fn migrate(&mut self) -> Result<Option<String>, Error> {
        let (opts, set) = (self.backups.opts.clone(), self.means.set.clone());
        let settings = Settings::new(self.means.replica.clone());
        let migrating = async {
            sysndd_migrator::migrate(opts, &set, &settings, &Quiet)
                .await
                .map_err(|error| {
                    Error::Refused(format!("it cannot be brought up to date: {error}"))
                })
        };
        self.lock.during(migrating).await?;
        let head: Option<String> = self
            .lock
            .conn()
            .query_first(format!(
                "SELECT filename FROM {}.{LEDGER_TABLE} ORDER BY version DESC LIMIT 1",
                Name(&self.schemas.live)
            ))
            .await?;
        Ok(head)
    }
}

/// Events of the migrator are about the start of a replica; here they go to the log.
struct Quiet;

impl EventSink for Quiet {
    fn emit(&self, _: Level, event: Event) {
        if let Event::MigrationApplied { file, .. } = &event {
            tracing::info!(file, "a migration was applied to what is restored");
        }
    }
}

/// Runs the client and gives it what `write` writes.
pub(super) async fn feed(
    mut command: tokio::process::Command,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let (reader, mut writer) =
        std::io::pipe().map_err(Error::file("make a pipe for", Path::new(PROGRAM)))?;
    command.stdin(Stdio::from(reader));
    let running = Running::start(PROGRAM, command)?;
    let writing = tokio::task::spawn_blocking(move || write(&mut writer));
    let (ended, written) = tokio::join!(running.end(), writing);
    let written = written.map_err(|panic| Error::Task(panic.to_string()))?;
    match written {
        // Who reads has ended, and says why.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ended?;
            Err(Error::file("feed", Path::new(PROGRAM))(error))
        }
        Err(error) => Err(Error::file("read", &PathBuf::from("the backup"))(error)),
        Ok(()) => ended,
    }
}

fn copy(mut from: impl Read, into: &mut dyn Write) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        into.write_all(&piece[..length])?;
    }
}
