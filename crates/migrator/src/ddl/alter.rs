//! `ALTER TABLE`, `CREATE INDEX`, `DROP INDEX`, clause by clause.

use super::Ddl;
use super::column::Column;
use super::cursor::{Cursor, TableName};
use crate::lex::Token;

/// One thing that an `ALTER TABLE` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Clause {
    AddColumn(Column),
    DropColumn(String),
    /// `MODIFY`, and `CHANGE` with its old name.
    ModifyColumn {
        from: String,
        column: Column,
    },
    RenameColumn {
        from: String,
        to: String,
    },
    /// `ALTER COLUMN`: its default or its visibility.
    AlterColumn(String),
    AddIndex(Index, Vec<String>),
    AddPrimaryKey(Vec<String>),
    DropPrimaryKey,
    DropIndex(String),
    RenameIndex,
    IndexVisibility,
    AddForeignKey,
    DropForeignKey,
    AddCheck {
        enforced: bool,
    },
    DropConstraint,
    EnforceCheck(bool),
    /// Also without a change: it writes the table anew.
    Engine(String),
    Force,
    RowFormat,
    DefaultCharset,
    ConvertCharset,
    /// Comment, statistics, next number.
    TableOption(&'static str),
    RenameTable(TableName),
    Encryption,
    Tablespace,
    OrderBy,
    Partitioning(Partitioning),
    /// Not understood: its first words.
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Index {
    Plain,
    Unique,
    Fulltext,
    Spatial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partitioning {
    /// `PARTITION BY`, `REMOVE PARTITIONING`.
    Whole,
    Add,
    Drop,
    /// `REORGANIZE`, `COALESCE`, `REBUILD`.
    Reorganize,
}

pub(super) fn alter(mut c: Cursor<'_>) -> Option<Ddl> {
    let table = c.table()?;
    let mut clauses = Vec::new();
    let mut algorithm = None;
    for part in Cursor::list(c.rest()) {
        // Behind these the commas separate names.
        if matches!(
            clauses.last(),
            Some(Clause::OrderBy | Clause::Partitioning(_))
        ) {
            break;
        }
        let mut c = Cursor::new(part);
        while !c.rest().is_empty() {
            if c.take("ALGORITHM") {
                algorithm = c.value();
            } else if c.take("LOCK") {
                c.value();
            } else if c.take_any(&["WITH", "WITHOUT"]) {
                c.take("VALIDATION");
            } else {
                c = clause(c, &mut clauses);
            }
        }
    }
    Some(Ddl::AlterTable {
        table,
        clauses,
        algorithm,
    })
}

pub(super) fn create_index(mut c: Cursor<'_>, kind: Option<&str>) -> Option<Ddl> {
    let kind = match kind {
        Some("UNIQUE") => Index::Unique,
        Some("FULLTEXT") => Index::Fulltext,
        Some("SPATIAL") => Index::Spatial,
        _ => Index::Plain,
    };
    c.name()?;
    while !c.take("ON") {
        c.next()?;
    }
    let table = c.table()?;
    let columns = Cursor::names(c.parens()?);
    Some(Ddl::AlterTable {
        table,
        clauses: vec![Clause::AddIndex(kind, columns)],
        algorithm: algorithm_in(c),
    })
}

pub(super) fn drop_index(mut c: Cursor<'_>) -> Option<Ddl> {
    let primary =
        matches!(c.rest().first(), Some(Token::Name(name)) if name.eq_ignore_ascii_case("PRIMARY"));
    let name = c.name()?;
    c.take("ON").then_some(())?;
    let table = c.table()?;
    let clause = if primary {
        Clause::DropPrimaryKey
    } else {
        Clause::DropIndex(name)
    };
    Some(Ddl::AlterTable {
        table,
        clauses: vec![clause],
        algorithm: algorithm_in(c),
    })
}

fn algorithm_in(mut c: Cursor<'_>) -> Option<String> {
    while !c.take("ALGORITHM") {
        c.next()?;
    }
    c.value()
}

/// Reads one clause and returns what stands behind it; options may follow without a comma.
fn clause<'a>(mut c: Cursor<'a>, clauses: &mut Vec<Clause>) -> Cursor<'a> {
    let end = Cursor::new(&[]);
    let begin = c;
    let found = if c.take("ADD") {
        add(c, clauses);
        return end;
    } else if c.take("DROP") {
        drop(c)
    } else if c.take("MODIFY") {
        c.take("COLUMN");
        Column::parse(&mut c).map(|column| Clause::ModifyColumn {
            from: column.name.clone(),
            column,
        })
    } else if c.take("CHANGE") {
        c.take("COLUMN");
        c.name().and_then(|from| {
            Column::parse(&mut c).map(|column| Clause::ModifyColumn { from, column })
        })
    } else if c.take("RENAME") {
        rename(c)
    } else if c.take("ALTER") {
        alter_part(c)
    } else if c.take("PARTITION") || c.take("REMOVE") {
        Some(Clause::Partitioning(Partitioning::Whole))
    } else if c.take_any(&["REORGANIZE", "COALESCE", "REBUILD"]) {
        Some(Clause::Partitioning(Partitioning::Reorganize))
    } else if c.take("ORDER") {
        Some(Clause::OrderBy)
    } else if c.take("CONVERT") {
        Some(Clause::ConvertCharset)
    } else {
        return options(c, clauses);
    };
    if let Some(Clause::ModifyColumn { column, .. }) = &found {
        clauses.extend(Clause::of_column(column));
    }
    clauses.push(found.unwrap_or_else(|| other(begin)));
    end
}

fn other(c: Cursor<'_>) -> Clause {
    let words: Vec<&str> = c.rest().iter().take(3).filter_map(Token::name).collect();
    Clause::Other(words.join(" "))
}

