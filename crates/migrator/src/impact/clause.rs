//! What each clause of an `ALTER TABLE` lets the server do: the table of MySQL's documentation.

use super::{Lock, column};
use crate::ddl::{Clause, Column, Generated, Index, Partitioning, Table};

/// Since then a column can be added at any place, and dropped, instantly.
const INSTANT_COLUMNS: (u32, u32, u32) = (8, 0, 29);
/// Since then a column can be added instantly behind the others.
const INSTANT_LAST: (u32, u32, u32) = (8, 0, 12);
/// Since then a column can be renamed instantly.
const INSTANT_RENAME: (u32, u32, u32) = (8, 0, 28);

/// What the server can do for one clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) operation: &'static str,
    /// Only the dictionary changes, if nothing else in the statement needs more.
    pub(super) instant: bool,
    /// What it takes inside the engine; `None` when only a copy does it.
    pub(super) inplace: Option<Inplace>,
    pub(super) why: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inplace {
    pub(super) rebuilds: bool,
    pub(super) lock: Lock,
}

const LIGHT: Inplace = Inplace {
    rebuilds: false,
    lock: Lock::None,
};
const REBUILD: Inplace = Inplace {
    rebuilds: true,
    lock: Lock::None,
};

pub(super) fn instant(operation: &'static str) -> Effect {
    Effect {
        operation,
        instant: true,
        inplace: Some(LIGHT),
        why: "only the dictionary changes",
    }
}

/// Not instant when it comes together with what is not.
pub(super) fn instant_alone(operation: &'static str) -> Effect {
    Effect {
        inplace: Some(REBUILD),
        ..instant(operation)
    }
}

pub(super) fn light(operation: &'static str, why: &'static str) -> Effect {
    Effect {
        operation,
        instant: false,
        inplace: Some(LIGHT),
        why,
    }
}

pub(super) fn rebuild(operation: &'static str, why: &'static str) -> Effect {
    Effect {
        operation,
        instant: false,
        inplace: Some(REBUILD),
        why,
    }
}

fn shared(effect: Effect) -> Effect {
    Effect {
        inplace: effect.inplace.map(|inplace| Inplace {
            lock: Lock::Shared,
            ..inplace
        }),
        ..effect
    }
}

pub(super) fn copy(operation: &'static str, why: &'static str) -> Effect {
    Effect {
        operation,
        instant: false,
        inplace: None,
        why,
    }
}

/// What a clause's effect depends on beside itself.
pub(super) struct Context<'a> {
    pub(super) table: &'a Table,
    /// All of the statement.
    pub(super) clauses: &'a [Clause],
    pub(super) version: (u32, u32, u32),
    pub(super) checks_foreign_keys: bool,
}

const DICTIONARY: &str = "only the dictionary changes";
const EVERY_ROW_CHECKED: &str = "every row is checked";
const BY_PRIMARY_KEY: &str = "rows are stored in the order of the primary key";

