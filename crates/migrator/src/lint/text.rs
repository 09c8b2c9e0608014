//! A report as people and editors read it: `path:line: error[rule]: message`.

use std::fmt;

use super::{Finding, LintReport};

impl LintReport {
    /// The file that a finding is about, as a path that an editor opens.
    fn place(&self, finding: &Finding) -> String {
        let path = match &finding.file {
            Some(file) => self.directory.join(file),
            None => self.directory.clone(),
        };
        match finding.line {
            Some(line) => format!("{}:{line}", path.display()),
            None => path.display().to_string(),
        }
    }
}

impl fmt::Display for LintReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(
                f,
                "{}: {}[{}]: {}",
                self.place(finding),
                finding.severity.as_str(),
                finding.rule.id(),
                finding.message
            )?;
            writeln!(f, "  help: {}", finding.remedy)?;
        }
        let count = |number: usize, what: &str| {
            format!("{number} {what}{}", if number == 1 { "" } else { "s" })
        };
        write!(
            f,
            "{}, {}, {}",
            count(self.files, "file"),
            count(self.errors(), "error"),
            count(self.warnings(), "warning")
        )
    }
}