fn add(mut c: Cursor<'_>, clauses: &mut Vec<Clause>) {
    if c.take("PARTITION") {
        return clauses.push(Clause::Partitioning(Partitioning::Add));
    }
    if let Some(clause) = Clause::key(c) {
        return clauses.push(clause);
    }
    c.take("COLUMN");
    let many = c.parens();
    for part in many.map_or_else(|| vec![c.rest()], Cursor::list) {
        match Column::parse(&mut Cursor::new(part)) {
            Some(column) => {
                clauses.extend(Clause::of_column(&column));
                clauses.push(Clause::AddColumn(column));
            }
            None => clauses.push(other(c)),
        }
    }
}

impl Clause {
    /// A key or a constraint, as it stands in `CREATE TABLE` and behind `ADD`.
    pub(super) fn key(mut c: Cursor<'_>) -> Option<Self> {
        if c.take("CONSTRAINT")
            && !["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]
                .iter()
                .any(|word| c.is(word))
        {
            c.name();
        }
        let columns = |mut c: Cursor<'_>| {
            while c.rest().first() != Some(&Token::Mark(b'(')) {
                c.next()?;
            }
            c.parens().map(Cursor::names)
        };
        if c.take("PRIMARY") {
            return Some(Self::AddPrimaryKey(columns(c)?));
        }
        if c.take("FOREIGN") {
            return Some(Self::AddForeignKey);
        }
        if c.take("CHECK") {
            c.parens();
            return Some(Self::AddCheck {
                enforced: !c.take("NOT"),
            });
        }
        let kind = if c.take("UNIQUE") {
            Index::Unique
        } else if c.take("FULLTEXT") {
            Index::Fulltext
        } else if c.take("SPATIAL") {
            Index::Spatial
        } else if c.is("INDEX") || c.is("KEY") {
            Index::Plain
        } else {
            return None;
        };
        Some(Self::AddIndex(kind, columns(c)?))
    }
}

fn drop(mut c: Cursor<'_>) -> Option<Clause> {
    if c.take_all(&["PRIMARY", "KEY"]) {
        return Some(Clause::DropPrimaryKey);
    }
    if c.take_all(&["FOREIGN", "KEY"]) {
        return Some(Clause::DropForeignKey);
    }
    if c.take("PARTITION") {
        return Some(Clause::Partitioning(Partitioning::Drop));
    }
    if c.take_any(&["INDEX", "KEY"]) {
        return c.name().map(Clause::DropIndex);
    }
    if c.take_any(&["CHECK", "CONSTRAINT"]) {
        return Some(Clause::DropConstraint);
    }
    c.take("COLUMN");
    c.take_all(&["IF", "EXISTS"]);
    c.name().map(Clause::DropColumn)
}

fn rename(mut c: Cursor<'_>) -> Option<Clause> {
    if c.take("COLUMN") {
        let from = c.name()?;
        c.take("TO").then_some(())?;
        return Some(Clause::RenameColumn {
            from,
            to: c.name()?,
        });
    }
    if c.take_any(&["INDEX", "KEY"]) {
        return Some(Clause::RenameIndex);
    }
    let _ = c.take_any(&["TO", "AS"]) || c.mark(b'=');
    c.table().map(Clause::RenameTable)
}

fn alter_part(mut c: Cursor<'_>) -> Option<Clause> {
    if c.take("INDEX") {
        return Some(Clause::IndexVisibility);
    }
    if c.take_any(&["CHECK", "CONSTRAINT"]) {
        c.name();
        return Some(Clause::EnforceCheck(!c.take("NOT")));
    }
    c.take("COLUMN");
    c.name().map(Clause::AlterColumn)
}

fn options<'a>(mut c: Cursor<'a>, clauses: &mut Vec<Clause>) -> Cursor<'a> {
    let begin = c;
    c.take("DEFAULT");
    let clause = if c.take("ENGINE") {
        c.value().map(Clause::Engine)
    } else if c.take("FORCE") {
        Some(Clause::Force)
    } else if c.take_any(&["ROW_FORMAT", "KEY_BLOCK_SIZE"]) {
        c.value().map(|_| Clause::RowFormat)
    } else if c.take_any(&["CHARSET", "COLLATE"]) || c.take_all(&["CHARACTER", "SET"]) {
        c.value().map(|_| Clause::DefaultCharset)
    } else if c.take("COMMENT") {
        c.value()
            .map(|_| Clause::TableOption("change the table's comment"))
    } else if c.take("AUTO_INCREMENT") {
        c.value()
            .map(|_| Clause::TableOption("set the next number"))
    } else if c.take_any(&[
        "STATS_PERSISTENT",
        "STATS_AUTO_RECALC",
        "STATS_SAMPLE_PAGES",
    ]) {
        c.value()
            .map(|_| Clause::TableOption("set how statistics are kept"))
    } else if c.take("ENCRYPTION") {
        c.value().map(|_| Clause::Encryption)
    } else if c.take("TABLESPACE") {
        c.value().map(|_| Clause::Tablespace)
    } else {
        None
    };
    let Some(clause) = clause else {
        clauses.push(other(begin));
        return Cursor::new(&[]);
    };
    // Two names of one thing, such as CHARACTER SET … COLLATE …
    if clauses.last() != Some(&clause) {
        clauses.push(clause);
    }
    c
}

/// One clause for tests.
#[cfg(test)]
pub(super) fn clauses(statement: &str) -> Vec<Clause> {
    match super::parse(&crate::lex::tokens(statement)) {
        Ddl::AlterTable { clauses, .. } => clauses,
        other => panic!("{statement}: {other:?}"),
    }
}
