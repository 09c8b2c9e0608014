//! Tables as the statements so far leave them: what `lint` knows from the files alone, and what
//! `plan` begins with from the server.

use std::collections::{BTreeMap, BTreeSet};

use super::{Clause, Column, CreateTable, Ddl, Index, TableName};

/// What is known of one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Table {
    /// Rows, about. `None`: not known.
    pub(crate) rows: Option<u64>,
    /// Bytes of data and indexes, about.
    pub(crate) bytes: Option<u64>,
    /// In lower case; `None` is the server's default.
    pub(crate) engine: Option<String>,
    pub(crate) compressed: bool,
    /// The default for its columns, where it is known.
    pub(crate) collation: Option<String>,
    pub(crate) columns: Vec<Column>,
    /// Columns that stand in an index.
    pub(crate) indexed: BTreeSet<String>,
    pub(crate) fulltext: bool,
    /// It was made by the statements themselves, and has only the rows that they put in.
    pub(crate) fresh: bool,
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_indexed(&self, name: &str) -> bool {
        self.indexed.contains(&name.to_ascii_lowercase())
    }

    fn forget(&mut self, name: &str) {
        self.columns
            .retain(|column| !column.name.eq_ignore_ascii_case(name));
    }

    fn alter(&mut self, clause: &Clause) {
        match clause {
            Clause::AddColumn(column) => self.columns.push(column.clone()),
            Clause::DropColumn(name) => self.forget(name),
            Clause::ModifyColumn { from, column } => {
                self.forget(from);
                self.columns.push(column.clone());
            }
            Clause::RenameColumn { from, to } => {
                if let Some(column) = self
                    .columns
                    .iter_mut()
                    .find(|column| column.name.eq_ignore_ascii_case(from))
                {
                    to.clone_into(&mut column.name);
                }
                if self.indexed.remove(&from.to_ascii_lowercase()) {
                    self.indexed.insert(to.to_ascii_lowercase());
                }
            }
            Clause::AddIndex(kind, columns) => {
                self.fulltext |= *kind == Index::Fulltext;
                self.index(columns);
            }
            Clause::AddPrimaryKey(columns) => self.index(columns),
            Clause::Engine(engine) => self.engine = Some(engine.clone()),
            // Every text column has another character set now.
            Clause::ConvertCharset => {
                self.collation = None;
                self.columns
                    .retain(|column| column.collation.is_none() && column.charset.is_none());
            }
            Clause::DefaultCharset => self.collation = None,
            _ => {}
        }
    }

    fn index(&mut self, columns: &[String]) {
        self.indexed
            .extend(columns.iter().map(|name| name.to_ascii_lowercase()));
    }
}

/// Tables by name. Those of other databases stand under `database.name`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    tables: BTreeMap<String, Table>,
    procedures: BTreeMap<String, Vec<Ddl>>,
    /// The server takes names that differ in case for one.
    folds_names: bool,
}

impl Schema {
    /// An empty one of a server with or without `lower_case_table_names`.
    pub(crate) fn folding(folds_names: bool) -> Self {
        Self {
            folds_names,
            ..Self::default()
        }
    }

    fn key(&self, table: &TableName) -> String {
        let key = match &table.schema {
            Some(schema) => format!("{schema}.{}", table.name),
            None => table.name.clone(),
        };
        if self.folds_names {
            key.to_lowercase()
        } else {
            key
        }
    }

    pub(crate) fn get_mut(&mut self, table: &TableName) -> Option<&mut Table> {
        let key = self.key(table);
        self.tables.get_mut(&key)
    }

    pub(crate) fn get(&self, table: &TableName) -> Option<&Table> {
        self.tables.get(&self.key(table))
    }

    pub(crate) fn put(&mut self, table: &TableName, facts: Table) {
        let key = self.key(table);
        self.tables.insert(key, facts);
    }

    /// What a procedure that was defined so far does.
    pub(crate) fn procedure(&self, name: &str) -> &[Ddl] {
        self.procedures
            .get(&name.to_ascii_lowercase())
            .map_or(&[], Vec::as_slice)
    }

    /// Takes a statement for done.
    pub(crate) fn apply(&mut self, ddl: &Ddl) {
        match ddl {
            Ddl::CreateTable(made) => self.create(made),
            Ddl::AlterTable { table, clauses, .. } => {
                if let Some(known) = self.get_mut(table) {
                    for clause in clauses {
                        known.alter(clause);
                    }
                }
                for clause in clauses {
                    if let Clause::RenameTable(to) = clause {
                        self.rename(table, to);
                    }
                }
            }
            Ddl::DropTables { tables, .. } => {
                for table in tables {
                    let key = self.key(table);
                    self.tables.remove(&key);
                }
            }
            Ddl::RenameTables(pairs) => {
                for (from, to) in pairs {
                    self.rename(from, to);
                }
            }
            Ddl::Truncate(table) => {
                if let Some(known) = self.get_mut(table) {
                    (known.rows, known.bytes) = (Some(0), Some(0));
                }
            }
            Ddl::Procedure { name, body } => {
                self.procedures
                    .insert(name.to_ascii_lowercase(), body.clone());
            }
            Ddl::Call(name) => {
                for ddl in self.procedure(name).to_vec() {
                    // One that calls itself adds nothing.
                    if !matches!(ddl, Ddl::Call(_)) {
                        self.apply(&ddl);
                    }
                }
            }
            Ddl::Other => {}
        }
    }

    fn create(&mut self, made: &CreateTable) {
        if made.if_not_exists && self.get(&made.table).is_some() {
            return;
        }
        let like = made.like.as_ref().and_then(|like| self.get(like)).cloned();
        let mut table = like.unwrap_or_default();
        let rows = (!made.filled).then_some(0);
        (table.rows, table.bytes, table.fresh) = (rows, rows, true);
        if made.engine.is_some() {
            table.engine.clone_from(&made.engine);
        }
        table.columns.extend(made.columns.iter().cloned());
        for clause in &made.clauses {
            table.alter(clause);
        }
        self.put(&made.table, table);
    }

    fn rename(&mut self, from: &TableName, to: &TableName) {
        let from = self.key(from);
        if let Some(table) = self.tables.remove(&from) {
            self.put(to, table);
        }
    }
}
