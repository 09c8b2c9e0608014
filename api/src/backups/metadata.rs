//! What is known of a backup without reading it: a small file beside it, written when it was made.
//!
//! The first line of the dump says the same in short, so that the file can be made anew.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::scan::{Scan, Seen};
use crate::hex::hex;

/// How the first line of our dumps begins.
const MARK: &str = "-- sysndd-backup ";
/// What a dump lacks that was cut off.
const CUT_OFF: &str = "does not end as a whole dump does";
/// What is read in one go.
const PIECE: usize = 128 * 1024;
/// The first line is shorter.
const LONGEST_HEAD: usize = 4096;

/// What is said in the first line of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Newest applied migration; absent when the database has no ledger.
    #[serde(default)]
    pub(crate) migration_head: Option<String>,
    /// The release that made it.
    #[serde(default)]
    pub(crate) release: Option<String>,
    /// Version of the server.
    #[serde(default)]
    pub(crate) server: Option<String>,
}

impl Origin {
    /// The first line of a dump.
    pub(super) fn line(&self) -> String {
        // Text and options always become JSON, and JSON escapes line ends.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{MARK}{json}\n")
    }

    /// Read from how a dump begins; one that was made by something else says nothing.
    fn of(head: &[u8]) -> Self {
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        line.strip_prefix(MARK.as_bytes())
            .and_then(|json| serde_json::from_slice(json).ok())
            .unwrap_or_default()
    }
}

/// The file beside a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    #[serde(flatten)]
    pub(crate) origin: Origin,
    pub(crate) table_count: u32,
    /// SHA-256 of the file, in hexadecimal.
    pub(crate) checksum: String,
    /// Length of the file: another one, and this is not about it.
    pub(crate) size_bytes: u64,
    /// Length of the dump before it was compressed.
    pub(crate) dump_bytes: u64,
    /// Before how many bytes of the dump its definitions begin.
    #[serde(default)]
    pub(crate) definitions_at: Option<u64>,
    /// When it was last loaded into a schema of its own, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tested_at: Option<DateTime<Utc>>,
    /// Why it cannot be restored. Ours are whole when they are made; others may not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
    /// Read off a file that somebody put there, and good only as long as that is as long: it may have been
    /// read before all of it was there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) derived: bool,
}

/// Reads a backup from its first to its last byte. Takes as long as that takes.
pub(super) fn examine(path: &Path) -> std::io::Result<Metadata> {
    let mut file = BufReader::with_capacity(PIECE, Tee::new(File::open(path)?));
    let mut scan = Scan::new();
    let mut head = Vec::new();
    let fault = match decode(&mut file, &mut scan, &mut head) {
        Err(error) => Some(format!("cannot be decompressed: {error}")),
        Ok(()) => Some(scan.seen()).and_then(fault).map(str::to_owned),
    };
    // What stands behind a fault belongs to the file as well.
    std::io::copy(&mut file, &mut std::io::sink())?;
    let file = file.into_inner();
    let seen = scan.seen();
    Ok(Metadata {
        origin: Origin::of(&head),
        table_count: seen.tables,
        checksum: hex(&file.hash.finalize()),
        size_bytes: file.length,
        dump_bytes: seen.bytes,
        definitions_at: seen.definitions_at,
        tested_at: None,
        fault,
        derived: true,
    })
}

/// Why a dump that can be decompressed cannot be restored.
fn fault(seen: Seen) -> Option<&'static str> {
    if !seen.complete {
        Some(CUT_OFF)
    } else if seen.astray {
        Some("names a database of its own and would go into that; it was not made here")
    } else if seen.definitions_at.is_none() {
        Some("was not made here: nothing says where its definitions begin. Load it by hand")
    } else {
        None
    }
}

fn decode(file: &mut impl BufRead, scan: &mut Scan, head: &mut Vec<u8>) -> std::io::Result<()> {
    let mut text = zstd::stream::read::Decoder::with_buffer(file)?;
    let mut piece = vec![0; PIECE];
    loop {
        let length = text.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        let missing = LONGEST_HEAD.saturating_sub(head.len());
        head.extend_from_slice(&piece[..length.min(missing)]);
        scan.feed(&piece[..length]);
    }
}

/// Sums up what passes.
pub(super) struct Tee<T> {
    pub(super) inner: T,
    pub(super) hash: Sha256,
    pub(super) length: u64,
}

impl<T> Tee<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            length: 0,
        }
    }

    fn saw(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.length += piece.len() as u64;
    }
}

impl<T: Read> Read for Tee<T> {
    fn read(&mut self, piece: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(piece)?;
        self.saw(&piece[..length]);
        Ok(length)
    }
}

impl<T: std::io::Write> std::io::Write for Tee<T> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        let length = self.inner.write(piece)?;
        self.saw(&piece[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn backup(dump: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut writer = zstd::stream::write::Encoder::new(file, 3).expect("an encoder");
        writer.write_all(dump.as_bytes()).expect("written");
        writer.finish().expect("finished")
    }

    #[test]
    fn what_the_first_line_says_is_found_again() {
        let origin = Origin {
            migration_head: Some("012_lists.sql".into()),
            release: Some("r-1".into()),
            server: Some("9.7.4".into()),
        };
        let dump = format!(
            "{}-- Table structure for table `a`\n-- sysndd-backup definitions\n-- Dump completed on 2026-11-20\n",
            origin.line()
        );
        let file = backup(&dump);
        let found = examine(file.path()).expect("readable");
        assert_eq!(found.fault, None);
        assert_eq!(found.origin, origin);
        assert_eq!(found.table_count, 1);
        assert_eq!(found.dump_bytes, dump.len() as u64);
        let bytes = std::fs::read(file.path()).expect("readable");
        assert_eq!(found.size_bytes, bytes.len() as u64);
        assert_eq!(found.checksum, hex(&Sha256::digest(&bytes)));
    }

    #[test]
    fn a_dump_of_another_maker_has_no_origin_and_a_cut_one_has_a_fault() {
        let file = backup("-- MySQL dump 10.13\n-- Dump completed on 2026-11-20\n");
        let found = examine(file.path()).expect("readable");
        assert_eq!(found.origin, Origin::default());
        assert!(found.fault.expect("a fault").contains("not made here"));
        let stray =
            backup("-- sysndd-backup definitions\nUSE x;\n-- Dump completed on 2026-11-20\n");
        let found = examine(stray.path()).expect("readable");
        assert!(
            found
                .fault
                .expect("a fault")
                .contains("database of its own")
        );
        let bytes = std::fs::read(file.path()).expect("readable");
        std::fs::write(file.path(), &bytes[..bytes.len() - 3]).expect("written");
        let found = examine(file.path()).expect("readable");
        assert!(found.fault.expect("a fault").contains("decompressed"));
        assert_eq!(
            found.checksum,
            hex(&Sha256::digest(&bytes[..bytes.len() - 3]))
        );

        let found = examine(backup("-- MySQL dump 10.13\n").path()).expect("readable");
        assert_eq!(found.fault.as_deref(), Some(CUT_OFF));
    }
}
