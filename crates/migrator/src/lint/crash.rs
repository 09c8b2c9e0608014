//! What a crash would leave in doubt, and promises of `-- resume: rerun` that do not hold.
//!
//! Most statements need no guard: definitions and row changes that stand alone are carried on
//! exactly. It matters where nothing is certain between begin and end of a stretch.

use std::collections::BTreeSet;

use super::{Finding, Rule, View};
use crate::classify::{Kind, Object};
use crate::ddl::{Clause, Ddl, TableName};
use crate::error::shortened;
use crate::lex::Token;
use crate::units::{How, Unit};

pub(super) fn crash(view: &View<'_>) -> Vec<Finding> {
    if view.file.may_rerun() {
        return promises(view);
    }
    view.units
        .units
        .iter()
        .filter(|unit| matches!(unit.how, How::Opaque { guarded: false, .. }))
        .flat_map(|unit| in_doubt(view, unit))
        .collect()
}

const GUARD: &str = "give it IF [NOT] EXISTS, move it into a file of its own, \
     or make the whole file repeatable and say `-- resume: rerun`";
const REPEAT: &str = "make the whole file repeatable and say `-- resume: rerun`, \
     or write it without what dirties the session";

/// The first definition and the first other statement of the stretch that have no guard.
fn in_doubt(view: &View<'_>, unit: &Unit) -> Vec<Finding> {
    let classes = &view.units.classes;
    // A transaction that does not work as one is found for that.
    if classes[unit.first].kind == Kind::Begin {
        return Vec::new();
    }
    let unguarded = || (unit.first..=unit.last).filter(|at| !classes[*at].guarded);
    let is_definition =
        |at: &usize| matches!(classes[*at].kind, Kind::Definition(_)) || defines(&view.ddl[*at]);
    let opens = &view.file.statements()[unit.first];
    let since = |at: usize| {
        if at == unit.first {
            "a crash in it leaves the file in doubt: its effect cannot be seen from outside"
                .to_owned()
        } else {
            format!(
                "a crash in it leaves the file in doubt: since `{}` (line {}) nothing is \
                 certain any more",
                shortened(&opens.text),
                opens.line
            )
        }
    };
    let mut findings = Vec::new();
    if let Some(at) = unguarded().find(is_definition) {
        findings.push(view.at(at, Rule::UnguardedDefinition, since(at), GUARD));
    }
    if let Some(at) = unguarded().find(|at| !is_definition(at)) {
        findings.push(view.at(at, Rule::NotResumable, since(at), REPEAT));
    }
    findings
}

fn defines(ddl: &Ddl) -> bool {
    !matches!(ddl, Ddl::Other | Ddl::Call(_) | Ddl::Truncate(_))
}

/// `-- resume: rerun` above statements that do not come out the same a second time.
fn promises(view: &View<'_>) -> Vec<Finding> {
    let mut dropped: Vec<&Object> = Vec::new();
    let mut created: Vec<&Object> = Vec::new();
    let mut emptied: BTreeSet<TableName> = BTreeSet::new();
    let mut findings = Vec::new();
    for at in 0..view.tokens.len() {
        let class = &view.units.classes[at];
        let targets: &[Object] = match &class.kind {
            Kind::Definition(objects) => objects,
            _ => &[],
        };
        let reason = if view.begins(at, &["DROP"]) {
            let known = targets.iter().all(|object| created.contains(&object));
            dropped.extend(targets);
            (!class.guarded && !known).then_some("what it drops is gone the second time")
        } else if view.begins(at, &["CREATE"]) && !matches!(view.ddl[at], Ddl::AlterTable { .. }) {
            let gone =
                !targets.is_empty() && targets.iter().all(|object| dropped.contains(&object));
            created.extend(targets);
            (!class.guarded && !gone && !targets.is_empty())
                .then_some("what it creates is there the second time")
        } else {
            if let Some(table) = empties(&view.tokens[at]) {
                emptied.insert(table);
            }
            once(view, at, &emptied)
        };
        if let Some(reason) = reason {
            findings.push(view.at(
                at,
                Rule::NotRepeatable,
                format!("the file says `-- resume: rerun`, and {reason}"),
                "guard it, or delete `-- resume: rerun`",
            ));
        }
    }
    findings
}

/// Why a statement that makes and drops nothing is not to run twice.
fn once(view: &View<'_>, at: usize, emptied: &BTreeSet<TableName>) -> Option<&'static str> {
    let tokens = &view.tokens[at];
    match &view.ddl[at] {
        Ddl::AlterTable { clauses, .. } => {
            return (!clauses.iter().all(repeatable))
                .then_some("the server refuses it the second time");
        }
        Ddl::RenameTables(_) => return Some("the table has its new name the second time"),
        _ => {}
    }
    let has = |word: &str| tokens.iter().any(|token| token.is(word));
    if view.begins(at, &["INSERT"]) {
        let into = tokens
            .iter()
            .position(|token| token.is("INTO"))
            .unwrap_or(0);
        let target = TableName::at(&tokens[into + 1..]);
        let refilled = target.is_some_and(|table| emptied.contains(&table));
        let guarded = has("IGNORE") || has("DUPLICATE") || has("EXISTS") || has("LEFT");
        return (!guarded && !refilled).then_some("it inserts its rows a second time");
    }
    (view.begins(at, &["UPDATE"]) && builds_on_itself(tokens))
        .then_some("it changes what it changed before")
}

/// A clause that may be said twice.
fn repeatable(clause: &Clause) -> bool {
    match clause {
        Clause::ModifyColumn { from, column } => column.name.eq_ignore_ascii_case(from),
        Clause::AlterColumn(_)
        | Clause::IndexVisibility
        | Clause::EnforceCheck(_)
        | Clause::Engine(_)
        | Clause::Force
        | Clause::RowFormat
        | Clause::DefaultCharset
        | Clause::ConvertCharset
        | Clause::TableOption(_)
        | Clause::Encryption
        | Clause::Tablespace
        | Clause::OrderBy => true,
        _ => false,
    }
}

/// The table whose rows are taken away before they are put in again.
fn empties(tokens: &[Token]) -> Option<TableName> {
    let [first, second, rest @ ..] = tokens else {
        return None;
    };
    match () {
        () if first.is("DELETE") && second.is("FROM") => TableName::at(rest),
        () if first.is("TRUNCATE") && second.is("TABLE") => TableName::at(rest),
        () if first.is("TRUNCATE") => TableName::at(&tokens[1..]),
        () => None,
    }
}

/// `SET a = a + 1`: the new value is made of the old one.
fn builds_on_itself(tokens: &[Token]) -> bool {
    let set = tokens.iter().position(|token| token.is("SET")).unwrap_or(0);
    let end = tokens
        .iter()
        .position(|token| token.is("WHERE"))
        .unwrap_or(tokens.len());
    let Some(part) = tokens.get(set + 1..end) else {
        return false;
    };
    part.windows(4).any(|four| {
        let [
            name,
            Token::Mark(b'='),
            again,
            Token::Mark(b'+' | b'-' | b'*' | b'/'),
        ] = four
        else {
            return false;
        };
        name.name().is_some() && name.name() == again.name()
    })
}
