//! Statements that change rows: how many, and what they lock meanwhile.

use super::{Algorithm, Impact, Lock, unreadable};
use crate::classify::{Kind, classify};
use crate::ddl::{Schema, TableName};
use crate::lex::{Token, tokens};

pub(super) fn impact(statement: &str, schema: &Schema) -> Impact {
    let tokens = tokens(statement);
    let has = |word: &str| tokens.iter().any(|token| token.is(word));
    let Some(first) = tokens.first() else {
        return Impact::of("nothing", None, "it does nothing");
    };
    if first.is("INSERT") || first.is("REPLACE") {
        return insert(&tokens, schema);
    }
    let verb = if first.is("UPDATE") {
        Some("update rows")
    } else if first.is("DELETE") {
        Some("delete rows")
    } else {
        None
    };
    if let Some(verb) = verb {
        let table = target(&tokens, if first.is("DELETE") { "FROM" } else { "UPDATE" });
        let why = match (has("LIMIT"), has("WHERE") || has("JOIN")) {
            (true, _) => "at most as many rows as its LIMIT says, locked until it ends",
            (false, true) => {
                "at most as many rows; those that it reads stay locked until it ends, which \
                 without a fitting index are all"
            }
            (false, false) => {
                "every row changes in one transaction, and stays locked until it ends; think of \
                 doing it in parts"
            }
        };
        return of(verb, table.as_ref(), schema, why);
    }
    match classify(statement).kind {
        Kind::Rows => Impact::of("read", None, "it only reads"),
        Kind::Begin | Kind::Commit => Impact::of(
            "begin or end a transaction",
            None,
            "it changes nothing itself",
        ),
        Kind::Definition(_) => {
            Impact::of("change a definition", None, "no table's rows are concerned")
        }
        Kind::Opaque
            if ["SET", "PREPARE", "DEALLOCATE", "USE", "UNLOCK"]
                .iter()
                .any(|word| first.is(word)) =>
        {
            Impact::of("prepare the session", None, "it changes only the session")
        }
        Kind::Opaque
            if ["GRANT", "REVOKE", "ANALYZE", "FLUSH", "CHECK", "CHECKSUM"]
                .iter()
                .any(|word| first.is(word)) =>
        {
            Impact::of("administer", None, "no row changes")
        }
        Kind::Opaque if first.is("OPTIMIZE") => Impact {
            algorithm: Algorithm::Inplace,
            rebuilds_table: true,
            ..of(
                "rebuild the table",
                target(&tokens, "TABLE").as_ref(),
                schema,
                "it writes the table anew",
            )
        },
        Kind::Opaque => unreadable("what it does cannot be seen from the statement"),
    }
}

fn insert(tokens: &[Token], schema: &Schema) -> Impact {
    let table = target(tokens, "INTO").or_else(|| {
        target(
            tokens,
            &tokens
                .first()
                .and_then(Token::name)
                .unwrap_or("")
                .to_ascii_uppercase(),
        )
    });
    let from_query = depth_zero(tokens)
        .any(|(_, token)| token.is("SELECT") || token.is("TABLE") || token.is("WITH"));
    if from_query {
        let source = target(tokens, "FROM");
        let found = of(
            "insert rows from a query",
            source.as_ref(),
            schema,
            "rows of the table that it reads are locked against writers until it ends",
        );
        return Impact {
            operation: found.operation,
            table: table.map(|table| table.name),
            lock: Lock::Shared,
            why: match source {
                Some(source) => format!(
                    "about as many rows as {} gives, which are locked against writers until it ends",
                    source.name
                ),
                None => {
                    "the rows that it reads are locked against writers until it ends".to_owned()
                }
            },
            ..Impact {
                rows: found.rows,
                ..Impact::of("", None, "")
            }
        };
    }
    let values = depth_zero(tokens)
        .find(|(_, token)| token.is("VALUES") || token.is("VALUE"))
        .map(|(at, _)| at);
    // The brackets of one row each.
    let count = values.map(|values| {
        depth_zero(&tokens[values..])
            .take_while(|(_, token)| !(token.is("AS") || token.is("ON")))
            .filter(|(_, token)| **token == Token::Mark(b'('))
            .count()
    });
    Impact {
        rows: Some(count.map_or(1, |count| count as u64)),
        ..Impact::of(
            "insert rows",
            table.as_ref().map(|table| &*table.name),
            "only rows of its own",
        )
    }
}

fn of(operation: &str, table: Option<&TableName>, schema: &Schema, why: &str) -> Impact {
    Impact::of(operation, table.map(|table| &*table.name), why)
        .with(table.and_then(|table| schema.get(table)))
}

/// Tokens outside brackets; an opening bracket counts as outside.
fn depth_zero(tokens: &[Token]) -> impl Iterator<Item = (usize, &Token)> {
    let mut depth = 0usize;
    tokens.iter().enumerate().filter(move |(_, token)| {
        match token {
            Token::Mark(b'(') => {
                depth += 1;
                return depth == 1;
            }
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}

/// The table behind a word.
fn target(tokens: &[Token], word: &str) -> Option<TableName> {
    let at = tokens.iter().position(|token| token.is(word))?;
    let rest = &tokens[at + 1..];
    let modifiers = rest
        .iter()
        .take_while(|token| {
            [
                "LOW_PRIORITY",
                "IGNORE",
                "QUICK",
                "DELAYED",
                "HIGH_PRIORITY",
                "ONLY",
            ]
            .iter()
            .any(|word| token.is(word))
        })
        .count();
    TableName::at(&rest[modifiers..])
}
