//! What each clause of an `ALTER TABLE` lets the server do, and what they let it do together.

use super::{Algorithm, Impact, Lock, Setting, column};
use crate::ddl::{Clause, Generated, Index, Partitioning, Schema, Table, TableName};

/// Since then a column can be added at any place, and dropped, instantly.
const INSTANT_COLUMNS: (u32, u32, u32) = (8, 0, 29);
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
    rebuilds: bool,
    lock: Lock,
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

/// The statement.
pub(super) struct Alter<'a> {
    pub(super) table: &'a TableName,
    pub(super) clauses: &'a [Clause],
    /// What it asks for in `ALGORITHM = …`.
    pub(super) algorithm: Option<&'a str>,
}

pub(super) fn impact(alter: &Alter<'_>, schema: &Schema, setting: Setting) -> Impact {
    let name = Some(&*alter.table.name);
    let operations = || {
        alter
            .clauses
            .iter()
            .map(operation)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let unknown = |why: &str| Impact {
        algorithm: Algorithm::Unknown,
        lock: Lock::Unknown,
        ..Impact::of(&operations(), name, why)
    };
    let Some(table) = schema.get(alter.table) else {
        return unknown("the table is not there, as far as can be seen");
    };
    if table.fresh && table.rows == Some(0) {
        return Impact {
            algorithm: Algorithm::None,
            ..Impact::of(
                &operations(),
                name,
                "the table is made by these files: nothing is in it yet",
            )
        }
        .with(Some(table));
    }
    let Some(version) = setting.mysql else {
        return unknown("only MySQL's ways are known").with(Some(table));
    };
    if let Some(engine) = table.engine.as_deref().filter(|engine| *engine != "innodb") {
        let why = format!("engine {engine} copies the table for most changes");
        return Impact {
            algorithm: Algorithm::Copy,
            rebuilds_table: true,
            lock: Lock::Shared,
            ..Impact::of(&operations(), name, &why)
        }
        .with(Some(table));
    }
    let context = Context {
        table,
        clauses: alter.clauses,
        version,
        checks_foreign_keys: setting.checks_foreign_keys,
    };
    let mut effects = Vec::new();
    for clause in alter.clauses {
        match context.effect(clause) {
            Ok(effect) => effects.push(effect),
            Err(why) => return unknown(&why).with(Some(table)),
        }
    }
    let mut found = together(&effects);
    if found.rebuilds_table && found.algorithm == Algorithm::Inplace && table.fulltext {
        found = Impact {
            algorithm: Algorithm::Copy,
            lock: Lock::Shared,
            why: "a table with a full-text index is not rebuilt in place".to_owned(),
            ..found
        };
    }
    found.table = name.map(str::to_owned);
    asked(&mut found, alter.algorithm);
    found.with(Some(table))
}

/// What the server does for all of them in one statement.
fn together(effects: &[Effect]) -> Impact {
    let mut operations: Vec<&str> = Vec::new();
    for effect in effects {
        if !operations.contains(&effect.operation) {
            operations.push(effect.operation);
        }
    }
    let estimate = |algorithm, rebuilds_table, lock, why: &str| Impact {
        algorithm,
        rebuilds_table,
        lock,
        ..Impact::of(&operations.join(", "), None, why)
    };
    if let Some(worst) = effects.iter().find(|effect| effect.inplace.is_none()) {
        return estimate(Algorithm::Copy, true, Lock::Shared, worst.why);
    }
    if effects.iter().all(|effect| effect.instant) {
        return estimate(
            Algorithm::Instant,
            false,
            Lock::None,
            "only the dictionary changes",
        );
    }
    let inplace = || {
        effects
            .iter()
            .filter_map(|effect| Some((effect, effect.inplace?)))
    };
    let rebuilds = inplace().any(|(_, inplace)| inplace.rebuilds);
    let lock = inplace()
        .map(|(_, inplace)| inplace.lock)
        .max()
        .unwrap_or(Lock::None);
    let alone = effects.iter().filter(|effect| !effect.instant);
    let alone_light = alone
        .clone()
        .filter_map(|effect| effect.inplace)
        .all(|inplace| !inplace.rebuilds);
    let why = if rebuilds && alone_light {
        "together they rebuild the table; in statements of their own the first would be instant and the others would leave the rows alone"
    } else {
        alone.map(|effect| effect.why).next().unwrap_or_default()
    };
    estimate(Algorithm::Inplace, rebuilds, lock, why)
}

/// What the statement itself asks of the server.
fn asked(found: &mut Impact, algorithm: Option<&str>) {
    let Some(asked) = algorithm else { return };
    let least = match asked {
        "instant" => Algorithm::Instant,
        "inplace" => Algorithm::Inplace,
        "copy" => {
            *found = Impact {
                algorithm: Algorithm::Copy,
                rebuilds_table: true,
                lock: Lock::Shared,
                why: "the statement asks for a copy".to_owned(),
                ..found.clone()
            };
            return;
        }
        _ => return,
    };
    if found.algorithm > least && found.algorithm != Algorithm::Unknown {
        found.why = format!(
            "the server will refuse it: it asks for {}, and {}",
            asked.to_ascii_uppercase(),
            found.why
        );
    } else if least == Algorithm::Inplace {
        found.algorithm = Algorithm::Inplace;
    }
}

struct Context<'a> {
    table: &'a Table,
    clauses: &'a [Clause],
    version: (u32, u32, u32),
    checks_foreign_keys: bool,
}

