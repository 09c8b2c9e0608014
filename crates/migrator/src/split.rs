//! Splits a script into statements as the `mysql` client does: quotes, comments, executable
//! comments and `DELIMITER`.
//!
//! It never sends, changes or understands a statement. What it cuts can be joined again to the
//! same script, byte for byte; that is its main test.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::lex::{block_comment_end, dash_comment, executable_comment, line_end, quoted_end};

/// One statement of a migration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The text as it is sent: without its delimiter and without comments around it.
    pub text: String,
    /// Line of its first word in the file, counted from 1.
    pub line: usize,
}

/// Why a script cannot be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A quote without its end.
    #[error("line {line}: the string or name that {quote} opens is never closed")]
    OpenQuote {
        /// Where it opens, counted from 1.
        line: usize,
        /// `'`, `"` or `` ` ``.
        quote: char,
    },
    /// A comment without its end.
    #[error("line {line}: the comment that /* opens is never closed")]
    OpenComment {
        /// Where it opens, counted from 1.
        line: usize,
    },
    /// `DELIMITER` without an argument, or with one that no client takes.
    #[error("line {line}: DELIMITER needs one word without a backslash behind it")]
    BadDelimiter {
        /// Where it stands, counted from 1.
        line: usize,
    },
    /// `DELIMITER` on its own line while a statement has not ended.
    #[error(
        "line {line}: DELIMITER in the middle of the statement of line {statement_line}: end that one first"
    )]
    DelimiterInStatement {
        /// Where it stands, counted from 1.
        line: usize,
        /// Where the statement begins, counted from 1.
        statement_line: usize,
    },
}

/// What a stretch of the script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Statement,
    /// White space, comments, delimiters, `DELIMITER` lines.
    Between,
}

/// A stretch of the script; all of them joined are the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: PieceKind,
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// Cuts the script. The delimiter is `;` at its begin, whatever an earlier file left behind.
pub(crate) fn pieces(script: &str) -> Result<Vec<Piece<'_>>, SplitError> {
    Splitter::new(script).run()
}

/// A statement that has begun: where, and where its last word so far ends.
struct Open {
    from: usize,
    line: usize,
    end: usize,
}

struct Splitter<'a> {
    script: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: usize,
    delimiter: &'a str,
    open: Option<Open>,
    /// Line of the executable comment that is open.
    executable: Option<usize>,
    cut: usize,
    cut_line: usize,
    pieces: Vec<Piece<'a>>,
}

