//! What a statement will cost a running database: whether it copies its table, and whether others
//! can write to it meanwhile. Pure: facts about the table come from the caller.
//!
//! What stands here is MySQL's documentation of online DDL, held against a real server by
//! `tests/mysql/impact.rs`. It never guesses: what it does not know is `unknown`, with the reason.

mod alter;
mod clause;
mod column;
mod rows;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::ddl::{Ddl, Schema, Table, TableName, ddl};

/// How the server carries a definition out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// The statement changes no table that is there.
    None,
    /// Only the dictionary changes.
    Instant,
    /// Inside the engine, mostly while others read and write.
    Inplace,
    /// Every row is copied into a new table; nobody writes meanwhile.
    Copy,
    /// It cannot be told beforehand.
    Unknown,
}

impl Algorithm {
    /// The word in `ALGORITHM = …`, or what stands in its place.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Instant => "instant",
            Self::Inplace => "inplace",
            Self::Copy => "copy",
            Self::Unknown => "unknown",
        }
    }
}

/// What others cannot do to the table while the statement is at work. The short exclusive lock
/// that every definition takes at its begin and its end is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// They read and write.
    None,
    /// They read; writers wait.
    Shared,
    /// They wait.
    Exclusive,
    /// It cannot be told beforehand.
    Unknown,
}

impl Lock {
    /// The word in `LOCK = …`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
            Self::Unknown => "unknown",
        }
    }
}

/// The estimate for one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// What is done, in a few words.
    pub operation: String,
    /// The table that it is done to.
    pub table: Option<String>,
    /// Rows in the table, about.
    pub rows: Option<u64>,
    /// Bytes of data and indexes, about.
    pub bytes: Option<u64>,
    /// How the server does it.
    pub algorithm: Algorithm,
    /// Whether every row is written anew.
    pub rebuilds_table: bool,
    /// What others cannot do meanwhile.
    pub lock: Lock,
    /// Why it is so, and what to look out for.
    pub why: String,
}

/// What the estimate depends on beside the tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Major, minor, patch of a `MySQL`; `None` for another server.
    pub(crate) mysql: Option<(u32, u32, u32)>,
    /// Whether the session checks foreign keys.
    pub(crate) checks_foreign_keys: bool,
}

/// Estimates one statement on the schema as it will be when its turn comes.
pub(crate) fn impact(statement: &str, schema: &Schema, setting: Setting) -> Impact {
    match ddl(statement) {
        Ddl::Other => rows::impact(statement, schema),
        known => definition(&known, schema, setting),
    }
}

fn definition(ddl: &Ddl, schema: &Schema, setting: Setting) -> Impact {
    match ddl {
        Ddl::CreateTable(made) if made.filled => Impact {
            algorithm: Algorithm::None,
            lock: Lock::Shared,
            ..Impact::of(
                "create a table from a query",
                Some(&made.table.name),
                "the rows that it reads are locked against writers until it ends",
            )
        },
        Ddl::CreateTable(made) => match schema.get(&made.table) {
            Some(_) if made.if_not_exists => Impact::of(
                "create a table",
                Some(&made.table.name),
                "it is there already: nothing is done",
            ),
            _ => Impact::of("create a table", Some(&made.table.name), "the table is new"),
        },
        Ddl::AlterTable {
            table,
            clauses,
            algorithm,
        } => alter::impact(
            &alter::Alter {
                table,
                clauses,
                algorithm: algorithm.as_deref(),
            },
            schema,
            setting,
        ),
        Ddl::DropTables { tables, .. } => dropped(tables, schema),
        Ddl::Truncate(table) => taken_away("empty a table", table, schema),
        Ddl::RenameTables(pairs) => {
            let first = pairs.first().map(|(from, _)| from);
            Impact {
                algorithm: Algorithm::Instant,
                ..Impact::of(
                    "rename a table",
                    first.map(|table| &*table.name),
                    "only the dictionary changes; it waits for transactions that use the table",
                )
            }
            .with(first.and_then(|table| schema.get(table)))
        }
        Ddl::Procedure { .. } => Impact::of(
            "create a procedure",
            None,
            "no table changes until it is called",
        ),
        Ddl::Call(name) => call(name, schema, setting),
        Ddl::Other => unreadable("its effect is not known"),
    }
}

fn dropped(tables: &[TableName], schema: &Schema) -> Impact {
    let known = || tables.iter().map(|table| schema.get(table));
    let names: Vec<&str> = tables.iter().map(|table| &*table.name).collect();
    let name = TableName {
        schema: None,
        name: names.join(", "),
    };
    Impact {
        rows: known().map(|table| table?.rows).sum(),
        bytes: known().map(|table| table?.bytes).sum(),
        ..taken_away("drop", &name, schema)
    }
}

/// The costliest of what the procedure's body may do.
fn call(name: &str, schema: &Schema, setting: Setting) -> Impact {
    let body = schema.procedure(name).iter();
    let worst = body
        .filter(|ddl| !matches!(ddl, Ddl::Call(_)))
        .map(|ddl| definition(ddl, schema, setting))
        .max_by_key(|impact| (impact.algorithm, impact.lock));
    match worst {
        Some(found) => Impact {
            operation: format!("call {name}, which may {}", found.operation),
            ..found
        },
        None => Impact {
            operation: format!("call {name}"),
            ..unreadable("what a procedure does cannot be seen from the call")
        },
    }
}

fn taken_away(operation: &str, table: &TableName, schema: &Schema) -> Impact {
    Impact {
        algorithm: Algorithm::Instant,
        lock: Lock::Exclusive,
        ..Impact::of(
            operation,
            Some(&table.name),
            "its rows are gone for good; it waits for transactions that use the table",
        )
    }
    .with(schema.get(table))
}

fn unreadable(why: &str) -> Impact {
    Impact {
        algorithm: Algorithm::Unknown,
        lock: Lock::Unknown,
        ..Impact::of("unknown", None, why)
    }
}

impl Impact {
    fn of(operation: &str, table: Option<&str>, why: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            table: table.map(str::to_owned),
            rows: None,
            bytes: None,
            algorithm: Algorithm::None,
            rebuilds_table: false,
            lock: Lock::None,
            why: why.to_owned(),
        }
    }

    fn with(self, table: Option<&Table>) -> Self {
        Self {
            rows: table.and_then(|table| table.rows),
            bytes: table.and_then(|table| table.bytes),
            ..self
        }
    }

    /// Whether it holds others up for as long as the table is large.
    pub fn is_heavy(&self) -> bool {
        self.rebuilds_table
            || matches!(self.algorithm, Algorithm::Copy | Algorithm::Unknown)
            || matches!(self.lock, Lock::Shared | Lock::Unknown)
    }
}
