//! Statements → units: the stretches of a file between two points at which it is certain what
//! has been done. Pure.

use crate::classify::{Class, Kind, Object, Session, classify};
use crate::files::MigrationFile;

/// Counts the server's tables whose rows no transaction brings back, and the engine of new tables
/// where it is such a one. While there are any, row changes may be theirs.
pub(crate) const OTHER_ENGINES: &str = "SELECT COUNT(*) + (@@default_storage_engine <> 'InnoDB') FROM information_schema.TABLES \
     WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE NOT IN ('InnoDB', 'PERFORMANCE_SCHEMA') \
     AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')";

/// One stretch of a file. `first` and `last` are indexes of statements, both inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) how: How,
}

/// How a unit is made certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    /// Row changes in a transaction of ours, with the ledger's progress in it: done exactly once.
    Rows,
    /// A transaction of the file's own, which the ledger's progress joins.
    Transaction,
    /// One data definition statement, told by its targets' definitions before and after.
    Definition(Vec<Object>),
    /// Nothing is known between begin and end.
    Opaque {
        /// Whether each of its statements may run again.
        guarded: bool,
        /// Whether the session is thrown away behind it.
        dirties: bool,
    },
}

/// Statements of a file with what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) classes: Vec<Class>,
    pub(crate) units: Vec<Unit>,
}

impl Units {
    /// `transactional`: whether every table of the database is.
    pub(crate) fn of(file: &MigrationFile, transactional: bool) -> Self {
        Self::from_classes(
            file.statements()
                .iter()
                .map(|statement| classify(&statement.text))
                .collect(),
            transactional,
        )
    }

    fn from_classes(classes: Vec<Class>, transactional: bool) -> Self {
        let rows_are_safe = transactional && !classes.iter().any(|class| class.other_engine);
        // What an earlier statement left in the session is not there after a crash: such a file
        // has no certain point inside.
        let whole = classes.iter().any(|class| class.session == Session::Reads);
        let mut units = Vec::new();
        let mut at = 0;
        while at < classes.len() {
            let unit = if whole {
                tail(&classes, at)
            } else {
                unit(&classes, at, rows_are_safe)
            };
            at = unit.last + 1;
            units.push(unit);
        }
        Self { classes, units }
    }

    /// The unit that begins after `done` statements.
    pub(crate) fn beginning_at(&self, done: usize) -> Option<usize> {
        self.units.iter().position(|unit| unit.first == done)
    }

    /// How many units from this one on create objects, each its own. When none of these objects
    /// exists at the begin, their existence tells afterwards which of the units ran.
    pub(crate) fn creations(&self, from: usize) -> usize {
        let mut made: Vec<&Object> = Vec::new();
        let next = self.units[from..]
            .iter()
            .take_while(|unit| match &unit.how {
                How::Definition(objects) if self.classes[unit.first].creates => {
                    let new = objects.iter().all(|object| !made.contains(&object));
                    made.extend(objects);
                    new
                }
                _ => false,
            });
        next.count()
    }

    /// Whether the statements from `first` to `last` may all run again.
    pub(crate) fn guarded(&self, first: usize, last: usize) -> bool {
        self.classes[first..=last].iter().all(|class| class.guarded)
    }

    pub(crate) fn has_rows(&self) -> bool {
        self.classes.iter().any(|class| class.kind == Kind::Rows)
    }
}

fn unit(classes: &[Class], at: usize, rows_are_safe: bool) -> Unit {
    let class = &classes[at];
    let one = |how| Unit {
        first: at,
        last: at,
        how,
    };
    if class.dirties() {
        return tail(classes, at);
    }
    match &class.kind {
        Kind::Rows if rows_are_safe => one(How::Rows),
        Kind::Definition(objects) => one(How::Definition(objects.clone())),
        Kind::Begin if rows_are_safe => match end_of_transaction(classes, at) {
            Some(last) => Unit {
                first: at,
                last,
                how: How::Transaction,
            },
            None => tail(classes, at),
        },
        Kind::Begin | Kind::Commit => tail(classes, at),
        Kind::Rows | Kind::Opaque => one(How::Opaque {
            guarded: class.guarded,
            dirties: false,
        }),
    }
}

