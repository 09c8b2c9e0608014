//! What a data definition statement changes, clause by clause, and what a schema looks like behind
//! it. Pure.
//!
//! It understands what `lint` and `impact` decide on, and says [`Clause::Other`] or [`Ddl::Other`]
//! to the rest. Nothing that touches a database depends on it: carrying on after a crash goes by
//! `classify` alone.

mod alter;
mod column;
mod create;
mod cursor;
mod schema;
#[cfg(test)]
mod tests;

use crate::lex::{Token, tokens};
use cursor::Cursor;

pub(crate) use alter::{Clause, Index, Partitioning};
pub(crate) use column::{Column, Generated};
pub(crate) use create::CreateTable;
pub(crate) use cursor::TableName;
pub(crate) use schema::{Schema, Table};

/// A statement, as far as it changes a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ddl {
    CreateTable(CreateTable),
    /// `CREATE INDEX` and `DROP INDEX` too.
    AlterTable {
        table: TableName,
        clauses: Vec<Clause>,
        /// What the statement asks for in `ALGORITHM = …`, in lower case.
        algorithm: Option<String>,
    },
    DropTables {
        tables: Vec<TableName>,
        if_exists: bool,
    },
    RenameTables(Vec<(TableName, TableName)>),
    Truncate(TableName),
    /// What a procedure's body may do, in its order.
    Procedure {
        name: String,
        body: Vec<Ddl>,
    },
    Call(String),
    Other,
}

/// Reads one statement.
pub(crate) fn ddl(statement: &str) -> Ddl {
    parse(&tokens(statement))
}

fn parse(tokens: &[Token]) -> Ddl {
    understood(tokens).unwrap_or(Ddl::Other)
}

fn understood(tokens: &[Token]) -> Option<Ddl> {
    let mut c = Cursor::new(tokens);
    if c.take("ALTER") {
        c.take("IGNORE");
        return c.take("TABLE").then(|| alter::alter(c))?;
    }
    if c.take("CREATE") {
        return create(c, tokens);
    }
    if c.take("DROP") {
        if c.take("INDEX") {
            return alter::drop_index(c);
        }
        let temporary = c.take("TEMPORARY");
        if temporary || !(c.take("TABLE") || c.take("TABLES")) {
            return None;
        }
        let if_exists = c.take_all(&["IF", "EXISTS"]);
        let mut tables = vec![c.table()?];
        while c.mark(b',') {
            tables.push(c.table()?);
        }
        return Some(Ddl::DropTables { tables, if_exists });
    }
    if c.take("RENAME") {
        if !(c.take("TABLE") || c.take("TABLES")) {
            return None;
        }
        let mut pairs = Vec::new();
        loop {
            let from = c.table()?;
            c.take("TO").then_some(())?;
            pairs.push((from, c.table()?));
            if !c.mark(b',') {
                return Some(Ddl::RenameTables(pairs));
            }
        }
    }
    if c.take("TRUNCATE") {
        c.take("TABLE");
        return c.table().map(Ddl::Truncate);
    }
    if c.take("CALL") {
        return c.table().map(|name| Ddl::Call(name.name));
    }
    None
}

fn create(mut c: Cursor<'_>, tokens: &[Token]) -> Option<Ddl> {
    if c.take("TABLE") {
        return create::create_table(c);
    }
    let kind = ["UNIQUE", "FULLTEXT", "SPATIAL"]
        .into_iter()
        .find(|word| c.take(word));
    if c.take("INDEX") {
        return alter::create_index(c, kind);
    }
    // Behind CREATE there may be a definer.
    let at = tokens
        .iter()
        .take(12)
        .position(|token| token.is("PROCEDURE"))?;
    let mut c = Cursor::new(&tokens[at + 1..]);
    c.take_all(&["IF", "NOT", "EXISTS"]);
    let name = c.table()?.name;
    c.parens();
    let body = c.rest().split(|token| *token == Token::Mark(b';'));
    let body = body
        .filter_map(|part| match parse(statement_in(part)) {
            Ddl::Other => None,
            other => Some(other),
        })
        .collect();
    Some(Ddl::Procedure { name, body })
}

/// The statement at the end of a stretch of a body: behind `BEGIN`, `THEN` and the like.
fn statement_in(part: &[Token]) -> &[Token] {
    let opens = |token: &Token| {
        ["BEGIN", "THEN", "ELSE", "DO", "LOOP", "REPEAT"]
            .iter()
            .any(|word| token.is(word))
    };
    let from = part.iter().rposition(opens).map_or(0, |at| at + 1);
    let part = &part[from..];
    // A body of one statement stands behind the routine's characteristics.
    let begins = |token: &Token| {
        ["ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE", "CALL"]
            .iter()
            .any(|word| token.is(word))
    };
    &part[part.iter().position(begins).unwrap_or(part.len())..]
}
