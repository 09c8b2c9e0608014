//! `CREATE TABLE`.

use super::alter::Clause;
use super::cursor::{Cursor, TableName};
use super::{Column, Ddl, Index};
use crate::lex::Token;

/// A new table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CreateTable {
    pub(crate) table: TableName,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<Column>,
    /// Keys and constraints.
    pub(crate) clauses: Vec<Clause>,
    /// In lower case.
    pub(crate) engine: Option<String>,
    /// Whether it names a character set or a collation for the table.
    pub(crate) charset: bool,
    /// It takes its columns from elsewhere: `LIKE`.
    pub(crate) like: Option<TableName>,
    /// It is filled from a query.
    pub(crate) filled: bool,
}

pub(super) fn create_table(mut c: Cursor<'_>) -> Option<Ddl> {
    let if_not_exists = c.take_all(&["IF", "NOT", "EXISTS"]);
    let mut made = CreateTable {
        table: c.table()?,
        if_not_exists,
        columns: Vec::new(),
        clauses: Vec::new(),
        engine: None,
        charset: false,
        like: None,
        filled: false,
    };
    if c.take("LIKE") {
        made.like = c.table();
        return Some(Ddl::CreateTable(made));
    }
    if let Some(inner) = c.parens() {
        let mut like = Cursor::new(inner);
        if like.take("LIKE") {
            made.like = like.table();
            return Some(Ddl::CreateTable(made));
        }
        for part in Cursor::list(inner) {
            match Clause::key(Cursor::new(part)) {
                Some(clause) => made.clauses.push(clause),
                None => {
                    if let Some(column) = Column::parse(&mut Cursor::new(part)) {
                        made.clauses.extend(Clause::of_column(&column));
                        made.columns.push(column);
                    }
                }
            }
        }
    }
    options(&mut made, c.rest());
    Some(Ddl::CreateTable(made))
}

fn options(made: &mut CreateTable, tokens: &[Token]) {
    let mut c = Cursor::new(tokens);
    while !c.rest().is_empty() {
        if c.take("ENGINE") {
            made.engine = c.value();
        } else if c.take_any(&["CHARSET", "COLLATE"]) || c.take_all(&["CHARACTER", "SET"]) {
            made.charset = c.value().is_some();
        } else if c.take_any(&["SELECT", "WITH", "TABLE", "VALUES"]) {
            made.filled = true;
            return;
        } else if c.parens().is_none() {
            c.next();
        }
    }
}

impl Clause {
    /// What a column's own attributes add beside the column.
    pub(super) fn of_column(column: &Column) -> Vec<Self> {
        let names = || vec![column.name.clone()];
        let mut clauses = Vec::new();
        if column.primary {
            clauses.push(Self::AddPrimaryKey(names()));
        }
        if column.unique {
            clauses.push(Self::AddIndex(Index::Unique, names()));
        }
        if column.check {
            clauses.push(Self::AddCheck { enforced: true });
        }
        if column.references {
            clauses.push(Self::AddForeignKey);
        }
        clauses
    }
}
