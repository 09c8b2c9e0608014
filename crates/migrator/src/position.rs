//! Files against ledger: what is applied, pending, ahead, and what must be refused. Pure.

use std::collections::BTreeMap;

use crate::error::Refusal;
use crate::files::{MigrationFile, MigrationSet};
use crate::header::Compat;
use crate::ledger::LedgerRow;
use crate::settings::Gaps;

/// Where a database stands against a set of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position<'a> {
    /// The newest applied file, whoever knows it.
    pub(crate) head: Option<&'a str>,
    /// Files of the set that are done.
    pub(crate) applied: usize,
    /// Files of the set that are not, in order.
    pub(crate) pending: Vec<&'a MigrationFile>,
    /// Rows above the newest file of the set.
    pub(crate) ahead: Vec<&'a LedgerRow>,
    /// Why nothing may be done.
    pub(crate) refusals: Vec<Refusal>,
}

pub(crate) fn position<'a>(
    set: &'a MigrationSet,
    rows: &'a [LedgerRow],
    gaps: Gaps,
) -> Position<'a> {
    let by_name: BTreeMap<&str, &LedgerRow> = rows
        .iter()
        .map(|row| (row.filename.as_str(), row))
        .collect();
    let row_of = |file: &MigrationFile| by_name.get(file.name()).copied();
    let done = |file: &MigrationFile| row_of(file).is_some_and(|row| row.state.is_done());

    let mut refusals = duplicates(set, &row_of);
    if gaps == Gaps::Deny {
        refusals.extend(missing_numbers(set, rows));
    }
    refusals.extend(
        set.files()
            .iter()
            .filter_map(|file| changed(file, row_of(file)?)),
    );

    let newest = set.files().last().map(MigrationFile::version);
    let (ahead, known): (Vec<&LedgerRow>, Vec<&LedgerRow>) = rows
        .iter()
        .partition(|row| row.version.is_some() && row.version > newest);
    refusals.extend(
        known
            .iter()
            .filter(|row| !row.is_exempt() && set.get(&row.filename).is_none())
            .map(|row| Refusal::Missing {
                file: row.filename.clone(),
                state: row.state,
            }),
    );
    refusals.extend(
        ahead
            .iter()
            .filter(|row| row.compat == Some(Compat::Breaking))
            .map(|row| Refusal::AheadBreaking {
                file: row.filename.clone(),
                release: row.release.clone(),
            }),
    );

    Position {
        head: rows
            .iter()
            .rev()
            .find(|row| row.state.is_done())
            .map(|row| row.filename.as_str()),
        applied: set.files().iter().filter(|file| done(file)).count(),
        pending: set.files().iter().filter(|file| !done(file)).collect(),
        ahead,
        refusals,
    }
}

/// Two files of one number, unless both were applied before this ledger knew numbers.
fn duplicates<'a>(
    set: &MigrationSet,
    row_of: &impl Fn(&MigrationFile) -> Option<&'a LedgerRow>,
) -> Vec<Refusal> {
    let adopted = |file: &MigrationFile| row_of(file).is_some_and(LedgerRow::is_exempt);
    set.files()
        .windows(2)
        .filter(|pair| pair[0].version() == pair[1].version() && !pair.iter().all(adopted))
        .map(|pair| Refusal::Duplicate {
            version: pair[0].version(),
            first: pair[0].name().to_owned(),
            second: pair[1].name().to_owned(),
        })
        .collect()
}

fn missing_numbers(set: &MigrationSet, rows: &[LedgerRow]) -> Vec<Refusal> {
    // A number that only an adopted row has is not left out.
    let adopted = |version: u64| {
        rows.iter()
            .any(|row| row.is_exempt() && row.version == Some(version))
    };
    set.files()
        .windows(2)
        .filter(|pair| (pair[0].version() + 1..pair[1].version()).any(|version| !adopted(version)))
        .map(|pair| Refusal::Gap {
            before: pair[0].name().to_owned(),
            after: pair[1].name().to_owned(),
        })
        .collect()
}

