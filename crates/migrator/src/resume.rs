//! Where to go on in a file that was begun before. Pure: it only reads the ledger's row.
//!
//! Only what is known is gone on with. No error code, and no look at the schema but the one that
//! was noted down before the statement, is taken as a sign that something was done.

use crate::files::MigrationFile;
use crate::ledger::LedgerRow;
use crate::units::{How, Units};

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resume {
    /// At this unit; equal to the number of units when only the post-condition is left.
    At(usize),
    /// The definition of this unit was begun: it ran if its targets no longer have this hash.
    Compare { unit: usize, before_hash: String },
    /// It cannot be told.
    InDoubt {
        /// Index of the statement.
        statement: usize,
        reason: String,
    },
}

pub(crate) fn resume(file: &MigrationFile, units: &Units, row: Option<&LedgerRow>) -> Resume {
    let Some(row) = row else {
        return Resume::At(0);
    };
    let total = file.statements().len();
    let done = row.statements_done;
    let in_doubt = |statement: usize, reason: &str| Resume::InDoubt {
        statement,
        reason: reason.to_owned(),
    };
    if row.checksum.is_none() {
        return in_doubt(
            0,
            "it failed under a ledger that did not note how far it came",
        );
    }
    if done > total || (done > 0 && row.done_hash.as_deref() != Some(&file.prefix_checksum(done))) {
        return in_doubt(
            done.min(total).saturating_sub(1),
            "the file was changed in statements that had already run",
        );
    }
    let Some(begun) = row.in_doubt else {
        return match units.beginning_at(done) {
            Some(unit) => Resume::At(unit),
            None if done == total => Resume::At(units.units.len()),
            None if file.may_rerun() => Resume::At(0),
            None => in_doubt(
                done,
                "the file was changed, and what ran before depends on what comes now",
            ),
        };
    };
    if file.may_rerun() {
        return Resume::At(0);
    }
    let begun = begun.saturating_sub(1);
    let Some(unit) = units.beginning_at(begun) else {
        return in_doubt(begun, "the file was changed around it");
    };
    match (&units.units[unit].how, &row.before_hash) {
        (How::Definition(_), Some(before_hash))
            if row.checksum.as_deref() == Some(file.checksum()) =>
        {
            Resume::Compare {
                unit,
                before_hash: before_hash.clone(),
            }
        }
        (How::Definition(_), Some(_)) => in_doubt(begun, "the file was changed since"),
        (How::Definition(_), None) => in_doubt(
            begun,
            "its target's definition could not be read before it ran",
        ),
        (How::Opaque { guarded: true, .. }, _) => Resume::At(unit),
        _ => in_doubt(
            begun,
            "what it does is not visible from outside, and it has no guard against running twice",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::State;

    fn file(script: &str) -> (MigrationFile, Units) {
        let file = MigrationFile::parse("1_a.sql", script.as_bytes()).expect("parses");
        let units = Units::of(&file, true);
        (file, units)
    }

    fn row(file: &MigrationFile, done: usize, in_doubt: Option<usize>) -> LedgerRow {
        LedgerRow {
            filename: file.name().to_owned(),
            version: Some(file.version()),
            checksum: Some(file.checksum().to_owned()),
            compat: None,
            state: State::Running,
            applied_by: None,
            run_id: None,
            release: None,
            applied_at: None,
            duration_ms: None,
            statements_done: done,
            statements_total: file.statements().len(),
            in_doubt,
            before_hash: None,
            done_hash: Some(file.prefix_checksum(done)),
            error: None,
        }
    }

    #[test]
    fn a_file_without_a_row_begins_at_its_begin() {
        let (file, units) = file("CREATE TABLE a (b INT);");
        assert_eq!(resume(&file, &units, None), Resume::At(0));
    }

    #[test]
    fn what_is_certain_is_not_run_again() {
        let (file, units) = file("INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);");
        assert_eq!(
            resume(&file, &units, Some(&row(&file, 1, None))),
            Resume::At(1)
        );
        // Only the post-condition was left.
        assert_eq!(
            resume(&file, &units, Some(&row(&file, 2, None))),
            Resume::At(2)
        );
    }

    #[test]
    fn a_begun_definition_is_compared() {
        let (file, units) = file("CREATE TABLE a (b INT); ALTER TABLE a ADD c INT;");
        let row = LedgerRow {
            before_hash: Some("ab".into()),
            ..row(&file, 1, Some(2))
        };
        assert_eq!(
            resume(&file, &units, Some(&row)),
            Resume::Compare {
                unit: 1,
                before_hash: "ab".into()
            }
        );
    }

    #[test]
    fn a_begun_opaque_unit_is_run_again_only_with_guards_or_a_promise() {
        let (plain, units) = file("CREATE TABLE a (b INT); CALL p();");
        assert!(matches!(
            resume(&plain, &units, Some(&row(&plain, 1, Some(2)))),
            Resume::InDoubt { statement: 1, .. }
        ));

        let (guarded, units) = file("CREATE TABLE a (b INT); SET @x = 1; DROP TABLE IF EXISTS c;");
        assert_eq!(
            resume(&guarded, &units, Some(&row(&guarded, 1, Some(2)))),
            Resume::At(1)
        );

        let (promised, units) =
            file("-- resume: rerun\nDROP PROCEDURE IF EXISTS p; CALL p(); DROP PROCEDURE p;");
        assert_eq!(
            resume(&promised, &units, Some(&row(&promised, 1, Some(2)))),
            Resume::At(0)
        );
    }

    #[test]
    fn a_change_above_what_is_done_is_in_doubt_and_one_below_is_fine() {
        let (before, _) = file("INSERT INTO a VALUES (1); INSERT INTO a VALUS (2);");
        let (below, units) = file("INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);");
        assert_eq!(
            resume(&below, &units, Some(&row(&before, 1, None))),
            Resume::At(1)
        );
        let (above, units) = file("INSERT INTO a VALUES (9); INSERT INTO a VALUES (2);");
        assert!(matches!(
            resume(&above, &units, Some(&row(&before, 1, None))),
            Resume::InDoubt { statement: 0, .. }
        ));
    }

    #[test]
    fn a_failure_of_the_original_sysndd_is_in_doubt() {
        let (file, units) = file("CREATE TABLE a (b INT);");
        let row = LedgerRow {
            checksum: None,
            done_hash: None,
            ..row(&file, 0, None)
        };
        assert!(matches!(
            resume(&file, &units, Some(&row)),
            Resume::InDoubt { .. }
        ));
    }
}
