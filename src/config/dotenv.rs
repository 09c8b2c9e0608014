//! `.env` as Compose documents it: text → entries. It reads no file and no environment but what it
//! is handed.
//!
//! Differences, both on the strict side: a reference to an unset variable is a fault (Compose
//! warns and takes nothing), and so is a line that is no assignment.

use std::{collections::BTreeMap, ops::Range};

use super::template::{self, Dialect, Otherwise, Piece};

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: String,
    /// Variables that the value was made from.
    pub(super) references: Vec<String>,
}

/// A line that cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DotenvFault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: String,
}

/// The assignments of a file, in order, and what is wrong with the rest. `process` is what
/// references in values see first; earlier lines come second.
pub(super) fn parse(
    text: &str,
    process: &BTreeMap<String, String>,
) -> (Vec<Entry>, Vec<DotenvFault>) {
    let mut parser = Parser {
        text,
        at: 0,
        process,
        entries: Vec::new(),
        faults: Vec::new(),
    };
    if text.starts_with('\u{feff}') {
        parser.at = '\u{feff}'.len_utf8();
    }
    while parser.at < text.len() {
        parser.line();
    }
    (parser.entries, parser.faults)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    process: &'a BTreeMap<String, String>,
    entries: Vec<Entry>,
    faults: Vec<DotenvFault>,
}

impl<'a> Parser<'a> {
    /// One line, or several when a quoted value goes over them.
    fn line(&mut self) {
        self.skip_blanks();
        let start = self.at;
        let line = self.rest_of_line();
        if line.is_empty() || line.starts_with('#') {
            return self.end_line();
        }
        if let Some(rest) = line.strip_prefix("export")
            && rest.starts_with([' ', '\t'])
        {
            self.at += "export".len();
            self.skip_blanks();
        }
        let rest = self.rest_of_line();
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        let name_span = self.at..self.at + name.len();
        self.at += name.len();
        self.skip_blanks();
        let separator = self.rest_of_line().chars().next();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            let end = start + line.find(['=', ':']).unwrap_or(line.len()).max(1);
            self.fault(
                start..end,
                "not a variable's name",
                "write NAME=value, or # before a comment",
            );
            return self.end_line();
        }
        match separator {
            Some('=' | ':') => {
                self.at += 1;
                self.skip_blanks();
                if let Some((value, references)) = self.value(&name_span) {
                    self.entries.push(Entry {
                        name: name.to_owned(),
                        value,
                        references,
                    });
                }
            }
            // A name alone takes the process's value, which wins anyway.
            None | Some('#') => {}
            Some(_) => self.fault(name_span, "no `=` after the name", "write NAME=value"),
        }
        self.end_line();
    }

    fn value(&mut self, name: &Range<usize>) -> Option<(String, Vec<String>)> {
        let Some(quote @ ('"' | '\'')) = self.text[self.at..].chars().next() else {
            let raw = self.rest_of_line();
            let end = comment_start(raw).unwrap_or(raw.len());
            let raw = raw[..end].trim_end();
            return self.expand(raw, name);
        };
        self.at += 1;
        let Some(length) = closing(&self.text[self.at..], quote) else {
            let message = format!("the {quote} of this value is never closed");
            self.fault(name.clone(), &message, "close it, or take the quote away");
            // All that follows may belong to the value: what it looks like says nothing.
            self.at = self.text.len();
            return None;
        };
        let raw = &self.text[self.at..self.at + length];
        self.at += length + 1;
        let after = self.rest_of_line().trim();
        if !after.is_empty() && !after.starts_with('#') {
            self.fault(
                name.clone(),
                "there is text after the closing quote",
                "put it inside the quotes, or # before a comment",
            );
            return None;
        }
        if quote == '\'' {
            return Some((raw.replace("\\'", "'"), Vec::new()));
        }
        self.expand(&unescape(raw), name)
    }

    /// References in a value, resolved.
    fn expand(&mut self, raw: &str, name: &Range<usize>) -> Option<(String, Vec<String>)> {
        let pieces = match template::parse(raw, Dialect::Dotenv) {
            Ok(pieces) => pieces,
            Err(faults) => {
                for fault in faults {
                    self.fault(name.clone(), &fault.message, &fault.hint);
                }
                return None;
            }
        };
        let mut value = String::new();
        let mut references = Vec::new();
        self.resolve(&pieces, name, &mut value, &mut references)?;
        Some((value, references))
    }

    fn resolve(
        &mut self,
        pieces: &[Piece],
        place: &Range<usize>,
        value: &mut String,
        references: &mut Vec<String>,
    ) -> Option<()> {
        for piece in pieces {
            let reference = match piece {
                Piece::Literal(literal) => {
                    value.push_str(literal);
                    continue;
                }
                Piece::Reference(reference) => reference,
            };
            references.push(reference.name.clone());
            let found = self
                .lookup(&reference.name)
                .filter(|found| !(reference.refuse_empty && found.is_empty()));
            match (found, &reference.otherwise) {
                (Some(found), _) => value.push_str(&found),
                (None, Otherwise::Default(default)) => {
                    self.resolve(default, place, value, references)?;
                }
                (None, Otherwise::Message(message)) => {
                    let problem = format!("`{}` is not set", reference.name);
                    self.fault(place.clone(), &problem, message);
                    return None;
                }
                (None, Otherwise::Required) => {
                    let problem = format!("`{}` is not set", reference.name);
                    let hint =
                        "set it on an earlier line; in 'single quotes' a $ is only a dollar sign";
                    self.fault(place.clone(), &problem, hint);
                    return None;
                }
            }
        }
        Some(())
    }

    fn lookup(&self, name: &str) -> Option<String> {
        self.process.get(name).cloned().or_else(|| {
            self.entries
                .iter()
                .rfind(|entry| entry.name == name)
                .map(|entry| entry.value.clone())
        })
    }

    fn fault(&mut self, span: Range<usize>, message: &str, hint: &str) {
        self.faults.push(DotenvFault {
            span,
            message: message.to_owned(),
            hint: hint.to_owned(),
        });
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
    }

    fn rest_of_line(&self) -> &'a str {
        let rest = &self.text[self.at..];
        rest[..rest.find('\n').unwrap_or(rest.len())].trim_end_matches('\r')
    }

    fn end_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find('\n').map_or(rest.len(), |newline| newline + 1);
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// Where a comment begins in an unquoted value: at a `#` after a blank, or at the very front.
fn comment_start(raw: &str) -> Option<usize> {
    raw.char_indices()
        .find(|&(at, c)| c == '#' && (at == 0 || raw[..at].ends_with([' ', '\t'])))
        .map(|(at, _)| at)
}

/// Where the closing quote stands; `\` keeps the next character from closing.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices()
        .find(|&(_, c)| {
            let closes = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        })
        .map(|(at, _)| at)
}

/// Escapes of a double-quoted value. `\$` becomes `$$`, which is a dollar sign to the template.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('$') => out.push_str("$$"),
            Some(c @ ('\\' | '"' | '\'')) => out.push(c),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests;
