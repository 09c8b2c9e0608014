//! What must hold for any script whatever; the fuzz target feeds it. Only built for fuzzing and tests.

use crate::files::MigrationFile;
use crate::ledger::{LedgerRow, State};
use crate::resume::resume;
use crate::split::pieces;
use crate::units::Units;

/// Checks that the pieces joined are the script, each has the line that it stands on, the units of a file
/// cover its statements without gap or overlap, and carrying on never leaves the file.
///
/// # Panics
///
/// When one of these does not hold.
pub fn script(script: &str) {
    if let Ok(pieces) = pieces(script) {
        let joined: String = pieces.iter().map(|piece| piece.text).collect();
        assert_eq!(joined, script, "the pieces are not the script");
        let mut line = 1;
        for piece in &pieces {
            assert_eq!(piece.line, line, "{piece:?} has a wrong line");
            line += piece.text.matches('\n').count();
        }
    }
    let Ok(file) = MigrationFile::parse("1_a.sql", script.as_bytes()) else {
        return;
    };
    for transactional in [true, false] {
        let units = Units::of(&file, transactional);
        let mut next = 0;
        for unit in &units.units {
            assert_eq!(unit.first, next, "a gap before {unit:?}");
            assert!(unit.last >= unit.first, "{unit:?} ends before it begins");
            next = unit.last + 1;
        }
        assert_eq!(next, file.statements().len(), "statements without a unit");
        for at in 0..units.units.len() {
            assert!(at + units.creations(at) <= units.units.len());
        }
        for done in 0..=file.statements().len().min(20) {
            for in_doubt in [None, Some(done), Some(done + 1)] {
                let _ = resume(&file, &units, Some(&row(&file, done, in_doubt)));
            }
        }
    }
}

#[cfg(test)]
proptest::proptest! {
    #[test]
    fn every_script_keeps_the_rules(parts in proptest::collection::vec(part(), 0..30)) {
        script(&parts.concat());
    }
}

/// Parts of which scripts are made that come near to something.
#[cfg(test)]
fn part() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        "[a-z;'\"`\\\\#/*!@ \r\n-]{0,6}",
        proptest::sample::select(vec![
            "DELIMITER //\n",
            "//",
            ";",
            "\n",
            "\r\n",
            "-- ",
            "/*",
            "*/",
            "/*!80013 ",
            "/*M!",
            "/*+ ",
            "CREATE TABLE a (b INT)",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END",
            "INSERT INTO a VALUES (1)",
            "SET @x = 1",
            "BEGIN",
            "COMMIT",
            "RENAME TABLE a TO b",
            "ALTER TABLE a ADD c INT",
            "CALL p()",
            "-- resume: rerun\n",
            "\u{feff}",
            "é",
        ])
        .prop_map(str::to_owned),
    ]
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
        before_hash: Some("0".repeat(64)),
        done_hash: Some(file.prefix_checksum(done)),
        error: None,
    }
}
