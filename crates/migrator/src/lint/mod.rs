//! What is wrong with a directory of migrations before it meets a database, and what the ledger of
//! one adds to that.
//!
//! It reads files and nothing else. It works on a directory that [`MigrationSet::load`] refuses:
//! what loading finds is among the findings.

mod allow;
mod compat;
mod crash;
mod demands;
mod ledger;
mod numbers;
mod rule;
mod scope;
#[cfg(test)]
mod tests;
mod text;
mod transaction;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::ddl::{Ddl, Schema, ddl};
use crate::files::{MigrationFile, MigrationSet, sql_files, version_and_rest};
use crate::lex::{Token, tokens};
use crate::settings::Gaps;
use crate::units::Units;
use allow::Allow;

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
    sources: Vec<Source>,
    #[serde(skip)]
    gaps: Gaps,
}

/// A file as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    name: String,
    /// Absent when the name has none.
    version: Option<u64>,
    allows: Vec<Allow>,
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
        sources: Vec::new(),
        gaps: rules.gaps,
    };
    let names = match sql_files(dir) {
        Ok(names) => names,
        Err(error) => {
            let what = format!("the directory cannot be read: {error}");
            report.findings.push(not_loadable(None, None, what));
            return report;
        }
    };
    report.files = names.len();
    let mut files = Vec::new();
    for name in names {
        let (source, file) = report.read(&name);
        report.sources.push(source);
        files.extend(file);
    }
    report.set = MigrationSet::of(dir, files);
    report
        .findings
        .extend(numbers::numbers(&report.sources, rules.gaps, &[]));
    let set = report.set.clone();
    let mut schema = Schema::default();
    for file in set.files() {
        let view = View::of(file, schema.clone());
        for definition in &view.ddl {
            schema.apply(definition);
        }
        if rules.from.is_none_or(|from| file.version() >= from) {
            report.findings.extend(view.findings(rules));
        }
    }
    report.allow();
    report.sort();
    report
}

fn not_loadable(file: Option<String>, line: Option<usize>, what: String) -> Finding {
    Finding {
        file,
        line,
        ..Finding::new(
            Rule::NotLoadable,
            what,
            "mend it: a start refuses the whole directory",
        )
    }
}

impl LintReport {
    fn read(&mut self, name: &str) -> (Source, Option<MigrationFile>) {
        let mut source = Source {
            name: name.to_owned(),
            version: version_and_rest(name).map(|(version, _)| version),
            allows: Vec::new(),
        };
        let bytes = match std::fs::read(self.directory.join(name)) {
            Ok(bytes) => bytes,
            Err(error) => {
                let what = format!("the file cannot be read: {error}");
                self.findings
                    .push(not_loadable(Some(name.to_owned()), None, what));
                return (source, None);
            }
        };
        match MigrationFile::parse(name, &bytes) {
            Ok(file) => {
                let (allows, bad) = allow::allows(name, &bytes);
                source.allows = allows;
                self.findings.extend(bad);
                (source, Some(file))
            }
            Err(faults) => {
                let faults = faults.into_iter();
                self.findings
                    .extend(faults.map(|fault| not_loadable(fault.file, fault.line, fault.what)));
                (source, None)
            }
        }
    }

    /// Takes away what the files allow, and finds what they allow in vain.
    fn allow(&mut self) {
        let sources = &mut self.sources;
        self.findings.retain(|finding| {
            let source = sources
                .iter_mut()
                .find(|source| Some(&source.name) == finding.file.as_ref());
            let mut allows = source.into_iter().flat_map(|source| &mut source.allows);
            !allows.any(|allow| allow.covers(finding))
        });
        for source in &self.sources {
            self.findings.extend(
                source
                    .allows
                    .iter()
                    .filter_map(|allow| allow.unused(&source.name)),
            );
        }
    }

    fn sort(&mut self) {
        self.findings
            .sort_by(|a, b| (&a.file, a.line, a.rule).cmp(&(&b.file, b.line, b.rule)));
    }
}

impl Finding {
    fn new(rule: Rule, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity(),
            file: None,
            line: None,
            statement: None,
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// One file as the rules look at it.
struct View<'a> {
    file: &'a MigrationFile,
    units: Units,
    tokens: Vec<Vec<Token>>,
    ddl: Vec<Ddl>,
    /// As the files before it leave it.
    schema: Schema,
}

impl<'a> View<'a> {
    fn of(file: &'a MigrationFile, schema: Schema) -> Self {
        let texts = || file.statements().iter().map(|statement| &*statement.text);
        Self {
            file,
            units: Units::of(file, true),
            tokens: texts().map(tokens).collect(),
            ddl: texts().map(ddl).collect(),
            schema,
        }
    }

    fn findings(&self, rules: &LintRules) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.file.statements().is_empty() {
            findings.push(Finding {
                file: Some(self.file.name().to_owned()),
                ..Finding::new(
                    Rule::EmptyFile,
                    "it has no statement",
                    "write one, or delete the file before it is released",
                )
            });
        }
        findings.extend(crash::crash(self));
        findings.extend(compat::compat(self));
        findings.extend(demands::demands(self, rules));
        findings.extend(scope::scope(self));
        findings.extend(transaction::transaction(self));
        findings
    }

    /// A finding about a statement, by its index.
    fn at(
        &self,
        statement: usize,
        rule: Rule,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            file: Some(self.file.name().to_owned()),
            line: Some(self.file.statements()[statement].line),
            statement: Some(statement + 1),
            ..Finding::new(rule, message, remedy)
        }
    }

    /// Whether the statement begins with the words.
    fn begins(&self, statement: usize, words: &[&str]) -> bool {
        let tokens = &self.tokens[statement];
        tokens.len() >= words.len() && words.iter().zip(tokens).all(|(word, token)| token.is(word))
    }
}
