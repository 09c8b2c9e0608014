//! What a project demands of its tables.

use super::{Finding, LintRules, Rule, View};
use crate::ddl::Ddl;

pub(super) fn demands(view: &View<'_>, rules: &LintRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, ddl) in view.ddl.iter().enumerate() {
        let Ddl::CreateTable(made) = ddl else {
            continue;
        };
        // `LIKE` takes both from the other table.
        if made.like.is_some() {
            continue;
        }
        let name = &made.table.name;
        if rules.demand_engine && made.engine.is_none() {
            findings.push(view.at(
                at,
                Rule::CreateWithoutEngine,
                format!("{name} gets the server's default engine"),
                "end it with `ENGINE = InnoDB`",
            ));
        }
        if rules.demand_charset && !made.charset {
            findings.push(view.at(
                at,
                Rule::CreateWithoutCharset,
                format!("{name} gets the database's default character set"),
                "end it with `DEFAULT CHARSET = utf8mb4`",
            ));
        }
    }
    findings
}
