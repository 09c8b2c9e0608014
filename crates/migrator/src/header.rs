//! The header lines of a migration file: `-- key: value` comments before its first statement.
//!
//! Comments that are no header line are left alone; a header line that would be ignored
//! (a wrong value, given twice, below the first statement) is a fault, never a silent default.

use serde::{Deserialize, Serialize};

use crate::split::{Piece, PieceKind};

/// Whether the code before a migration still works on the schema after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compat {
    /// It does: earlier releases may serve on the newer schema.
    #[default]
    Backward,
    /// It does not.
    Breaking,
}

impl Compat {
    /// The word in the header and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backward => "backward",
            Self::Breaking => "breaking",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "backward" => Some(Self::Backward),
            "breaking" => Some(Self::Breaking),
            _ => None,
        }
    }
}

/// A post-condition: a query that must return one true value after its file was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// The query.
    pub query: String,
    /// Its line in the file, counted from 1.
    pub line: usize,
}

/// What the header of one file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Header {
    pub(crate) description: Option<String>,
    pub(crate) compat: Compat,
    pub(crate) verify: Option<Verify>,
    /// `-- resume: rerun`: the author promises that the whole file may run again at any time.
    pub(crate) rerun: bool,
}

/// A header line that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderFault {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// Reads the header out of the comments between the statements.
pub(crate) fn header(pieces: &[Piece<'_>]) -> (Header, Vec<HeaderFault>) {
    let mut header = Header::default();
    let mut faults = Vec::new();
    let mut given: Vec<&str> = Vec::new();
    let mut below = false;
    for piece in pieces {
        if piece.kind == PieceKind::Statement {
            below = true;
            continue;
        }
        for (offset, text) in piece.text.lines().enumerate() {
            let Some((key, value)) = header_line(text) else {
                continue;
            };
            let line = piece.line + offset;
            let mut fault = |what: String| faults.push(HeaderFault { line, what });
            if below {
                // A description of the next statement is an ordinary comment.
                if key != "description" {
                    fault(format!(
                        "`-- {key}:` stands below the first statement, where it has no effect; move it to the top"
                    ));
                }
                continue;
            }
            if given.contains(&key) {
                fault(format!("`-- {key}:` is given twice; keep one"));
                continue;
            }
            given.push(key);
            if let Err(what) = header.set(key, value, line) {
                fault(what);
            }
        }
    }
    (header, faults)
}

const KEYS: [&str; 4] = ["description", "compat", "verify", "resume"];

fn header_line(text: &str) -> Option<(&'static str, &str)> {
    let (key, value) = text.trim().strip_prefix("--")?.split_once(':')?;
    let key = key.trim().to_ascii_lowercase();
    let key = KEYS.into_iter().find(|known| *known == key)?;
    Some((key, value.trim()))
}

impl Header {
    fn set(&mut self, key: &str, value: &str, line: usize) -> Result<(), String> {
        match key {
            "description" => self.description = Some(value.to_owned()),
            "compat" => {
                self.compat = Compat::parse(value).ok_or_else(|| {
                    format!("`-- compat: {value}` is neither `backward` nor `breaking`")
                })?;
            }
            "resume" if value == "rerun" => self.rerun = true,
            "resume" => {
                return Err(format!(
                    "`-- resume: {value}` is not `rerun`, the only value there is"
                ));
            }
            _ => {
                let query = value.trim_end_matches(';').trim_end();
                if query.is_empty() {
                    return Err("`-- verify:` has no query behind it".to_owned());
                }
                self.verify = Some(Verify {
                    query: query.to_owned(),
                    line,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::pieces;

    fn read(script: &str) -> (Header, Vec<HeaderFault>) {
        header(&pieces(script).expect("can be split"))
    }

    #[test]
    fn every_header_line_is_optional() {
        assert_eq!(read("SELECT 1;"), (Header::default(), vec![]));
    }

    #[test]
    fn a_full_header_is_read() {
        let (header, faults) = read(
            "-- SysNDD\n-- Description: Adds a column: note\r\n-- compat: breaking\n-- verify: SELECT COUNT(*) = 1 FROM t;\n\
             --\tresume: rerun\nSELECT 1;",
        );
        assert_eq!(faults, []);
        assert_eq!(header.description.as_deref(), Some("Adds a column: note"));
        assert_eq!(header.compat, Compat::Breaking);
        assert_eq!(
            header.verify,
            Some(Verify {
                query: "SELECT COUNT(*) = 1 FROM t".into(),
                line: 4
            })
        );
        assert!(header.rerun);
    }

    #[test]
    fn a_header_line_without_effect_is_a_fault() {
        let lines = |script: &str| {
            read(script)
                .1
                .into_iter()
                .map(|fault| fault.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            lines("-- compat: breakng\n-- resume: never\n-- verify: ;\n"),
            [1, 2, 3]
        );
        assert_eq!(lines("-- compat: backward\n-- compat: breaking\n"), [2]);
        assert_eq!(
            lines("SELECT 1;\n-- description: fine\n-- verify: SELECT 1\n"),
            [3]
        );
        assert_eq!(lines("SELECT '\n-- compat: none\n';"), [] as [usize; 0]);
    }
}