impl Context<'_> {
    /// `Err`: why it cannot be told.
    fn effect(&self, clause: &Clause) -> Result<Effect, String> {
        let name = operation(clause);
        Ok(match clause {
            Clause::AddColumn(column) if column.generated == Some(Generated::Stored) => copy(name, "a stored column is computed for every row"),
            Clause::AddColumn(column) if column.generated.is_some() => instant(name),
            Clause::AddColumn(column) if column.default_expression => copy(name, "its default is computed for every row"),
            Clause::AddColumn(column) if column.auto_increment => shared(rebuild(name, "every row gets its number")),
            Clause::AddColumn(column) => {
                let last = !column.placed && self.version >= (8, 0, 12);
                self.instant_column(name, last || self.version >= INSTANT_COLUMNS)
            }
            Clause::DropColumn(column) => {
                let Some(known) = self.table.column(column) else {
                    return Err(format!("column {column} is not there, as far as can be seen"));
                };
                match known.generated {
                    Some(Generated::Virtual) if !self.table.is_indexed(column) => instant(name),
                    _ if self.table.is_indexed(column) => rebuild(name, "the column stands in an index"),
                    _ => self.instant_column(name, self.version >= INSTANT_COLUMNS),
                }
            }
            Clause::ModifyColumn { from, column } => {
                let Some(before) = self.table.column(from) else {
                    return Err(format!("column {from} is not there, as far as can be seen"));
                };
                let renames = !column.name.eq_ignore_ascii_case(from);
                let instant_rename = !renames || self.version >= INSTANT_RENAME;
                column::change(before, column, self.table, instant_rename)?
            }
            Clause::RenameColumn { .. } if self.version >= INSTANT_RENAME => instant(name),
            Clause::AddIndex(Index::Plain | Index::Unique, _) => light(name, "the index is built from the rows, which stay where they are"),
            Clause::AddIndex(Index::Spatial, _) => shared(light(name, "a spatial index is built while nobody writes")),
            Clause::AddIndex(Index::Fulltext, _) if self.table.fulltext || self.table.column("FTS_DOC_ID").is_some() => shared(light(name, "a full-text index is built while nobody writes")),
            Clause::AddIndex(Index::Fulltext, _) => shared(rebuild(name, "the first full-text index adds a hidden column to every row")),
            Clause::AddPrimaryKey(_) => rebuild(name, "rows are stored in the order of the primary key"),
            Clause::DropPrimaryKey if self.clauses.iter().any(|clause| matches!(clause, Clause::AddPrimaryKey(_))) => rebuild(name, "rows are stored in the order of the primary key"),
            Clause::DropPrimaryKey => copy(name, "without another primary key beside it the server copies"),
            Clause::RenameColumn { .. } | Clause::DropIndex(_) | Clause::RenameIndex | Clause::IndexVisibility | Clause::DropForeignKey | Clause::TableOption(_) => light(name, "only the dictionary changes"),
            Clause::AddForeignKey if self.checks_foreign_keys => copy(name, "every row is checked; with foreign_key_checks = 0 it is not, and happens in place"),
            Clause::AddForeignKey => light(name, "foreign_key_checks is off: no row is checked"),
            Clause::AddCheck { enforced: true } | Clause::EnforceCheck(true) => copy(name, "every row is checked"),
            Clause::AlterColumn(_) | Clause::RenameTable(_) | Clause::AddCheck { enforced: false } | Clause::EnforceCheck(false) | Clause::DropConstraint => instant(name),
            Clause::Engine(engine) if engine != "innodb" => copy(name, "the rows move to another engine"),
            Clause::Engine(_) | Clause::Force => rebuild(name, "it writes the table anew"),
            Clause::RowFormat | Clause::Tablespace => rebuild(name, "the rows are stored in another way"),
            Clause::DefaultCharset => light(name, "it holds for columns to come; those that are there stay"),
            Clause::ConvertCharset => copy(name, "every text is converted"),
            Clause::Encryption => copy(name, "every page is written anew"),
            Clause::OrderBy => copy(name, "the rows are sorted"),
            Clause::Partitioning(Partitioning::Whole) => copy(name, "every row moves to its partition"),
            Clause::Partitioning(Partitioning::Reorganize) => shared(rebuild(name, "rows of the partitions that are named are copied")),
            Clause::Partitioning(_) => return Err("it depends on the way of partitioning: with RANGE and LIST no row moves, with HASH and KEY rows are copied".to_owned()),
            Clause::Other(words) => return Err(format!("`{words}` is not known here")),
        })
    }

    fn instant_column(&self, operation: &'static str, supported: bool) -> Effect {
        match () {
            () if self.table.compressed => rebuild(
                operation,
                "columns of a compressed table do not change instantly",
            ),
            () if self.table.fulltext => rebuild(
                operation,
                "columns of a table with a full-text index do not change instantly",
            ),
            () if !supported => rebuild(operation, "this version does not do it instantly"),
            () => instant_alone(operation),
        }
    }
}

fn operation(clause: &Clause) -> &'static str {
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
