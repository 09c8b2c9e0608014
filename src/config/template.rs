//! The grammar of `${…}`: text → pieces. It resolves nothing.

use std::ops::Range;

/// Nesting of defaults in defaults; nobody needs more, and it bounds the recursion.
const MAX_DEPTH: usize = 8;

/// A piece of a text with references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    Reference(Reference),
}

/// `${NAME}` and its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) name: String,
    /// Whether an empty value counts as missing (`:-`, `:?`).
    pub(super) refuse_empty: bool,
    pub(super) otherwise: Otherwise,
    /// Bytes of the whole reference in the text.
    pub(super) span: Range<usize>,
}

/// What stands in for a missing variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// Nothing: the variable must be set.
    Required,
    /// `-default`
    Default(Vec<Piece>),
    /// `?message`
    Message(String),
}

/// A reference that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxFault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: String,
}

/// Which forms are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `sysndd.toml`: only `${NAME}`, so that a forgotten brace is a fault and not a name.
    Strict,
    /// `.env`: `$NAME` too, and a `$` before anything else is itself, as Compose has it.
    Dotenv,
}

/// The pieces of a text, or everything that is wrong with it.
pub(super) fn parse(text: &str, dialect: Dialect) -> Result<Vec<Piece>, Vec<SyntaxFault>> {
    let mut parser = Parser {
        text,
        at: 0,
        dialect,
        faults: Vec::new(),
    };
    let pieces = parser.pieces(0);
    if parser.faults.is_empty() {
        Ok(pieces)
    } else {
        Err(parser.faults)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    faults: Vec<SyntaxFault>,
}

impl<'a> Parser<'a> {
    /// Pieces up to the end, or inside a default (`depth` > 0) up to its closing brace.
    fn pieces(&mut self, depth: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        while let Some(next) = self.rest().chars().next() {
            if next == '}' && depth > 0 {
                break;
            }
            if next != '$' {
                literal.push(next);
                self.at += next.len_utf8();
            } else if self.eat("$$") {
                literal.push('$');
            } else if let Some(reference) = self.reference(depth, &mut literal) {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Reference(reference));
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        pieces
    }

    /// What begins with the `$` at hand. Always moves on.
    fn reference(&mut self, depth: usize, literal: &mut String) -> Option<Reference> {
        let start = self.at;
        if !self.eat("${") {
            self.at += 1;
            let name = self.name();
            return match (self.dialect, name.is_empty()) {
                (Dialect::Dotenv, false) => Some(Reference {
                    name: name.to_owned(),
                    refuse_empty: false,
                    otherwise: Otherwise::Required,
                    span: start..self.at,
                }),
                (Dialect::Dotenv, true) => {
                    literal.push('$');
                    None
                }
                (Dialect::Strict, false) => {
                    let message = format!("`${name}` is not a reference");
                    let hint =
                        format!("write ${{{name}}} for the variable, or $${name} for the text");
                    self.fault(start..self.at, message, hint)
                }
                (Dialect::Strict, true) => self.fault(
                    start..self.at,
                    "a single `$` means nothing".to_owned(),
                    "write $$ for a dollar sign".to_owned(),
                ),
            };
        }
        let name = self.dotted_name().to_owned();
        let operator = ["}", ":-", ":?", "-", "?"]
            .into_iter()
            .find(|operator| self.eat(operator));
        let (refuse_empty, otherwise) = match operator {
            Some("}") => (false, Otherwise::Required),
            Some(operator @ (":-" | "-")) => {
                if depth == MAX_DEPTH {
                    self.at = self.text.len();
                    return self.fault(
                        start..self.at,
                        format!("defaults are nested more than {MAX_DEPTH} deep"),
                        "use fewer".to_owned(),
                    );
                }
                let default = self.pieces(depth + 1);
                if !self.eat("}") {
                    return self.unclosed(start);
                }
                (operator == ":-", Otherwise::Default(default))
            }
            Some(operator) => {
                let Some(end) = self.rest().find('}') else {
                    return self.unclosed(start);
                };
                let message = self.rest()[..end].trim().to_owned();
                self.at += end + 1;
                (operator == ":?", Otherwise::Message(message))
            }
            None => return self.unknown_operator(start, &name),
        };
        let span = start..self.at;
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            let message = if name.is_empty() {
                "a reference without a name".to_owned()
            } else {
                format!("`{name}` is not a variable's name")
            };
            let hint = "names are letters, digits and `_`, and do not begin with a digit";
            return self.fault(span, message, hint.to_owned());
        }
        Some(Reference {
            name,
            refuse_empty,
            otherwise,
            span,
        })
    }

    fn unknown_operator(&mut self, start: usize, name: &str) -> Option<Reference> {
        let Some(end) = self.rest().find('}') else {
            return self.unclosed(start);
        };
        let operator = self.rest()[..end].to_owned();
        self.at += end + 1;
        self.fault(
            start..self.at,
            format!("`{operator}` after `{name}` is not understood"),
            "the forms are ${NAME}, ${NAME:-default}, ${NAME-default} and ${NAME:?message}"
                .to_owned(),
        )
    }

    fn unclosed(&mut self, start: usize) -> Option<Reference> {
        self.at = self.text.len();
        self.fault(
            start..self.at,
            "`${` is never closed".to_owned(),
            "close it with `}`, or write $${ for the text".to_owned(),
        )
    }

    fn fault<T>(&mut self, span: Range<usize>, message: String, hint: String) -> Option<T> {
        self.faults.push(SyntaxFault {
            span,
            message,
            hint,
        });
        None
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, expected: &str) -> bool {
        let there = self.rest().starts_with(expected);
        if there {
            self.at += expected.len();
        }
        there
    }

    /// A variable's name; empty when none begins here.
    fn name(&mut self) -> &'a str {
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        self.take(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    /// A name that may have dots, as what is only known late has.
    fn dotted_name(&mut self) -> &'a str {
        self.take(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}

#[cfg(test)]
mod tests;
