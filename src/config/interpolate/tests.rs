use std::path::PathBuf;

use super::*;
use crate::config::{
    environment::{Caller, Environment},
    template::{Dialect, parse},
};

/// A is set, EMPTY is empty, TOKEN is a secret; `[secrets]` lists SALT.
fn variables() -> Variables {
    let variables = [
        ("A", "1"),
        ("EMPTY", ""),
        ("TOKEN", "t0k"),
        ("SALT", "s4lt"),
        ("DOLLAR", "$x"),
    ];
    let environment = Environment {
        variables: variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        caller: Caller { uid: 0, gid: 0 },
        directory: PathBuf::new(),
    };
    Variables::new(&environment, &[], vec!["SALT".to_owned()])
}

fn text(template: &str) -> Result<Text, Vec<Unresolved>> {
    resolve(
        &parse(template, Dialect::Strict).expect("it is a template"),
        &variables(),
        true,
    )
}

#[test]
fn each_form_has_its_value_and_is_shown_without_secrets() {
    // Template, value, what is shown, how it is written down.
    let table = [
        ("a", "a", "a", "a"),
        ("${A}", "1", "1", "1"),
        ("-${A}-", "-1-", "-1-", "-1-"),
        ("${A:-d}", "1", "1", "1"),
        ("${NONE:-d}", "d", "d", "d"),
        ("${NONE-d}", "d", "d", "d"),
        ("${EMPTY:-d}", "d", "d", "d"),
        ("${EMPTY-d}", "", "", ""),
        ("${EMPTY}", "", "", ""),
        ("${EMPTY?m}", "", "", ""),
        ("${A:?m}", "1", "1", "1"),
        ("${NONE:-${A}}", "1", "1", "1"),
        ("${NONE:-${OTHER:-x}}", "x", "x", "x"),
        ("${TOKEN}", "t0k", "${TOKEN}", "${TOKEN}"),
        ("${SALT:-d}", "s4lt", "${SALT}", "${SALT}"),
        ("${NONE:-${TOKEN}}", "t0k", "${TOKEN}", "${TOKEN}"),
        ("${OTHER_TOKEN:-x}", "x", "***", "***"),
        ("${OTHER_TOKEN:-${A}}", "1", "${A}", "${A}"),
        ("$$5", "$5", "$5", "$$5"),
        ("${DOLLAR}", "$x", "$x", "$$x"),
        (
            "${deploy.release}",
            "${deploy.release}",
            "${deploy.release}",
            "${deploy.release}",
        ),
    ];
    for (template, value, shown, written) in table {
        let text = text(template).unwrap_or_else(|wrong| panic!("{template}: {wrong:?}"));
        let found = (text.expose(), text.masked(), text.template());
        assert_eq!(
            found,
            (value.to_owned(), shown.to_owned(), written.to_owned()),
            "{template}"
        );
    }
}

#[test]
fn what_is_known_late_is_resolved_late() {
    let text = text("${deploy.replica} of ${deploy.release}: ${TOKEN}").expect("it resolves");
    let resolved = text.resolve(
        &sysndd_protocol::ReleaseId::new("r1"),
        &sysndd_protocol::ReplicaName::new("p-api-r1-1"),
    );
    assert_eq!(resolved, "p-api-r1-1 of r1: t0k");
}

#[test]
fn each_missing_variable_is_named_with_what_its_author_said() {
    let table = [
        ("${NONE}", "NONE", false, None),
        ("${NONE:?do so}", "NONE", false, Some("do so")),
        ("${NONE?do so}", "NONE", false, Some("do so")),
        ("${NONE:?}", "NONE", false, None),
        ("${EMPTY:?do so}", "EMPTY", true, Some("do so")),
        ("${A} ${NONE:-${OTHER}}", "OTHER", false, None),
    ];
    for (template, wanted, was_empty, said) in table {
        match text(template).expect_err(template).as_slice() {
            [
                Unresolved::Missing {
                    name,
                    empty,
                    message,
                    ..
                },
            ] => {
                let found = (name.as_str(), *empty, message.as_deref());
                assert_eq!(found, (wanted, was_empty, said), "{template}");
            }
            other => panic!("{template}: {other:?}"),
        }
    }
}
