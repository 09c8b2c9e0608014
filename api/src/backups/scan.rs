//! What a dump says of itself while it passes by: how many tables it has, where its definitions begin,
//! whether it came to its end, whether it would go astray.
//!
//! `mysqldump` escapes line ends in values, so that a line of its own begins with what it wrote
//! itself.

use memchr::memmem;

/// Before each table; a view has another line.
const TABLE: &[u8] = b"\n-- Table structure for table `";
/// Between the tables with their rows, and views, triggers, routines and events.
pub(super) const DEFINITIONS: &[u8] = b"\n-- sysndd-backup definitions\n";
/// What a dump has that is of several databases: it would go into those.
const ASTRAY: [&[u8]; 2] = [b"\nUSE ", b"\nCREATE DATABASE "];
/// The last line; it is not written when something went wrong.
const END: &[u8] = b"\n-- Dump completed";
/// The last line with its time and line end is shorter, and so is all that is looked for.
const TAIL: usize = 256;

/// Looks at a dump piece by piece.
#[derive(Debug)]
pub(super) struct Scan {
    seen: Seen,
    /// The end of what was seen.
    tail: Vec<u8>,
}

/// What there was to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) tables: u32,
    /// Of the text.
    pub(super) bytes: u64,
    /// Before how many bytes the definitions begin.
    pub(super) definitions_at: Option<u64>,
    /// Whether it names a database of its own.
    pub(super) astray: bool,
    /// Whether the dump is whole.
    pub(super) complete: bool,
}

impl Scan {
    pub(super) fn new() -> Self {
        Self {
            seen: Seen {
                tables: 0,
                bytes: 0,
                definitions_at: None,
                astray: false,
                complete: false,
            },
            // The first line counts as one.
            tail: vec![b'\n'],
        }
    }

    /// The next piece.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let tables = self.find(piece, TABLE).count();
        let definitions = self.find(piece, DEFINITIONS).next();
        let astray = ASTRAY
            .iter()
            .any(|line| self.find(piece, line).next().is_some());
        let seen = &mut self.seen;
        seen.tables += u32::try_from(tables).unwrap_or(u32::MAX);
        seen.astray |= astray;
        if let (None, Some(offset)) = (seen.definitions_at, definitions) {
            seen.definitions_at = Some(seen.bytes.saturating_add_signed(offset));
        }
        seen.bytes += piece.len() as u64;
        if piece.len() >= TAIL {
            self.tail.clear();
        }
        self.tail
            .extend_from_slice(&piece[piece.len().saturating_sub(TAIL)..]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
    }

    /// Where this stands that ends in the piece; before its beginning is negative.
    fn find<'a>(&self, piece: &'a [u8], what: &'a [u8]) -> impl Iterator<Item = i64> + 'a {
        // What lies across the border, then what lies inside.
        let border = self.tail.len().min(what.len() - 1);
        let before = &self.tail[self.tail.len() - border..];
        let across = [before, &piece[..piece.len().min(what.len() - 1)]].concat();
        let across = memmem::find(&across, what).map(|at| offset(at) - offset(border));
        let inside = memmem::find_iter(piece, what).map(offset);
        across.into_iter().chain(inside)
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            complete: memmem::rfind(&self.tail, END).is_some(),
            ..self.seen
        }
    }
}

fn offset(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "-- Table structure for table `a`\nINSERT '\\n-- Table structure for table `x`'\n\
        -- Temporary view structure for view `v`\n-- Table structure for table `b`\n\
        -- sysndd-backup definitions\nCREATE VIEW v;\n-- Dump completed on 2026-11-20\n";

    fn scan(pieces: &[&[u8]]) -> Seen {
        let mut scan = Scan::new();
        for piece in pieces {
            scan.feed(piece);
        }
        scan.seen()
    }

    #[test]
    fn what_it_says_is_heard_however_it_is_cut() {
        let whole = scan(&[DUMP.as_bytes()]);
        assert_eq!(
            (whole.tables, whole.complete, whole.astray),
            (2, true, false)
        );
        let at = DUMP.find("\n-- sysndd-backup definitions").expect("there");
        assert_eq!(whole.definitions_at, Some(at as u64));
        for at in 0..DUMP.len() {
            let (first, second) = DUMP.as_bytes().split_at(at);
            assert_eq!(scan(&[first, second]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = DUMP.as_bytes().chunks(1).collect();
        assert_eq!(scan(&bytes), whole);
    }

    #[test]
    fn a_dump_that_was_cut_off_is_not_whole() {
        let (most, _) = DUMP.split_at(DUMP.len() - 40);
        assert!(!scan(&[most.as_bytes()]).complete);
        assert!(!scan(&[]).complete);
        let long = "x".repeat(5_000);
        assert!(!scan(&[DUMP.as_bytes(), long.as_bytes()]).complete);
        assert!(scan(&[long.as_bytes(), DUMP.as_bytes()]).complete);
    }

    #[test]
    fn a_dump_of_several_databases_goes_astray() {
        for line in [
            "USE `live`;",
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `live`;",
        ] {
            assert!(scan(&[line.as_bytes()]).astray, "{line}");
            assert!(scan(&[b"x\n", line.as_bytes()]).astray, "{line}");
            assert!(!scan(&[b"x ", line.as_bytes()]).astray, "{line}");
        }
    }
}
