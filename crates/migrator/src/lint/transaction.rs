//! Transactions of a file's own: what commits them before they say so, and those that never end.

use super::{Finding, Rule, View};
use crate::classify::Kind;
use crate::ddl::Ddl;
use crate::error::shortened;

/// First words of statements that commit, beside definitions.
const COMMITS: [&str; 12] = [
    "ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE", "GRANT", "REVOKE", "LOCK", "ANALYZE",
    "OPTIMIZE", "FLUSH", "REPAIR",
];

pub(super) fn transaction(view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open: Option<usize> = None;
    for at in 0..view.tokens.len() {
        let kind = &view.units.classes[at].kind;
        if ends(view, at) {
            open = None;
        } else if let Some(begin) = open
            && commits(view, at)
        {
            findings.push(view.at(
                at,
                Rule::ImplicitCommit,
                format!(
                    "it commits what was done since line {}, which no ROLLBACK brings back",
                    view.file.statements()[begin].line
                ),
                "put it before the transaction or behind its COMMIT",
            ));
            open = (*kind == Kind::Begin).then_some(at);
        } else if *kind == Kind::Begin || turns_off_autocommit(view, at) {
            open = Some(at);
        }
    }
    if let Some(begin) = open {
        findings.push(view.at(
            begin,
            Rule::OpenTransaction,
            format!(
                "the transaction that `{}` begins is never committed",
                shortened(&view.file.statements()[begin].text)
            ),
            "end it with COMMIT; a start stops the file otherwise",
        ));
    }
    findings
}

fn ends(view: &View<'_>, at: usize) -> bool {
    view.units.classes[at].kind == Kind::Commit
        || view.begins(at, &["COMMIT"])
        // Back to a savepoint is not the end.
        || (view.begins(at, &["ROLLBACK"]) && !view.tokens[at].iter().any(|token| token.is("TO")))
}

fn commits(view: &View<'_>, at: usize) -> bool {
    if view.units.classes[at].kind == Kind::Begin {
        return true;
    }
    if let Ddl::Call(name) = &view.ddl[at] {
        // Made by this file, in all likelihood.
        let is_called = |ddl: &Ddl| match ddl {
            Ddl::Procedure { name: known, body } => known == name && !body.is_empty(),
            _ => false,
        };
        return view.ddl[..at].iter().any(is_called);
    }
    let temporary = view.tokens[at]
        .iter()
        .take(3)
        .any(|token| token.is("TEMPORARY"));
    !temporary && COMMITS.iter().any(|word| view.begins(at, &[word]))
}

fn turns_off_autocommit(view: &View<'_>, at: usize) -> bool {
    let tokens = &view.tokens[at];
    view.begins(at, &["SET"])
        && tokens.iter().any(|token| token.is("autocommit"))
        && tokens
            .last()
            .is_some_and(|token| token.is("0") || token.is("OFF"))
}