impl<'a> Splitter<'a> {
    fn new(script: &'a str) -> Self {
        Self {
            script,
            bytes: script.as_bytes(),
            at: 0,
            line: 1,
            delimiter: ";",
            open: None,
            executable: None,
            cut: 0,
            cut_line: 1,
            pieces: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Vec<Piece<'a>>, SplitError> {
        while self.at < self.bytes.len() {
            self.step()?;
        }
        if let Some(line) = self.executable {
            return Err(SplitError::OpenComment { line });
        }
        // The client runs what stands before the end of the file, too.
        self.end_statement();
        self.cut_to(self.bytes.len(), PieceKind::Between);
        Ok(self.pieces)
    }

    /// Takes one lexical element.
    fn step(&mut self) -> Result<(), SplitError> {
        let byte = self.bytes[self.at];
        if byte.is_ascii_whitespace() {
            self.advance(self.at + 1);
        } else if self.at_delimiter_command()? {
            self.delimiter_command()?;
        } else if self.executable.is_none()
            && self.bytes[self.at..].starts_with(self.delimiter.as_bytes())
        {
            self.end_statement();
            self.advance(self.at + self.delimiter.len());
        } else if byte == b'#' || dash_comment(self.bytes, self.at) {
            self.advance(line_end(self.bytes, self.at));
        } else if let Some(length) = executable_comment(self.bytes, self.at) {
            self.begin_statement();
            self.executable = Some(self.line);
            self.take(self.at + length);
        } else if self.bytes[self.at..].starts_with(b"/*") {
            let end = block_comment_end(self.bytes, self.at)
                .ok_or(SplitError::OpenComment { line: self.line })?;
            self.advance(end);
        } else if self.executable.is_some() && self.bytes[self.at..].starts_with(b"*/") {
            self.executable = None;
            self.take(self.at + 2);
        } else if matches!(byte, b'\'' | b'"' | b'`') {
            let end = quoted_end(self.bytes, self.at).ok_or(SplitError::OpenQuote {
                line: self.line,
                quote: char::from(byte),
            })?;
            self.take(end);
        } else {
            self.take(self.at + 1);
        }
        Ok(())
    }

    /// Whether the word `DELIMITER` is a command of the client here.
    ///
    /// Inside a statement it is a name, unless it stands at the begin of a line with nothing but
    /// punctuation behind it: that is a forgotten delimiter, and sending it would hide it.
    fn at_delimiter_command(&self) -> Result<bool, SplitError> {
        const WORD: usize = "DELIMITER".len();
        let rest = &self.bytes[self.at..];
        let is_word = rest.len() >= WORD
            && rest[..WORD].eq_ignore_ascii_case(b"DELIMITER")
            && rest.get(WORD).is_none_or(u8::is_ascii_whitespace);
        if !is_word || self.executable.is_some() {
            return Ok(false);
        }
        let Some(open) = &self.open else {
            return Ok(true);
        };
        let line_begin = self.bytes[..self.at]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let first_on_line = self.bytes[line_begin..self.at]
            .iter()
            .all(u8::is_ascii_whitespace);
        let argument = self.bytes[self.at + WORD..line_end(self.bytes, self.at)].trim_ascii();
        if first_on_line
            && !argument.is_empty()
            && argument.iter().all(u8::is_ascii_punctuation)
            && argument != b","
        {
            return Err(SplitError::DelimiterInStatement {
                line: self.line,
                statement_line: open.line,
            });
        }
        Ok(false)
    }

    fn delimiter_command(&mut self) -> Result<(), SplitError> {
        let end = line_end(self.bytes, self.at);
        let argument = self.script[self.at + "DELIMITER".len()..end].trim();
        let word = match argument.as_bytes().first() {
            Some(quote @ (b'\'' | b'"' | b'`')) => {
                argument[1..].split(char::from(*quote)).next().unwrap_or("")
            }
            _ => argument.split_ascii_whitespace().next().unwrap_or(""),
        };
        if word.is_empty() || word.contains('\\') {
            return Err(SplitError::BadDelimiter { line: self.line });
        }
        self.delimiter = word;
        self.advance(end);
        Ok(())
    }

    fn begin_statement(&mut self) {
        if self.open.is_none() {
            self.open = Some(Open {
                from: self.at,
                line: self.line,
                end: self.at,
            });
        }
    }

    /// Moves on over a part of a statement.
    fn take(&mut self, to: usize) {
        self.begin_statement();
        // A backslash at the very end of an unclosed string may point behind the text.
        let to = to.min(self.bytes.len());
        self.advance(to);
        if let Some(open) = &mut self.open {
            open.end = to;
        }
    }

    /// Moves on, counting lines.
    fn advance(&mut self, to: usize) {
        self.line += lines(&self.bytes[self.at..to]);
        self.at = to;
    }

    fn end_statement(&mut self) {
        if let Some(open) = self.open.take() {
            self.cut_to(open.from, PieceKind::Between);
            self.cut_to(open.end, PieceKind::Statement);
        }
    }

    fn cut_to(&mut self, to: usize, kind: PieceKind) {
        if to > self.cut {
            let text = &self.script[self.cut..to];
            self.pieces.push(Piece {
                kind,
                text,
                line: self.cut_line,
            });
            self.cut_line += lines(text.as_bytes());
            self.cut = to;
        }
    }
}

/// Line ends in a stretch.
fn lines(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| usize::from(*byte == b'\n')).sum()
}