/// A transaction with nothing but row changes in it.
fn end_of_transaction(classes: &[Class], begin: usize) -> Option<usize> {
    let inside = classes[begin + 1..]
        .iter()
        .take_while(|class| class.kind == Kind::Rows && !class.dirties())
        .count();
    let last = begin + 1 + inside;
    (classes.get(last)?.kind == Kind::Commit).then_some(last)
}

/// Everything from here on in one unit: a session that is dirty stays so to the file's end.
fn tail(classes: &[Class], at: usize) -> Unit {
    let guarded = classes[at..].iter().all(|class| class.guarded);
    Unit {
        first: at,
        last: classes.len() - 1,
        how: How::Opaque {
            guarded,
            dirties: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(script: &str, transactional: bool) -> Vec<String> {
        let file = MigrationFile::parse("1_a.sql", script.as_bytes()).expect("parses");
        Units::of(&file, transactional)
            .units
            .iter()
            .map(|unit| {
                let how = match &unit.how {
                    How::Rows => "rows",
                    How::Transaction => "transaction",
                    How::Definition(_) => "definition",
                    How::Opaque { guarded: true, .. } => "guarded",
                    How::Opaque { .. } => "opaque",
                };
                format!("{how} {}-{}", unit.first + 1, unit.last + 1)
            })
            .collect()
    }

    #[test]
    fn definitions_and_row_changes_stand_alone() {
        assert_eq!(
            units(
                "CREATE TABLE a (b INT); INSERT INTO a VALUES (1); ALTER TABLE a ADD c INT;",
                true
            ),
            ["definition 1-1", "rows 2-2", "definition 3-3"]
        );
    }

    #[test]
    fn a_transaction_of_row_changes_is_one_unit() {
        assert_eq!(
            units(
                "BEGIN; INSERT INTO a VALUES (1); DELETE FROM b; COMMIT; DROP TABLE c;",
                true
            ),
            ["transaction 1-4", "definition 5-5"]
        );
        // A definition in the middle commits it.
        assert_eq!(
            units(
                "BEGIN; INSERT INTO a VALUES (1); DROP TABLE c; COMMIT;",
                true
            ),
            ["opaque 1-4"]
        );
        assert_eq!(
            units("BEGIN; INSERT INTO a VALUES (1);", true),
            ["opaque 1-2"]
        );
    }

    #[test]
    fn from_the_first_dirty_statement_on_nothing_is_certain() {
        assert_eq!(
            units(
                "CREATE TABLE a (b INT); SET @x = 1; INSERT INTO a VALUES (1); DROP TABLE c;",
                true
            ),
            ["definition 1-1", "opaque 2-4"]
        );
        assert_eq!(
            units("SET @x = 1; SELECT @x; PREPARE s FROM @x", true),
            ["guarded 1-3"]
        );
    }

    #[test]
    fn what_reads_the_session_makes_the_whole_file_one_unit() {
        assert_eq!(
            units(
                "INSERT INTO a VALUES (1); INSERT INTO b VALUES (LAST_INSERT_ID());",
                true
            ),
            ["opaque 1-2"]
        );
    }

    #[test]
    fn rows_of_tables_without_transactions_are_opaque() {
        assert_eq!(
            units("INSERT INTO a VALUES (1); DELETE FROM a;", false),
            ["opaque 1-1", "opaque 2-2"]
        );
        assert_eq!(
            units(
                "CREATE TABLE a (b INT) ENGINE=MyISAM; INSERT INTO a VALUES (1);",
                true
            ),
            ["definition 1-1", "opaque 2-2"]
        );
    }

    #[test]
    fn creations_of_different_objects_stand_together() {
        let file = |script: &str| {
            let file = MigrationFile::parse("1_a.sql", script.as_bytes()).expect("parses");
            Units::of(&file, true)
        };
        let units = file(
            "CREATE TABLE a (b INT); CREATE VIEW v AS SELECT 1; CREATE TABLE a (b INT); CREATE TABLE c (b INT); DROP TABLE d; INSERT INTO a VALUES (1);",
        );
        let counts: Vec<usize> = (0..6).map(|at| units.creations(at)).collect();
        assert_eq!(counts, [2, 3, 2, 1, 0, 0]);
    }

    #[test]
    fn a_file_without_statements_has_no_units() {
        assert_eq!(units("-- nothing", true), [] as [String; 0]);
    }
}
