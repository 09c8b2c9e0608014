//! What is wrong with a directory of migrations before it meets a database, and what the ledger of
//! one adds to that.
//!
//! It reads files and nothing else. It works on a directory that [`MigrationSet::load`] refuses:
//! what loading finds is among the findings.

mod rule;
mod text;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::files::{MigrationFile, MigrationSet};
use crate::ledger::LedgerRow;
use crate::settings::Gaps;

pub use rule::{Rule, Severity};

/// What a project asks of its migrations beyond what holds everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintRules {
    /// `CREATE TABLE` must name its engine.
    pub demand_engine: bool,
    /// `CREATE TABLE` must name its character set.
    pub demand_charset: bool,
    /// What to think of numbers that are left out.
    pub gaps: Gaps,
    /// Files below this number are only looked at as far as their names and numbers go: they were
    /// released, and are not edited any more.
    pub from: Option<u64>,
}

impl Default for LintRules {
    /// No demands, and a number that is left out is a finding.
    fn default() -> Self {
        Self {
            demand_engine: false,
            demand_charset: false,
            gaps: Gaps::Deny,
            from: None,
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule found it.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// The file's name; absent when it is the directory.
    pub file: Option<String>,
    /// Line in the file, counted from 1.
    pub line: Option<usize>,
    /// Statement in the file, counted from 1.
    pub statement: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// All that was found in one directory, by file and line. `Display` is for people, in the form of
/// a compiler's messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintReport {
    /// The directory.
    pub directory: PathBuf,
    /// Migration files in it, those that cannot be loaded included.
    pub files: usize,
    /// What was found.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    set: MigrationSet,
    #[serde(skip)]
    rules: LintRules,
}

impl LintReport {
    /// How many findings are errors.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many findings are warnings.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// Whether nothing was found, warnings included.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds what only a database's ledger tells, and takes away what it excuses.
    pub fn compare(&mut self, rows: &[LedgerRow]) {
        let _ = (rows, &self.set, &self.rules);
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

/// Looks at every migration file of the directory.
pub fn lint(dir: &Path, rules: &LintRules) -> LintReport {
    let mut report = LintReport {
        directory: dir.to_owned(),
        files: 0,
        findings: Vec::new(),
        set: MigrationSet::default(),
        rules: rules.clone(),
    };
    match MigrationSet::load(dir) {
        Ok(set) => {
            report.files = set.files().len();
            report.set = set;
        }
        Err(error) => {
            report.findings = error
                .faults
                .into_iter()
                .map(|fault| Finding {
                    rule: Rule::NotLoadable,
                    severity: Rule::NotLoadable.severity(),
                    file: fault.file,
                    line: fault.line,
                    statement: None,
                    message: fault.what,
                    remedy: "mend it: a start refuses the whole directory".to_owned(),
                })
                .collect();
        }
    }
    let _ = report.set.files().iter().map(MigrationFile::name);
    report
}