impl Context<'_> {
    /// `Err`: why it cannot be told.
    pub(super) fn effect(&self, clause: &Clause) -> Result<Effect, String> {
        let name = operation(clause);
        Ok(match clause {
            Clause::AddColumn(column) => self.add_column(name, column),
            Clause::DropColumn(column) => self.drop_column(name, column)?,
            Clause::ModifyColumn { from, column } => {
                let renames = !column.name.eq_ignore_ascii_case(from);
                let instant_name = !renames || self.version >= INSTANT_RENAME;
                column::change(self.known(from)?, column, self.table, instant_name)?
            }
            Clause::RenameColumn { .. } if self.version >= INSTANT_RENAME => instant(name),
            Clause::AddIndex(kind, columns) => self.add_index(name, *kind, columns),
            Clause::AddPrimaryKey(_) => rebuild(name, BY_PRIMARY_KEY),
            Clause::DropPrimaryKey if self.adds_primary_key() => rebuild(name, BY_PRIMARY_KEY),
            Clause::DropPrimaryKey => copy(name, "no other primary key comes beside it"),
            Clause::AlterColumn(_)
            | Clause::RenameTable(_)
            | Clause::AddCheck { enforced: false }
            | Clause::EnforceCheck(false)
            | Clause::DropConstraint => instant(name),
            Clause::RenameColumn { .. }
            | Clause::DropIndex(_)
            | Clause::RenameIndex
            | Clause::IndexVisibility
            | Clause::DropForeignKey
            | Clause::TableOption(_) => light(name, DICTIONARY),
            Clause::AddForeignKey if self.checks_foreign_keys => copy(
                name,
                "every row is checked; with foreign_key_checks = 0 it is not, and happens in place",
            ),
            Clause::AddForeignKey => light(name, "foreign_key_checks is off: no row is checked"),
            Clause::AddCheck { .. } | Clause::EnforceCheck(_) => copy(name, EVERY_ROW_CHECKED),
            Clause::Engine(engine) if engine != "innodb" => {
                copy(name, "the rows move to another engine")
            }
            Clause::Engine(_) | Clause::Force => rebuild(name, "it writes the table anew"),
            Clause::RowFormat | Clause::Tablespace => {
                rebuild(name, "the rows are stored in another way")
            }
            Clause::DefaultCharset => light(name, "it holds for columns to come"),
            Clause::ConvertCharset => copy(name, "every text is converted"),
            Clause::Encryption => copy(name, "every page is written anew"),
            Clause::OrderBy => copy(name, "the rows are sorted"),
            Clause::Partitioning(Partitioning::Whole) => {
                copy(name, "every row moves to its partition")
            }
            Clause::Partitioning(Partitioning::Reorganize) => shared(rebuild(
                name,
                "the rows of the partitions that are named are copied",
            )),
            Clause::Partitioning(_) => {
                return Err(
                    "with RANGE and LIST no row moves, with HASH and KEY rows are copied"
                        .to_owned(),
                );
            }
            Clause::Other(words) => return Err(format!("`{words}` is not known here")),
        })
    }

    fn add_column(&self, name: &'static str, column: &Column) -> Effect {
        match column.generated {
            Some(Generated::Stored) => {
                return copy(name, "a stored column is computed for every row");
            }
            Some(Generated::Virtual) => return instant(name),
            None => {}
        }
        if column.default_expression {
            return copy(name, "its default is computed for every row");
        }
        if column.auto_increment {
            return shared(rebuild(name, "every row gets its number"));
        }
        let last = !column.placed && self.version >= INSTANT_LAST;
        self.instant_column(name, last || self.version >= INSTANT_COLUMNS)
    }

    fn drop_column(&self, name: &'static str, column: &str) -> Result<Effect, String> {
        let known = self.known(column)?;
        Ok(if self.table.is_indexed(column) {
            rebuild(name, "the column stands in an index")
        } else if known.generated == Some(Generated::Virtual) {
            instant(name)
        } else {
            self.instant_column(name, self.version >= INSTANT_COLUMNS)
        })
    }

    fn known(&self, column: &str) -> Result<&Column, String> {
        let known = self.table.column(column);
        known.ok_or_else(|| format!("column {column} is not there, as far as can be seen"))
    }

    fn add_index(&self, name: &'static str, kind: Index, columns: &[String]) -> Effect {
        match kind {
            Index::Plain | Index::Unique if self.adds_virtual(columns) => {
                shared(light(name, "a column that is computed comes with it"))
            }
            Index::Plain | Index::Unique => light(name, "it is built from the rows, which stay"),
            Index::Spatial => shared(light(name, "it is built while nobody writes")),
            Index::Fulltext if self.table.fulltext || self.table.column("FTS_DOC_ID").is_some() => {
                shared(light(name, "it is built while nobody writes"))
            }
            Index::Fulltext => shared(rebuild(
                name,
                "the first full-text index adds a hidden column to every row",
            )),
        }
    }

    /// Whether one of the columns is added, virtual, by the same statement.
    fn adds_virtual(&self, columns: &[String]) -> bool {
        self.clauses.iter().any(|clause| match clause {
            Clause::AddColumn(column) => {
                column.generated == Some(Generated::Virtual) && columns.contains(&column.name)
            }
            _ => false,
        })
    }

    fn adds_primary_key(&self) -> bool {
        let adds = |clause: &Clause| matches!(clause, Clause::AddPrimaryKey(_));
        self.clauses.iter().any(adds)
    }

    fn instant_column(&self, name: &'static str, supported: bool) -> Effect {
        if self.table.compressed {
            rebuild(
                name,
                "columns of a compressed table do not change instantly",
            )
        } else if self.table.fulltext {
            rebuild(
                name,
                "beside a full-text index columns do not change instantly",
            )
        } else if !supported {
            rebuild(name, "this version does not do it instantly")
        } else {
            instant_alone(name)
        }
    }
}

/// In a few words.
pub(super) fn operation(clause: &Clause) -> &'static str {
    match clause {
        Clause::AddColumn(_) => "add a column",
        Clause::DropColumn(_) => "drop a column",
        Clause::ModifyColumn { .. } => "change a column",
        Clause::RenameColumn { .. } => "rename a column",
        Clause::AlterColumn(_) => "change a column's default or visibility",
        Clause::AddIndex(Index::Plain, _) => "add an index",
        Clause::AddIndex(Index::Unique, _) => "add a unique index",
        Clause::AddIndex(Index::Fulltext, _) => "add a full-text index",
        Clause::AddIndex(Index::Spatial, _) => "add a spatial index",
        Clause::AddPrimaryKey(_) => "add a primary key",
        Clause::DropPrimaryKey => "drop the primary key",
        Clause::DropIndex(_) => "drop an index",
        Clause::RenameIndex => "rename an index",
        Clause::IndexVisibility => "change an index's visibility",
        Clause::AddForeignKey => "add a foreign key",
        Clause::DropForeignKey => "drop a foreign key",
        Clause::AddCheck { .. } => "add a check",
        Clause::DropConstraint => "drop a constraint",
        Clause::EnforceCheck(_) => "change a check",
        Clause::Engine(_) => "set the engine",
        Clause::Force => "rebuild the table",
        Clause::RowFormat => "change the row format",
        Clause::DefaultCharset => "change the default character set",
        Clause::ConvertCharset => "convert the character set",
        Clause::TableOption(what) => what,
        Clause::RenameTable(_) => "rename a table",
        Clause::Encryption => "change the encryption",
        Clause::Tablespace => "change the tablespace",
        Clause::OrderBy => "order the rows",
        Clause::Partitioning(_) => "change the partitions",
        Clause::Other(_) => "alter a table",
    }
}
