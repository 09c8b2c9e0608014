//! From the database into a compressed file: `mysqldump`, and what is done to what it writes.
//!
//! A dump has two parts: tables with their rows, of one moment; then views, triggers, routines and
//! events, which a restore makes only when the tables are in their place.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use mysql_async::Opts;
use sha2::Digest as _;
use tokio::process::Command;

use super::catalogue::Partial;
use super::client::{Client, Running};
use super::error::Error;
use super::metadata::{Metadata, Origin, Tee};
use super::scan::{DEFINITIONS, Scan};
use crate::hex::hex;

pub(super) const PROGRAM: &str = "mysqldump";
/// What the command line program takes unless told.
const LEVEL: i32 = 3;
const PIECE: usize = 128 * 1024;

/// A consistent picture of all tables.
const TABLES: [&str; 6] = [
    "--single-transaction",
    "--quick",
    "--hex-blob",
    "--skip-triggers",
    "--ignore-views",
    "--comments",
];
/// What asks for rights that an account of one database does not have.
const WITHOUT: [&str; 2] = ["--set-gtid-purged=OFF", "--no-tablespaces"];
/// All that is made anew, and may be there already.
const REST: [&str; 6] = [
    "--no-create-info",
    "--no-data",
    "--routines",
    "--triggers",
    "--add-drop-trigger",
    "--events",
];

/// What is dumped, and who says so.
#[derive(Debug)]
pub(super) struct What {
    pub(super) origin: Origin,
    pub(super) views: Vec<String>,
}

/// Writes a dump of the whole database into this new file, which is then on the disk.
pub(super) async fn dump(
    client: &Client,
    opts: &Opts,
    what: What,
    partial: &Partial,
) -> Result<Metadata, Error> {
    let What { origin, views } = what;
    let (file, into) = (partial.file()?, partial.path());
    let head = origin.line();
    let mut writer = blocking(into, move || Writer::begin(file, &head)).await?;
    let mut tables = client.command(PROGRAM, opts);
    tables
        .args(TABLES)
        .args(WITHOUT)
        .arg(opts.db_name().unwrap_or_default());
    writer = pass(tables, writer, into).await?;
    if !writer.scan.seen().complete {
        return Err(Error::Incomplete);
    }
    writer = blocking(into, move || writer.put(DEFINITIONS)).await?;
    for command in definitions(client, opts, &views) {
        writer = pass(command, writer, into).await?;
    }
    let metadata = blocking(into, move || writer.end()).await?;
    metadata
        .map(|metadata| Metadata { origin, ..metadata })
        .ok_or(Error::Incomplete)
}

/// The programs that write down what is made anew. Views come last: they may call functions.
pub(super) fn definitions(client: &Client, opts: &Opts, views: &[String]) -> Vec<Command> {
    let schema = opts.db_name().unwrap_or_default();
    let mut rest = client.command(PROGRAM, opts);
    rest.args(WITHOUT)
        .args(["--skip-lock-tables", "--ignore-views"])
        .args(REST)
        .arg(schema);
    let mut commands = vec![rest];
    if !views.is_empty() {
        let mut only_views = client.command(PROGRAM, opts);
        only_views
            .args(WITHOUT)
            .args(["--skip-lock-tables", "--no-data", "--skip-triggers", "--"])
            .arg(schema)
            .args(views);
        commands.push(only_views);
    }
    commands
}

/// Runs a program, and adds what it writes.
async fn pass(mut command: Command, writer: Writer, path: &Path) -> Result<Writer, Error> {
    let (reader, output) = std::io::pipe().map_err(Error::file("make a pipe for", path))?;
    command.stdout(output);
    let running = Running::start(PROGRAM, command)?;
    // It ends when the program does, and the program when nobody reads any more.
    let written = blocking(path, move || writer.copy(reader));
    let (ended, written) = tokio::join!(running.end(), written);
    // A program that cannot write fails as well; the cause is on our side then.
    let writer = written?;
    ended?;
    Ok(writer)
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Error::Task(panic.to_string()))?
        .map_err(Error::file("write", path))
}

/// The file, and what is seen of what goes into it.
struct Writer {
    into: zstd::stream::write::Encoder<'static, Tee<File>>,
    scan: Scan,
}

impl Writer {
    fn begin(file: File, head: &str) -> std::io::Result<Self> {
        let mut into = zstd::stream::write::Encoder::new(Tee::new(file), LEVEL)?;
        into.include_checksum(true)?;
        // On a thread of its own, as the command line program does it: it is what takes longest.
        into.multithread(1)?;
        let scan = Scan::new();
        Self { into, scan }.put(head.as_bytes())
    }

    fn put(mut self, piece: &[u8]) -> std::io::Result<Self> {
        self.scan.feed(piece);
        self.into.write_all(piece)?;
        Ok(self)
    }

    fn copy(mut self, mut from: impl Read) -> std::io::Result<Self> {
        let mut piece = vec![0; PIECE];
        loop {
            let length = from.read(&mut piece)?;
            if length == 0 {
                return Ok(self);
            }
            self = self.put(&piece[..length])?;
        }
    }

    /// Answers nothing when the dump is not whole.
    fn end(self) -> std::io::Result<Option<Metadata>> {
        let file = self.into.finish()?;
        file.inner.sync_all()?;
        let seen = self.scan.seen();
        let metadata = Metadata {
            origin: Origin::default(),
            table_count: seen.tables,
            checksum: hex(&file.hash.finalize()),
            size_bytes: file.length,
            dump_bytes: seen.bytes,
            definitions_at: seen.definitions_at,
            tested_at: None,
            fault: None,
            derived: false,
        };
        Ok(Some(metadata).filter(|_| seen.complete))
    }
}
