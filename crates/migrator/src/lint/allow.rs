//! `-- lint: allow RULE[, RULE] reason`: what a file's author has thought about.
//!
//! Above the first statement it holds for the file; above or behind another one, for that. A
//! reason must be given, and a line that allows nothing is found itself.

use super::{Finding, Rule};
use crate::split::{PieceKind, pieces};

/// One such line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allow {
    line: usize,
    rules: Vec<Rule>,
    /// Statement that it holds for, counted from 1; `None`: the file.
    statement: Option<usize>,
    used: bool,
}

impl Allow {
    /// Whether it covers the finding; remembers that it did.
    pub(super) fn covers(&mut self, finding: &Finding) -> bool {
        let covered = self.rules.contains(&finding.rule)
            && (self.statement.is_none() || self.statement == finding.statement);
        self.used |= covered;
        covered
    }

    pub(super) fn unused(&self, file: &str) -> Option<Finding> {
        (!self.used).then(|| Finding {
            file: Some(file.to_owned()),
            line: Some(self.line),
            ..Finding::new(
                Rule::UnusedAllow,
                "it allows what is not found here",
                "delete the line",
            )
        })
    }
}

/// The lines of one file that can be loaded.
pub(super) fn allows(file: &str, bytes: &[u8]) -> (Vec<Allow>, Vec<Finding>) {
    let text = String::from_utf8_lossy(bytes);
    let script = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let pieces = pieces(script).unwrap_or_default();
    let total = pieces
        .iter()
        .filter(|piece| piece.kind == PieceKind::Statement)
        .count();
    let (mut allows, mut bad) = (Vec::new(), Vec::new());
    let mut above = 0;
    for piece in pieces {
        if piece.kind == PieceKind::Statement {
            above += 1;
            continue;
        }
        for (offset, text) in piece.text.lines().enumerate() {
            // Behind a statement there is its delimiter first.
            let behind = above > 0 && offset == 0;
            let from = if behind { text.find("--") } else { Some(0) };
            let Some(value) = from.and_then(|from| value(&text[from..])) else {
                continue;
            };
            let line = piece.line + offset;
            let statement = match (above, behind) {
                (0, _) => None,
                (above, true) => Some(above),
                (above, false) => Some(above + 1),
            };
            let parsed = if statement.is_some_and(|statement| statement > total) {
                Err("nothing stands below it".to_owned())
            } else {
                rules(value)
            };
            match parsed {
                Ok(rules) => allows.push(Allow {
                    line,
                    rules,
                    statement,
                    used: false,
                }),
                Err(message) => bad.push(Finding {
                    file: Some(file.to_owned()),
                    line: Some(line),
                    ..Finding::new(
                        Rule::BadAllow,
                        message,
                        "write `-- lint: allow RULE[, RULE] reason` above the statement, or at \
                         the top for the file",
                    )
                }),
            }
        }
    }
    (allows, bad)
}

/// What stands behind `-- lint:`.
fn value(line: &str) -> Option<&str> {
    let (key, value) = line.trim().strip_prefix("--")?.split_once(':')?;
    key.trim()
        .eq_ignore_ascii_case("lint")
        .then(|| value.trim())
}

fn rules(value: &str) -> Result<Vec<Rule>, String> {
    let mut rest = value
        .strip_prefix("allow ")
        .ok_or_else(|| format!("`{value}` does not begin with `allow`"))?
        .trim_start();
    let mut rules = Vec::new();
    loop {
        let end = rest.find([',', ' ', '\t', ':']).unwrap_or(rest.len());
        let (id, behind) = rest.split_at(end);
        let rule = Rule::of_id(id).ok_or_else(|| format!("there is no rule `{id}`"))?;
        if !rule.can_be_allowed() {
            return Err(format!(
                "`{id}` cannot be allowed: a start would be refused all the same"
            ));
        }
        rules.push(rule);
        match behind.trim_start().strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if behind.trim_matches([' ', '\t', ':', '-', '—']).is_empty() => {
                return Err("no reason is given".to_owned());
            }
            None => return Ok(rules),
        }
    }
}
