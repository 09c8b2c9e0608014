//! Splits a script into statements as the `mysql` client does: quotes, comments, executable
//! comments and `DELIMITER`.
//!
//! It never sends, changes or understands a statement. What it cuts can be joined again to the
//! same script, byte for byte; that is its main test.

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
        } else if byte == b'#' || dash_comment(self.bytes, self.at, self.open.is_some()) {
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
        self.line += self.bytes[self.at..to]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
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
            self.cut_line += text.bytes().filter(|byte| *byte == b'\n').count();
            self.cut = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(script: &str) -> Vec<(usize, String)> {
        pieces(script)
            .expect("can be split")
            .into_iter()
            .filter(|piece| piece.kind == PieceKind::Statement)
            .map(|piece| (piece.line, piece.text.to_owned()))
            .collect()
    }

    fn texts(script: &str) -> Vec<String> {
        split(script).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn statements_end_at_the_delimiter_and_keep_their_line() {
        assert_eq!(
            split("SELECT 1;\n\n-- two\nSELECT\n 2 ;SELECT 3"),
            [
                (1, "SELECT 1".into()),
                (4, "SELECT\n 2".into()),
                (5, "SELECT 3".into())
            ]
        );
    }

    #[test]
    fn delimiters_in_quotes_and_comments_do_not_count() {
        assert_eq!(
            texts(r"SELECT 'a;b', 'it''s; \';', 1"),
            [r"SELECT 'a;b', 'it''s; \';', 1"]
        );
        assert_eq!(
            texts(r#"SELECT "a;""b;", "\";""#),
            [r#"SELECT "a;""b;", "\";""#]
        );
        assert_eq!(
            texts(r"SELECT `a;\`;SELECT 2"),
            [r"SELECT `a;\`", "SELECT 2"]
        );
        assert_eq!(
            texts("SELECT 1 /* ; */ + 1; SELECT 2"),
            ["SELECT 1 /* ; */ + 1", "SELECT 2"]
        );
        assert_eq!(
            texts("SELECT 1 -- ;\n+ 1; # ;\nSELECT 2"),
            ["SELECT 1 -- ;\n+ 1", "SELECT 2"]
        );
        assert_eq!(
            texts("SELECT 'it -- is' ; SELECT '/*';"),
            ["SELECT 'it -- is'", "SELECT '/*'"]
        );
    }

    #[test]
    fn two_dashes_are_a_comment_only_before_white_space_once_a_statement_has_begun() {
        assert_eq!(texts("SELECT 5--1;"), ["SELECT 5--1"]);
        assert_eq!(texts("--no space\nSELECT 5--\n;"), ["SELECT 5"]);
    }

    #[test]
    fn executable_comments_are_statements_and_hints_stay_in_theirs() {
        assert_eq!(
            texts("/*!80013 SET @a = ';' */; SELECT 1"),
            ["/*!80013 SET @a = ';' */", "SELECT 1"]
        );
        assert_eq!(
            texts("/*! SELECT 1 /* ; */ + 1 */;"),
            ["/*! SELECT 1 /* ; */ + 1 */"]
        );
        assert_eq!(texts("/*M!100100 SELECT 1 */;"), ["/*M!100100 SELECT 1 */"]);
        assert_eq!(
            texts("SELECT /*+ MAX_EXECUTION_TIME(9) ; */ 1;"),
            ["SELECT /*+ MAX_EXECUTION_TIME(9) ; */ 1"]
        );
    }

    #[test]
    fn delimiter_changes_what_ends_a_statement_and_need_not_be_reset() {
        assert_eq!(
            texts("DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END //\ncall p() //\n"),
            ["CREATE PROCEDURE p() BEGIN SELECT 1; END", "call p()"]
        );
        assert_eq!(
            texts("delimiter $$\nSELECT 1; SELECT 2 $$\n  Delimiter ;\r\nSELECT 3;SELECT 4;"),
            ["SELECT 1; SELECT 2", "SELECT 3", "SELECT 4"]
        );
        assert_eq!(
            texts("DELIMITER ';;'\nSELECT ';';;\nSELECT 2"),
            ["SELECT ';'", "SELECT 2"]
        );
        assert_eq!(
            texts("SELECT 1; DELIMITER //\nSELECT 2;//"),
            ["SELECT 1", "SELECT 2;"]
        );
    }

    #[test]
    fn a_column_named_delimiter_is_a_column() {
        let table = "CREATE TABLE t (\n  delimiter CHAR(1),\n  b INT)";
        assert_eq!(texts(&format!("{table};")), [table]);
    }

    #[test]
    fn a_forgotten_delimiter_before_a_delimiter_line_is_refused() {
        assert_eq!(
            pieces("SELECT 1\nDELIMITER //\n"),
            Err(SplitError::DelimiterInStatement {
                line: 2,
                statement_line: 1
            })
        );
        assert_eq!(
            pieces("\nDELIMITER\n"),
            Err(SplitError::BadDelimiter { line: 2 })
        );
        assert_eq!(
            pieces("DELIMITER \\\n"),
            Err(SplitError::BadDelimiter { line: 1 })
        );
    }

    #[test]
    fn windows_line_ends_and_scripts_without_statements() {
        assert_eq!(
            split("SELECT 1;\r\nSELECT\r\n2;\r\n"),
            [(1, "SELECT 1".into()), (2, "SELECT\r\n2".into())]
        );
        assert_eq!(split(""), []);
        assert_eq!(split(" ; ;; -- nothing\n /* at all */ ; # no\n"), []);
    }

    #[test]
    fn what_is_never_closed_is_refused_with_the_line_where_it_opens() {
        assert_eq!(
            pieces("SELECT 1;\nSELECT 'a"),
            Err(SplitError::OpenQuote {
                line: 2,
                quote: '\''
            })
        );
        assert_eq!(
            pieces("SELECT `a\\"),
            Err(SplitError::OpenQuote {
                line: 1,
                quote: '`'
            })
        );
        assert_eq!(
            pieces("SELECT 'a\\"),
            Err(SplitError::OpenQuote {
                line: 1,
                quote: '\''
            })
        );
        assert_eq!(pieces("\n\n/* a"), Err(SplitError::OpenComment { line: 3 }));
        assert_eq!(
            pieces("/*!1 SELECT 1"),
            Err(SplitError::OpenComment { line: 1 })
        );
        assert_eq!(pieces("/*"), Err(SplitError::OpenComment { line: 1 }));
    }

    /// Scripts made of the pieces that matter, in any order.
    fn scripts() -> impl Strategy<Value = String> {
        let fragment = prop::sample::select(vec![
            "SELECT 1",
            "a",
            " ",
            "\n",
            "\r\n",
            ";",
            "//",
            "$$",
            "'x;y'",
            "'it''s'",
            "'\\''",
            "\"q;\"",
            "`b;`",
            "'",
            "\"",
            "`",
            "\\",
            "-- c;\n",
            "--c",
            "# d;\n",
            "/* e; */",
            "/*",
            "*/",
            "/*! f */",
            "/*!80000 ",
            "/*+ h */",
            "DELIMITER //\n",
            "\nDELIMITER ;\n",
            "delimiter $$\r\n",
            "DELIMITER",
            "ü",
            "→",
            "\u{feff}",
            "-",
        ]);
        prop::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn joining_what_was_split_gives_the_same_script(script in scripts()) {
            if let Ok(pieces) = pieces(&script) {
                let joined: String = pieces.iter().map(|piece| piece.text).collect();
                prop_assert_eq!(joined, script);
            }
        }

        #[test]
        fn any_text_is_split_or_refused_without_a_panic(script in any::<String>()) {
            if let Ok(pieces) = pieces(&script) {
                let joined: String = pieces.iter().map(|piece| piece.text).collect();
                prop_assert_eq!(joined, script);
            }
        }

        #[test]
        fn every_statement_stands_on_the_line_that_it_names(script in scripts()) {
            if let Ok(pieces) = pieces(&script) {
                let mut before = String::new();
                for piece in pieces {
                    prop_assert_eq!(piece.line, before.matches('\n').count() + 1);
                    if piece.kind == PieceKind::Statement {
                        prop_assert_eq!(piece.text.trim(), piece.text);
                        prop_assert!(!piece.text.is_empty());
                    }
                    before.push_str(piece.text);
                }
            }
        }

        #[test]
        fn a_statement_split_again_is_itself(script in scripts()) {
            prop_assume!(!script.to_ascii_lowercase().contains("delimiter"));
            for text in pieces(&script).map(|p| p.into_iter().filter(|p| p.kind == PieceKind::Statement).map(|p| p.text.to_owned()).collect::<Vec<_>>()).unwrap_or_default() {
                let again = pieces(&text).expect("splits");
                prop_assert_eq!(again.len(), 1);
                prop_assert_eq!(again[0].text, &text);
            }
        }
    }
}
