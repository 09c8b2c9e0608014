//! What the clauses of an `ALTER TABLE` let the server do together.

use super::clause::{Context, Effect, operation};
use super::{Algorithm, Impact, Lock, Setting};
use crate::ddl::{Clause, Schema, TableName};

/// The statement.
pub(super) struct Alter<'a> {
    pub(super) table: &'a TableName,
    pub(super) clauses: &'a [Clause],
    /// What it asks for in `ALGORITHM = …`.
    pub(super) algorithm: Option<&'a str>,
}

pub(super) fn impact(alter: &Alter<'_>, schema: &Schema, setting: Setting) -> Impact {
    let name = Some(&*alter.table.name);
    let operations = || {
        alter
            .clauses
            .iter()
            .map(operation)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let unknown = |why: &str| Impact {
        algorithm: Algorithm::Unknown,
        lock: Lock::Unknown,
        ..Impact::of(&operations(), name, why)
    };
    let Some(table) = schema.get(alter.table) else {
        return unknown("the table is not there, as far as can be seen");
    };
    if table.fresh && table.rows == Some(0) {
        return Impact {
            algorithm: Algorithm::None,
            ..Impact::of(
                &operations(),
                name,
                "the table is made by these files: nothing is in it yet",
            )
        }
        .with(Some(table));
    }
    let Some(version) = setting.mysql else {
        return unknown("only MySQL's ways are known").with(Some(table));
    };
    if let Some(engine) = table.engine.as_deref().filter(|engine| *engine != "innodb") {
        let why = format!("engine {engine} copies the table for most changes");
        return Impact {
            algorithm: Algorithm::Copy,
            rebuilds_table: true,
            lock: Lock::Shared,
            ..Impact::of(&operations(), name, &why)
        }
        .with(Some(table));
    }
    let context = Context {
        table,
        clauses: alter.clauses,
        version,
        checks_foreign_keys: setting.checks_foreign_keys,
    };
    let mut effects = Vec::new();
    for clause in alter.clauses {
        match context.effect(clause) {
            Ok(effect) => effects.push(effect),
            Err(why) => return unknown(&why).with(Some(table)),
        }
    }
    let mut found = together(&effects);
    if found.rebuilds_table && found.algorithm == Algorithm::Inplace && table.fulltext {
        found = Impact {
            algorithm: Algorithm::Copy,
            lock: Lock::Shared,
            why: "a table with a full-text index is not rebuilt in place".to_owned(),
            ..found
        };
    }
    found.table = name.map(str::to_owned);
    asked(&mut found, alter.algorithm);
    found.with(Some(table))
}

/// What the server does for all of them in one statement.
fn together(effects: &[Effect]) -> Impact {
    let mut operations: Vec<&str> = Vec::new();
    for effect in effects {
        if !operations.contains(&effect.operation) {
            operations.push(effect.operation);
        }
    }
    let estimate = |algorithm, rebuilds_table, lock, why: &str| Impact {
        algorithm,
        rebuilds_table,
        lock,
        ..Impact::of(&operations.join(", "), None, why)
    };
    if let Some(worst) = effects.iter().find(|effect| effect.inplace.is_none()) {
        return estimate(Algorithm::Copy, true, Lock::Shared, worst.why);
    }
    if effects.iter().all(|effect| effect.instant) {
        return estimate(
            Algorithm::Instant,
            false,
            Lock::None,
            "only the dictionary changes",
        );
    }
    let inplace = || {
        effects
            .iter()
            .filter_map(|effect| Some((effect, effect.inplace?)))
    };
    let rebuilds = inplace().any(|(_, inplace)| inplace.rebuilds);
    let lock = inplace()
        .map(|(_, inplace)| inplace.lock)
        .max()
        .unwrap_or(Lock::None);
    let alone = effects.iter().filter(|effect| !effect.instant);
    let alone_light = alone
        .clone()
        .filter_map(|effect| effect.inplace)
        .all(|inplace| !inplace.rebuilds);
    let why = if rebuilds && alone_light {
        "together they rebuild the table; in statements of their own the first would be instant \
         and the others would leave the rows alone"
    } else {
        alone.map(|effect| effect.why).next().unwrap_or_default()
    };
    estimate(Algorithm::Inplace, rebuilds, lock, why)
}

/// What the statement itself asks of the server.
fn asked(found: &mut Impact, algorithm: Option<&str>) {
    let Some(asked) = algorithm else { return };
    let least = match asked {
        "instant" => Algorithm::Instant,
        "inplace" => Algorithm::Inplace,
        "copy" => {
            *found = Impact {
                algorithm: Algorithm::Copy,
                rebuilds_table: true,
                lock: Lock::Shared,
                why: "the statement asks for a copy".to_owned(),
                ..found.clone()
            };
            return;
        }
        _ => return,
    };
    if found.algorithm > least && found.algorithm != Algorithm::Unknown {
        found.why = format!(
            "the server will refuse it: it asks for {}, and {}",
            asked.to_ascii_uppercase(),
            found.why
        );
    } else if least == Algorithm::Inplace {
        found.algorithm = Algorithm::Inplace;
    }
}
