//! Names in another database: files migrate the database that the URL names, whatever its name.

use super::{Finding, Rule, View};
use crate::lex::Token;

/// Reading these is reading about the own database.
const CATALOGUES: [&str; 4] = ["information_schema", "performance_schema", "mysql", "sys"];

pub(super) fn scope(view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, tokens) in view.tokens.iter().enumerate() {
        if view.begins(at, &["USE"]) {
            findings.push(view.at(
                at,
                Rule::OtherDatabase,
                "USE leaves the database that is migrated",
                "delete it: the URL names the database",
            ));
        } else if let Some(name) = other_database(tokens) {
            findings.push(view.at(
                at,
                Rule::OtherDatabase,
                format!("`{name}` names a database"),
                "name the table alone: the URL names the database, and it has another name elsewhere",
            ));
        }
    }
    findings
}

/// The first qualified name where a table, view or routine stands.
fn other_database(tokens: &[Token]) -> Option<String> {
    let mut brackets: Vec<bool> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark(b'(') => {
                // In EXTRACT(YEAR FROM t.c) and the like, FROM is followed by a column.
                let value = ["EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "MID"];
                let before = at.checked_sub(1).map(|before| &tokens[before]);
                brackets
                    .push(before.is_some_and(|before| value.iter().any(|word| before.is(word))));
            }
            Token::Mark(b')') => {
                brackets.pop();
            }
            _ => {}
        }
        let names_follow = [
            "FROM",
            "JOIN",
            "INTO",
            "TABLE",
            "VIEW",
            "REFERENCES",
            "CALL",
            "PROCEDURE",
            "FUNCTION",
            "TRIGGER",
            "EVENT",
            "TRUNCATE",
        ]
        .iter()
        .any(|word| token.is(word))
            || (token.is("UPDATE") && at == 0)
            || (token.is("ON")
                && tokens[0].is("CREATE")
                && tokens.iter().take(3).any(|token| token.is("INDEX")));
        if !names_follow || brackets.last() == Some(&true) {
            continue;
        }
        let mut rest = &tokens[at + 1..];
        while rest.first().is_some_and(|token| {
            ["IF", "NOT", "EXISTS", "IGNORE", "LOW_PRIORITY"]
                .iter()
                .any(|word| token.is(word))
        }) {
            rest = &rest[1..];
        }
        if let [schema, Token::Mark(b'.'), name, ..] = rest
            && let (Some(schema), Some(name)) = (schema.name(), name.name())
            && !CATALOGUES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(schema))
        {
            return Some(format!("{schema}.{name}"));
        }
    }
    None
}
