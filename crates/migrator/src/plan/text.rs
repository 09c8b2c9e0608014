//! A plan as people read it.

use std::fmt;

use super::{AfterCrash, Plan, PlannedFile, PlannedStatement, Start};
use crate::header::Compat;
use crate::impact::{Algorithm, Impact, Lock};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.head.as_deref().unwrap_or("nothing applied");
        let version = &self.server.version;
        writeln!(f, "database {} ({version}), at {head}", self.database)?;
        if let Some(holder) = &self.lock.holder {
            writeln!(f, "being migrated now by {holder}")?;
        }
        for file in &self.ahead {
            writeln!(f, "ahead of these files: {file}")?;
        }
        for problem in &self.problems {
            writeln!(f, "refused: {problem}")?;
        }
        if self.files.is_empty() {
            return write!(f, "nothing is pending");
        }
        for file in &self.files {
            planned_file(f, file)?;
        }
        let statements = self.files.iter().flat_map(|file| &file.statements);
        let impacts = || {
            statements
                .clone()
                .filter_map(|statement| statement.impact.as_ref())
        };
        write!(
            f,
            "\n{} pending, {} to run, {} of them heavy",
            count(self.files.len() as u64, "file"),
            count(impacts().count() as u64, "statement"),
            impacts().filter(|impact| impact.is_heavy()).count(),
        )
    }
}

fn planned_file(f: &mut fmt::Formatter<'_>, file: &PlannedFile) -> fmt::Result {
    let breaking = match file.compat {
        Compat::Breaking => " [breaking]",
        Compat::Backward => "",
    };
    writeln!(f, "\n{}{breaking}: {}", file.name, file.description)?;
    start(f, &file.start)?;
    let reruns = |statement: &PlannedStatement| statement.after_crash == AfterCrash::Rerun;
    if file.statements.iter().any(reruns) {
        writeln!(f, "  after a crash the whole file runs again")?;
    }
    let done = file
        .statements
        .iter()
        .filter(|statement| statement.done)
        .count();
    if done > 0 {
        writeln!(f, "  {} ran before", count(done as u64, "statement"))?;
    }
    for statement in file.statements.iter().filter(|statement| !statement.done) {
        planned_statement(f, statement)?;
    }
    match &file.verify {
        Some(verify) => writeln!(f, "  then must hold: {}", verify.query),
        None => Ok(()),
    }
}

fn start(f: &mut fmt::Formatter<'_>, start: &Start) -> fmt::Result {
    let because = |error: &Option<String>| match error {
        Some(error) => format!(" (it ended with: {error})"),
        None => String::new(),
    };
    match start {
        Start::First => Ok(()),
        Start::Resume { statement, error } => {
            writeln!(f, "  goes on at statement {statement}{}", because(error))
        }
        Start::Compare { statement, error } => writeln!(
            f,
            "  goes on at statement {statement}, or behind it if the definition of its target \
             has changed{}",
            because(error)
        ),
        Start::PostCondition { error } => writeln!(
            f,
            "  all statements ran; only the post-condition is looked at again{}",
            because(error)
        ),
        Start::InDoubt {
            statement,
            reason,
            commands,
        } => {
            writeln!(f, "  in doubt at statement {statement}: {reason}")?;
            // What a start noted down says so itself.
            if reason.contains("migrate resolve") {
                return Ok(());
            }
            writeln!(f, "  decide with `{}`", commands.join("` or `"))
        }
    }
}

fn planned_statement(f: &mut fmt::Formatter<'_>, statement: &PlannedStatement) -> fmt::Result {
    let PlannedStatement {
        number, line, text, ..
    } = statement;
    writeln!(f, "  {number}. line {line}: {text}")?;
    if let Some(impact) = &statement.impact {
        writeln!(f, "     {}", cost(impact))?;
    }
    match statement.after_crash {
        AfterCrash::Ask => writeln!(f, "     a crash in it leaves the file in doubt"),
        AfterCrash::Exact | AfterCrash::Repeat | AfterCrash::Rerun => Ok(()),
    }
}

fn cost(impact: &Impact) -> String {
    let mut text = impact.operation.clone();
    if let Some(table) = &impact.table {
        text += &format!(" ({table}");
        if let Some(rows) = impact.rows {
            text += &format!(", about {}", count(rows, "row"));
        }
        if let Some(bytes) = impact.bytes.filter(|bytes| *bytes > 0) {
            text += &format!(", {}", size(bytes));
        }
        text.push(')');
    }
    match impact.algorithm {
        Algorithm::None => {}
        Algorithm::Unknown => text += ": cost unknown",
        known => text += &format!(": {}", known.as_str()),
    }
    if impact.rebuilds_table {
        text += ", rewrites the table";
    }
    match impact.lock {
        Lock::Shared => text += ", writers wait",
        Lock::Exclusive => text += ", readers and writers wait",
        Lock::None | Lock::Unknown => {}
    }
    format!("{text}; {}", impact.why)
}

fn count(number: u64, what: &str) -> String {
    if number == 1 {
        format!("{number} {what}")
    } else {
        format!("{number} {what}s")
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes.div_ceil(1_048_576)),
        _ => format!("{} GiB", bytes.div_ceil(1_073_741_824)),
    }
}
