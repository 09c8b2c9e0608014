//! Numbers that occur twice or are left out.

use super::{Finding, Rule, Source};
use crate::ledger::{LedgerRow, State};
use crate::settings::Gaps;

/// `rows` excuse what an older ledger had.
pub(super) fn numbers(sources: &[Source], gaps: Gaps, rows: &[LedgerRow]) -> Vec<Finding> {
    let adopted = |row: &&LedgerRow| row.state == State::Adopted;
    let is_adopted = |name: &str| rows.iter().filter(adopted).any(|row| row.filename == name);
    let is_taken = |number: u64| {
        rows.iter()
            .filter(adopted)
            .any(|row| row.version == Some(number))
    };
    let mut numbered: Vec<(u64, &str)> = sources
        .iter()
        .filter_map(|source| Some((source.version?, &*source.name)))
        .collect();
    numbered.sort_unstable();
    let mut findings = Vec::new();
    for pair in numbered.windows(2) {
        let [(before, first), (after, second)] = pair else {
            continue;
        };
        if before == after && !(is_adopted(first) && is_adopted(second)) {
            findings.push(Finding {
                file: Some((*second).to_owned()),
                ..Finding::new(
                    Rule::DuplicateNumber,
                    format!("{first} has number {before} too"),
                    "give the newer one the next free number, unless it was released",
                )
            });
        }
        let left_out = (before + 1..*after).find(|number| !is_taken(*number));
        if let Some(number) = left_out.filter(|_| gaps == Gaps::Deny) {
            findings.push(Finding {
                file: Some((*second).to_owned()),
                ..Finding::new(
                    Rule::MissingNumber,
                    format!("number {number} is left out behind {first}"),
                    "number it on without a gap, or bring the missing file",
                )
            });
        }
    }
    findings
}