fn changed(file: &MigrationFile, row: &LedgerRow) -> Option<Refusal> {
    let checksum = row.checksum.as_deref()?;
    (row.state.is_done() && checksum != file.checksum()).then(|| Refusal::Changed {
        file: file.name().to_owned(),
        applied: checksum.to_owned(),
        found: file.checksum().to_owned(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ledger::State;

    fn set(files: &[(&str, &str)]) -> MigrationSet {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("written");
        }
        MigrationSet::load(dir.path()).expect("loads")
    }

    /// A row without anything but its state.
    pub(crate) fn row(filename: &str, state: State) -> LedgerRow {
        LedgerRow {
            filename: filename.to_owned(),
            version: crate::files::version_and_rest(filename).map(|(version, _)| version),
            checksum: None,
            compat: None,
            state,
            applied_by: None,
            run_id: None,
            release: None,
            applied_at: None,
            duration_ms: None,
            statements_done: 0,
            statements_total: 0,
            in_doubt: None,
            before_hash: None,
            done_hash: None,
            error: None,
        }
    }

    fn applied(set: &MigrationSet, index: usize) -> LedgerRow {
        let file = &set.files()[index];
        LedgerRow {
            checksum: Some(file.checksum().to_owned()),
            ..row(file.name(), State::Applied)
        }
    }

    #[test]
    fn what_has_no_finished_row_is_pending() {
        let set = set(&[
            ("1_a.sql", "A"),
            ("2_b.sql", "B"),
            ("3_c.sql", "C"),
            ("4_d.sql", "D"),
        ]);
        let rows = [
            applied(&set, 0),
            row("2_b.sql", State::Failed),
            row("3_c.sql", State::Running),
        ];
        let found = position(&set, &rows, Gaps::Deny);
        assert_eq!(
            found
                .pending
                .iter()
                .map(|file| file.name())
                .collect::<Vec<_>>(),
            ["2_b.sql", "3_c.sql", "4_d.sql"]
        );
        assert_eq!(
            (found.head, found.applied, found.refusals),
            (Some("1_a.sql"), 1, vec![])
        );
    }

    #[test]
    fn a_changed_file_is_refused_once_applied_and_not_while_it_failed() {
        let set = set(&[("1_a.sql", "A"), ("2_b.sql", "B")]);
        let other = Some("0".repeat(64));
        let rows = [
            LedgerRow {
                checksum: other.clone(),
                ..row("1_a.sql", State::Applied)
            },
            LedgerRow {
                checksum: other,
                ..row("2_b.sql", State::Failed)
            },
        ];
        let refusals = position(&set, &rows, Gaps::Allow).refusals;
        assert!(
            matches!(&refusals[..], [Refusal::Changed { file, .. }] if file == "1_a.sql"),
            "{refusals:?}"
        );
    }

    #[test]
    fn a_baselined_file_is_held_to_its_checksum_like_an_applied_one() {
        let set = set(&[("1_a.sql", "A"), ("3_c.sql", "C")]);
        let baselined = |name: &str| LedgerRow {
            checksum: Some("0".repeat(64)),
            ..row(name, State::Adopted)
        };
        let rows = [baselined("1_a.sql"), baselined("2_b.sql")];
        let refusals = position(&set, &rows, Gaps::Allow).refusals;
        assert!(
            matches!(&refusals[..], [Refusal::Changed { file, .. }, Refusal::Missing { file: missing, .. }]
                if file == "1_a.sql" && missing == "2_b.sql"),
            "{refusals:?}"
        );
    }

    #[test]
    fn a_missing_file_is_refused_and_a_newer_row_is_ahead() {
        let set = set(&[("2_b.sql", "B")]);
        let rows = [
            row("1_a.sql", State::Applied),
            applied(&set, 0),
            row("3_c.sql", State::Applied),
        ];
        let found = position(&set, &rows, Gaps::Allow);
        assert!(
            matches!(&found.refusals[..], [Refusal::Missing { file, .. }] if file == "1_a.sql")
        );
        assert_eq!(found.ahead.len(), 1);
        assert_eq!(found.head, Some("3_c.sql"));
    }

    #[test]
    fn a_breaking_row_ahead_is_refused() {
        let set = set(&[("1_a.sql", "A")]);
        let rows = [
            applied(&set, 0),
            LedgerRow {
                compat: Some(Compat::Breaking),
                ..row("2_b.sql", State::Applied)
            },
        ];
        let refusals = position(&set, &rows, Gaps::Allow).refusals;
        assert!(
            matches!(&refusals[..], [Refusal::AheadBreaking { file, .. }] if file == "2_b.sql")
        );
    }

    #[test]
    fn duplicates_are_refused_unless_both_were_adopted() {
        let set = set(&[("1_a.sql", "A"), ("1_b.sql", "B")]);
        let adopted = [
            row("1_a.sql", State::Adopted),
            row("1_b.sql", State::Adopted),
        ];
        assert_eq!(position(&set, &adopted, Gaps::Allow).refusals, []);
        assert!(matches!(
            position(&set, &adopted[..1], Gaps::Allow).refusals[..],
            [Refusal::Duplicate { version: 1, .. }]
        ));
    }

    #[test]
    fn a_gap_is_refused_where_asked_and_adopted_rows_fill_it() {
        let set = set(&[("1_a.sql", "A"), ("3_c.sql", "C")]);
        assert_eq!(position(&set, &[], Gaps::Allow).refusals, []);
        assert!(matches!(
            position(&set, &[], Gaps::Deny).refusals[..],
            [Refusal::Gap { .. }]
        ));
        assert_eq!(
            position(&set, &[row("2_gone.sql", State::Adopted)], Gaps::Deny).refusals,
            []
        );
    }

    #[test]
    fn an_empty_set_has_everything_ahead() {
        let rows = [row("1_a.sql", State::Applied)];
        let set = MigrationSet::default();
        let found = position(&set, &rows, Gaps::Deny);
        assert_eq!(
            (found.pending.len(), found.ahead.len(), found.refusals),
            (0, 1, vec![])
        );
    }
}
