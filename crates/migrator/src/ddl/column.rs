//! A column's definition: from a statement, or from what the server says of its type.

use super::cursor::Cursor;
use crate::lex::{Token, tokens};

/// Whether and how a column is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generated {
    Virtual,
    Stored,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word that stands there or not, and they are independent"
)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Type in lower case, synonyms brought together.
    pub(crate) kind: String,
    /// Length, or precision and scale; none for integers, whose width is only for display.
    pub(crate) size: Vec<u64>,
    /// Of `ENUM` and `SET`.
    pub(crate) members: Vec<String>,
    pub(crate) unsigned: bool,
    pub(crate) not_null: bool,
    pub(crate) has_default: bool,
    /// Its default is an expression in brackets, computed for each row.
    pub(crate) default_expression: bool,
    pub(crate) generated: Option<Generated>,
    pub(crate) auto_increment: bool,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
    pub(crate) primary: bool,
    pub(crate) unique: bool,
    pub(crate) check: bool,
    pub(crate) references: bool,
    /// `FIRST` or `AFTER`.
    pub(crate) placed: bool,
}

impl Column {
    /// A name and what follows it.
    pub(super) fn parse(c: &mut Cursor<'_>) -> Option<Self> {
        let name = c.name()?;
        let mut column = Self {
            name,
            ..Self::default()
        };
        column.take_type(c)?;
        while column.take_attribute(c) {}
        column.not_null |= column.primary;
        Some(column)
    }

    /// From a type as `information_schema.COLUMNS.COLUMN_TYPE` has it.
    pub(crate) fn of_type(name: &str, column_type: &str) -> Option<Self> {
        let tokens = tokens(column_type);
        let mut c = Cursor::new(&tokens);
        let mut column = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        column.take_type(&mut c)?;
        while column.take_attribute(&mut c) {}
        Some(column)
    }

    fn take_type(&mut self, c: &mut Cursor<'_>) -> Option<()> {
        let word = c.name()?.to_ascii_lowercase();
        let kind = match word.as_str() {
            "integer" | "int4" => "int",
            "bool" | "boolean" | "int1" => "tinyint",
            "int2" => "smallint",
            "int3" | "middleint" => "mediumint",
            "int8" => "bigint",
            "dec" | "numeric" | "fixed" => "decimal",
            "real" | "float8" => "double",
            "float4" => "float",
            "character" if c.take("VARYING") => "varchar",
            "character" => "char",
            "varcharacter" => "varchar",
            "serial" => {
                (
                    self.unsigned,
                    self.not_null,
                    self.auto_increment,
                    self.unique,
                ) = (true, true, true, true);
                "bigint"
            }
            other => other,
        };
        kind.clone_into(&mut self.kind);
        if self.kind == "double" {
            c.take("PRECISION");
        }
        let inner = c.parens().unwrap_or_default();
        for token in inner {
            match token {
                Token::Text(text) => self.members.push(text.clone()),
                Token::Word(digits) => self.size.extend(digits.parse::<u64>()),
                _ => {}
            }
        }
        if self.is_integer() || self.kind == "year" {
            self.size.clear();
        } else if self.size.is_empty() {
            self.size = match self.kind.as_str() {
                "decimal" => vec![10, 0],
                "char" | "binary" | "bit" => vec![1],
                "datetime" | "timestamp" | "time" => vec![0],
                _ => vec![],
            };
        } else if self.kind == "decimal" && self.size.len() == 1 {
            self.size.push(0);
        }
        Some(())
    }

    pub(crate) fn is_integer(&self) -> bool {
        self.integer_bytes().is_some()
    }

    /// Bytes of an integer type.
    pub(crate) fn integer_bytes(&self) -> Option<u64> {
        Some(match self.kind.as_str() {
            "tinyint" => 1,
            "smallint" => 2,
            "mediumint" => 3,
            "int" => 4,
            "bigint" => 8,
            _ => return None,
        })
    }

    /// Takes one attribute; false at the end and at what is not known.
    fn take_attribute(&mut self, c: &mut Cursor<'_>) -> bool {
        if c.take_all(&["NOT", "NULL"]) {
            self.not_null = true;
        } else if c.take("NULL") || c.take_any(&["SIGNED", "ENFORCED", "KEY"]) {
        } else if c.take_all(&["NOT", "ENFORCED"]) {
            self.check = false;
        } else if c.take_any(&["UNSIGNED", "ZEROFILL"]) {
            self.unsigned = true;
        } else if c.take("DEFAULT") {
            self.take_default(c);
        } else if c.take("AUTO_INCREMENT") {
            self.auto_increment = true;
        } else if c.take("UNIQUE") {
            self.unique = true;
        } else if c.take("PRIMARY") {
            self.primary = true;
        } else if c.take("COLLATE") {
            self.collation = c.value();
        } else if c.take("CHARSET") || c.take_all(&["CHARACTER", "SET"]) {
            self.charset = c.value();
        } else if c.take("ASCII") {
            self.charset = Some("latin1".to_owned());
        } else if c.take_all(&["GENERATED", "ALWAYS", "AS"]) || c.take("AS") {
            self.generated = Some(Generated::Virtual);
            c.parens();
        } else if c.take_any(&["STORED", "PERSISTENT"]) {
            self.generated = Some(Generated::Stored);
        } else if c.take("CHECK") {
            self.check = true;
            c.parens();
        } else if c.take("FIRST") {
            self.placed = true;
        } else if c.take("AFTER") {
            self.placed = true;
            c.next();
        } else if c.take("CONSTRAINT") {
            if !c.is("CHECK") {
                c.next();
            }
        } else if c.take("REFERENCES") {
            self.references = true;
            c.table();
            c.parens();
        } else if c.take("ON") {
            // ON UPDATE CURRENT_TIMESTAMP(6), ON DELETE SET NULL
            c.next();
            if !c.take_all(&["SET", "NULL"]) && !c.take_all(&["NO", "ACTION"]) {
                c.next();
                c.parens();
            }
        } else if c.take_any(&["COMMENT", "SRID", "COLUMN_FORMAT", "STORAGE", "MATCH"]) {
            c.value();
        } else {
            return c.take_any(&["VIRTUAL", "VISIBLE", "INVISIBLE", "BINARY", "ON"]);
        }
        true
    }

    fn take_default(&mut self, c: &mut Cursor<'_>) {
        if c.take("NULL") {
            return;
        }
        self.has_default = true;
        if c.parens().is_some() {
            self.default_expression = true;
            return;
        }
        while c.mark(b'-') || c.mark(b'+') {}
        let word = matches!(c.next(), Some(Token::Word(_)));
        // CURRENT_TIMESTAMP(6), b'1', 1.5
        c.parens();
        if word && (c.mark(b'.') || matches!(c.rest().first(), Some(Token::Text(_)))) {
            c.next();
        }
    }
}
