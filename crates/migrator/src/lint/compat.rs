//! Changes that a running earlier release does not survive, in a file that does not say so.
//!
//! What a table was before comes from the files before it; where they do not tell, a change that
//! may narrow counts as one that does.

mod narrowing;

use std::collections::BTreeSet;

use super::{Finding, Rule, View};
use crate::classify::{Kind, Object};
use crate::ddl::{Clause, Column, Ddl, Schema, TableName};
use crate::header::Compat;
use narrowing::narrowing;

const REMEDY: &str = "say `-- compat: breaking`; or do it in a later release, when none that \
    runs needs it, and say why with `-- lint: allow`";

const OLD_INSERTS_FAIL: &str = "an earlier release does not give it, and its INSERT fails";

pub(super) fn compat(view: &View<'_>) -> Vec<Finding> {
    if view.file.compat() == Compat::Breaking {
        return Vec::new();
    }
    let mut walk = Walk {
        view,
        schema: view.schema.clone(),
        made: BTreeSet::new(),
        added: BTreeSet::new(),
        findings: Vec::new(),
    };
    for at in 0..view.ddl.len() {
        walk.statement(at, &view.ddl[at]);
        walk.routine(at);
    }
    walk.findings
}

struct Walk<'a> {
    view: &'a View<'a>,
    schema: Schema,
    /// Tables that this file made: no release knows them.
    made: BTreeSet<TableName>,
    /// Columns that this file added.
    added: BTreeSet<(TableName, String)>,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    fn find(&mut self, at: usize, rule: Rule, message: String) {
        self.findings.push(self.view.at(at, rule, message, REMEDY));
    }

    fn statement(&mut self, at: usize, ddl: &Ddl) {
        match ddl {
            Ddl::CreateTable(made) if self.schema.get(&made.table).is_none() => {
                self.made.insert(made.table.clone());
            }
            Ddl::DropTables { tables, if_exists } => {
                for table in tables {
                    let unknown = self.schema.get(table).is_none();
                    let replaced = unknown && *if_exists && self.makes_later(at, table);
                    let own = self.made.remove(table);
                    if !own && !replaced {
                        self.find(
                            at,
                            Rule::UnmarkedDrop,
                            format!("table {} is dropped", table.name),
                        );
                    }
                }
            }
            Ddl::RenameTables(pairs) => {
                for (from, _) in pairs {
                    let taken_again = pairs.iter().any(|(_, to)| to == from);
                    if !self.made.contains(from) && !taken_again {
                        self.find(
                            at,
                            Rule::UnmarkedRename,
                            format!("table {} is renamed", from.name),
                        );
                    }
                }
            }
            Ddl::AlterTable { table, clauses, .. } if !self.made.contains(table) => {
                for clause in clauses {
                    self.clause(at, table, clause);
                }
            }
            Ddl::Call(name) => {
                for ddl in self.schema.procedure(name).to_vec() {
                    if !matches!(ddl, Ddl::Call(_)) {
                        self.statement(at, &ddl);
                    }
                }
                return;
            }
            _ => {}
        }
        self.schema.apply(ddl);
    }

    fn clause(&mut self, at: usize, table: &TableName, clause: &Clause) {
        let own = |walk: &Self, column: &str| {
            walk.added
                .contains(&(table.clone(), column.to_ascii_lowercase()))
        };
        let place = |column: &str| format!("{}.{column}", table.name);
        match clause {
            Clause::AddColumn(column) => {
                self.added
                    .insert((table.clone(), column.name.to_ascii_lowercase()));
                if is_required(column) {
                    let place = place(&column.name);
                    let message = format!("{place} has no default: {OLD_INSERTS_FAIL}");
                    self.find(at, Rule::UnmarkedRequired, message);
                }
            }
            Clause::DropColumn(column) if !own(self, column) => {
                self.find(
                    at,
                    Rule::UnmarkedDrop,
                    format!("column {} is dropped", place(column)),
                );
            }
            Clause::RenameColumn { from, .. } if !own(self, from) => {
                self.find(
                    at,
                    Rule::UnmarkedRename,
                    format!("column {} is renamed", place(from)),
                );
            }
            Clause::RenameTable(_) => {
                self.find(
                    at,
                    Rule::UnmarkedRename,
                    format!("table {} is renamed", table.name),
                );
            }
            Clause::ModifyColumn { from, column } if !own(self, from) => {
                self.modified(at, table, from, column);
            }
            _ => {}
        }
    }

    fn modified(&mut self, at: usize, table: &TableName, from: &str, column: &Column) {
        let place = format!("{}.{from}", table.name);
        if !column.name.eq_ignore_ascii_case(from) {
            self.find(
                at,
                Rule::UnmarkedRename,
                format!("column {place} is renamed"),
            );
        }
        let before = self
            .schema
            .get(table)
            .and_then(|known| known.column(from))
            .cloned();
        let Some(before) = before else {
            self.find(
                at,
                Rule::UnmarkedNarrowing,
                format!(
                    "{place} is changed, and no file says what it was: it may take less than before"
                ),
            );
            return;
        };
        if let Some(how) = narrowing(&before, column) {
            self.find(at, Rule::UnmarkedNarrowing, format!("{place} {how}"));
        }
        if is_required(column) && !is_required(&before) && before.not_null {
            self.find(
                at,
                Rule::UnmarkedRequired,
                format!("{place} loses its default: an INSERT without it fails"),
            );
        }
    }

    fn makes_later(&self, at: usize, table: &TableName) -> bool {
        self.view.ddl[at..]
            .iter()
            .any(|ddl| matches!(ddl, Ddl::CreateTable(made) if made.table == *table))
    }

    /// `DROP VIEW`, `PROCEDURE`, `FUNCTION`, unless the file makes it too.
    fn routine(&mut self, at: usize) {
        let view = self.view;
        let kind = ["VIEW", "PROCEDURE", "FUNCTION"]
            .into_iter()
            .find(|kind| view.begins(at, &["DROP", kind]));
        let (Some(kind), Kind::Definition(objects)) = (kind, &view.units.classes[at].kind) else {
            return;
        };
        let creates = |other: usize, object: &Object| {
            let class = &view.units.classes[other];
            view.begins(other, &["CREATE"])
                && matches!(&class.kind, Kind::Definition(made) if made.contains(object))
        };
        let makes = |object| (0..view.ddl.len()).any(|other| creates(other, object));
        for object in objects {
            if !makes(object) {
                self.find(
                    at,
                    Rule::UnmarkedDrop,
                    format!("{} {} is dropped", kind.to_lowercase(), object.name),
                );
            }
        }
    }
}

/// Whether every INSERT must name it.
fn is_required(column: &Column) -> bool {
    column.not_null && !column.has_default && !column.auto_increment && column.generated.is_none()
}
