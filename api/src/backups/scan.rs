//! What a dump says of itself while it passes by: how many tables it has, whether it came to its end.
//!
//! `mysqldump` escapes line ends in values, so that a line of its own begins with what it wrote
//! itself.

use memchr::memmem;

/// Before each table; a view has another line.
const TABLE: &[u8] = b"\n-- Table structure for table `";
/// The last line; it is not written when something went wrong.
const END: &[u8] = b"\n-- Dump completed";
/// The last line with its time and line end is shorter.
const TAIL: usize = 256;

/// Looks at a dump piece by piece.
#[derive(Debug)]
pub(super) struct Scan {
    tables: u32,
    bytes: u64,
    /// The end of what was seen; never so long that a whole `TABLE` of it could be counted twice.
    tail: Vec<u8>,
}

/// What there was to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) tables: u32,
    /// Of the text.
    pub(super) bytes: u64,
    /// Whether the dump is whole.
    pub(super) complete: bool,
}

impl Scan {
    pub(super) fn new() -> Self {
        Self {
            tables: 0,
            bytes: 0,
            // The first line counts as one.
            tail: vec![b'\n'],
        }
    }

    /// The next piece.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        // What lies across the border, then what lies inside.
        let border = self.tail.len().min(TABLE.len() - 1);
        let before = &self.tail[self.tail.len() - border..];
        let across = [before, &piece[..piece.len().min(TABLE.len() - 1)]].concat();
        self.tables += count(&across) + count(piece);
        if piece.len() >= TAIL {
            self.tail.clear();
        }
        self.tail
            .extend_from_slice(&piece[piece.len().saturating_sub(TAIL)..]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            tables: self.tables,
            bytes: self.bytes,
            complete: memmem::rfind(&self.tail, END).is_some(),
        }
    }
}

fn count(text: &[u8]) -> u32 {
    u32::try_from(memmem::find_iter(text, TABLE).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "-- Table structure for table `a`\nINSERT '\\n-- Table structure for table `x`'\n\
        -- Temporary view structure for view `v`\n-- Table structure for table `b`\n-- Dump completed on 2026-11-20\n";

    fn scan(pieces: &[&[u8]]) -> Seen {
        let mut scan = Scan::new();
        for piece in pieces {
            scan.feed(piece);
        }
        scan.seen()
    }

    #[test]
    fn tables_are_counted_however_the_dump_is_cut() {
        let whole = scan(&[DUMP.as_bytes()]);
        assert_eq!((whole.tables, whole.complete), (2, true));
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
}
