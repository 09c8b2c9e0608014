//! From the database into a compressed file: `mysqldump`, and what is done to what it writes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use mysql_async::Opts;
use sha2::Digest as _;

use super::client::{Client, Running};
use super::error::Error;
use super::metadata::{Metadata, Origin, Tee, hex};
use super::scan::Scan;

const PROGRAM: &str = "mysqldump";
/// What the command line program takes unless told.
const LEVEL: i32 = 3;
const PIECE: usize = 128 * 1024;

/// A consistent picture of all tables, and everything else that belongs to a schema.
const WHAT: [&str; 9] = [
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    // Rights that an account of one database does not have.
    "--set-gtid-purged=OFF",
    "--no-tablespaces",
    "--comments",
];

/// Writes a dump of the whole database into this new file, which is then on the disk.
pub(super) async fn dump(
    client: &Client,
    opts: &Opts,
    origin: Origin,
    into: &Path,
) -> Result<Metadata, Error> {
    let (reader, writer) = std::io::pipe().map_err(Error::file("make a pipe for", into))?;
    let mut command = client.command(PROGRAM, opts);
    command
        .args(WHAT)
        .arg(opts.db_name().unwrap_or_default())
        .stdout(writer);
    let running = Running::start(PROGRAM, command)?;
    let path = into.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let written = write(reader, &origin, &path);
        (written, origin, path)
    });
    // It ends when the program does, and the program when nobody reads any more.
    let (ended, written) = tokio::join!(running.end(), written);
    let (written, origin, path) = written.map_err(|error| Error::File {
        doing: "write",
        path: into.to_owned(),
        cause: std::io::Error::other(error),
    })?;
    // A program that cannot write fails as well; the cause is on our side then.
    let (mut metadata, complete) = written.map_err(Error::file("write", &path))?;
    ended?;
    if !complete {
        return Err(Error::Incomplete);
    }
    metadata.origin = origin;
    Ok(metadata)
}

fn write(mut from: impl Read, origin: &Origin, path: &Path) -> std::io::Result<(Metadata, bool)> {
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut into = zstd::stream::write::Encoder::new(Tee::new(file), LEVEL)?;
    into.include_checksum(true)?;
    let mut scan = Scan::new();
    let line = origin.line();
    scan.feed(line.as_bytes());
    into.write_all(line.as_bytes())?;
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            break;
        }
        scan.feed(&piece[..length]);
        into.write_all(&piece[..length])?;
    }
    let file = into.finish()?;
    file.inner.sync_all()?;
    let seen = scan.seen();
    let metadata = Metadata {
        origin: Origin::default(),
        table_count: seen.tables,
        checksum: hex(&file.hash.finalize()),
        size_bytes: file.length,
        dump_bytes: seen.bytes,
        fault: None,
    };
    Ok((metadata, seen.complete))
}
