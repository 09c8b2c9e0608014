//! What only a database's ledger tells: changed and missing files, and files that come too late.

use super::{Finding, LintReport, Rule, numbers};
use crate::error::Refusal;
use crate::ledger::LedgerRow;
use crate::position::position;

impl LintReport {
    /// Adds what the ledger of a database tells, and takes away what it excuses: what is applied is
    /// not edited any more, so its text is no finding.
    pub fn compare(&mut self, rows: &[LedgerRow]) {
        let is_done = |file: Option<&String>| {
            rows.iter()
                .any(|row| Some(&row.filename) == file && row.state.is_done())
        };
        self.findings.retain(|finding| {
            let number = matches!(finding.rule, Rule::DuplicateNumber | Rule::MissingNumber);
            let kept = finding.rule == Rule::NotLoadable || !is_done(finding.file.as_ref());
            kept && !number
        });
        let mut more = numbers::numbers(&self.sources, self.gaps, rows);
        more.extend(
            position(&self.set, rows, self.gaps)
                .refusals
                .iter()
                .filter_map(|refusal| self.refused(refusal)),
        );
        more.extend(self.out_of_order(rows));
        for finding in more {
            let source = self
                .sources
                .iter_mut()
                .find(|source| Some(&source.name) == finding.file.as_ref());
            let mut allows = source.into_iter().flat_map(|source| &mut source.allows);
            if !allows.any(|allow| allow.covers(&finding)) {
                self.findings.push(finding);
            }
        }
        self.sort();
    }

    fn refused(&self, refusal: &Refusal) -> Option<Finding> {
        let (rule, file, message, remedy) = match refusal {
            // Found by number already.
            Refusal::Duplicate { .. } | Refusal::Gap { .. } => return None,
            Refusal::Changed {
                file,
                applied,
                found,
            } => (
                Rule::ChangedFile,
                file,
                format!(
                    "it was changed after it was applied (checksum {} then, {} now)",
                    applied.get(..12).unwrap_or(applied),
                    found.get(..12).unwrap_or(found)
                ),
                "restore it, and put the change into a new file",
            ),
            Refusal::Missing { file, state } => {
                // It is there, and cannot be loaded.
                if self.sources.iter().any(|source| source.name == *file) {
                    return None;
                }
                let message = format!("it is {} in the database and missing here", state.as_str());
                (Rule::MissingFile, file, message, "restore it")
            }
            Refusal::AheadBreaking { file, .. } => (
                Rule::UnknownBreaking,
                file,
                "the database has it, it breaks earlier releases, and it is missing here"
                    .to_owned(),
                "bring the files of the release that applied it, or of a newer one",
            ),
        };
        Some(Finding {
            file: Some(file.clone()),
            ..Finding::new(rule, message, remedy)
        })
    }

    fn out_of_order(&self, rows: &[LedgerRow]) -> Vec<Finding> {
        let newest = rows
            .iter()
            .filter(|row| row.state.is_done())
            .filter_map(|row| row.version)
            .max();
        let late = self.set.files().iter().filter(|file| {
            Some(file.version()) < newest && !rows.iter().any(|row| row.filename == file.name())
        });
        late.map(|file| Finding {
            file: Some(file.name().to_owned()),
            ..Finding::new(
                Rule::OutOfOrder,
                format!(
                    "the database is at number {} already: there it would run after newer \
                     files, elsewhere before them",
                    newest.unwrap_or_default()
                ),
                "give it the next free number, unless the order does not matter",
            )
        })
        .collect()
    }
}
