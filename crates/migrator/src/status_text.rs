//! [`Status`] for a person who was woken up: what is applied, by whom and when, what is not, what
//! is wrong and what to type. Pure.

use std::fmt;

use crate::columns::{columns, milliseconds};
use crate::files::version_and_rest;
use crate::ledger::{LedgerRow, State};
use crate::status::{LockState, Status};

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "head     {}", self.head.as_deref().unwrap_or("-"))?;
        writeln!(f, "applied  {}", self.applied)?;
        writeln!(f, "pending  {}", self.pending.len())?;
        if !self.ahead.is_empty() {
            writeln!(f, "ahead    {}", self.ahead.len())?;
        }
        writeln!(f, "lock     {}", self.lock)?;
        for problem in &self.problems {
            writeln!(f, "problem  {problem}")?;
        }
        for row in self.rows.iter().filter(|row| !row.state.is_done()) {
            if let Some(advice) = advice(row, self.lock.held) {
                writeln!(f, "{:<8} {advice}", word(row.state))?;
            }
        }
        if self.rows.is_empty() && self.pending.is_empty() {
            return Ok(());
        }
        write!(f, "\n{}", columns(&self.table()))
    }
}

impl Status {
    /// A line a file, in numeric order.
    fn table(&self) -> Vec<Vec<String>> {
        let mut files: Vec<(Option<u64>, &str, Option<&LedgerRow>)> = self
            .rows
            .iter()
            .map(|row| (row.version, row.filename.as_str(), Some(row)))
            .collect();
        let begun = |name: &str| self.rows.iter().any(|row| row.filename == name);
        let untouched = self.pending.iter().filter(|name| !begun(name));
        files.extend(untouched.map(|name| {
            let version = version_and_rest(name).map(|(version, _)| version);
            (version, name.as_str(), None)
        }));
        files.sort_by_key(|(version, name, _)| (*version, *name));
        let head = ["FILE", "STATE", "WHEN", "TOOK", "BY"].map(str::to_owned);
        let lines = files.into_iter().map(|(_, name, row)| match row {
            None => vec![name.to_owned(), "pending".to_owned()],
            Some(row) => self.line(row),
        });
        std::iter::once(head.to_vec()).chain(lines).collect()
    }

    fn line(&self, row: &LedgerRow) -> Vec<String> {
        let mut state = word(row.state).to_owned();
        if !row.state.is_done() && row.statements_total > 0 {
            state += &format!(", {} of {} done", row.statements_done, row.statements_total);
        }
        if self.ahead.contains(&row.filename) {
            state += ", ahead";
        }
        vec![
            row.filename.clone(),
            state,
            row.applied_at
                .map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
                .unwrap_or_default(),
            row.duration_ms.map(milliseconds).unwrap_or_default(),
            row.applied_by.clone().unwrap_or_default(),
        ]
    }
}

impl fmt::Display for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.held {
            return f.write_str("free");
        }
        f.write_str("held")?;
        if let Some(holder) = &self.holder {
            write!(f, " by {holder}")?;
        }
        match &self.container {
            // The holder names itself after its container, as a rule.
            Some(container) if !self.holder.as_deref().unwrap_or("").contains(&**container) => {
                write!(f, ", container {container}")
            }
            _ => Ok(()),
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::InDoubt => "in doubt",
        other => other.as_str(),
    }
}

/// What there is to know and to do about a file that is not done.
fn advice(row: &LedgerRow, lock_held: bool) -> Option<String> {
    let file = &row.filename;
    match row.state {
        State::Applied | State::Adopted => None,
        State::Running if lock_held => Some(format!("{file}: the lock's holder is at it")),
        State::Running => Some(format!(
            "{file}: its applier is gone; the next start goes on where it is certain"
        )),
        State::Failed => Some(format!(
            "{}; the next start tries again",
            row.error.clone().unwrap_or_else(|| file.clone())
        )),
        State::InDoubt => Some(format!(
            "{file}: whether statement {} took effect cannot be told{}. Look at the schema, then run \
             `migrate resolve {file} --retry` to run it again or `migrate resolve {file} --done` to go on behind it",
            row.in_doubt.unwrap_or(1),
            row.error
                .as_ref()
                .map(|error| format!(" ({error})"))
                .unwrap_or_default(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn row(filename: &str, state: State) -> LedgerRow {
        LedgerRow {
            filename: filename.to_owned(),
            version: version_and_rest(filename).map(|(version, _)| version),
            checksum: Some("0".repeat(64)),
            compat: None,
            state,
            applied_by: Some("api-2".to_owned()),
            run_id: None,
            release: None,
            applied_at: DateTime::from_timestamp(1_795_000_000, 0),
            duration_ms: Some(120),
            statements_done: 2,
            statements_total: 5,
            in_doubt: None,
            before_hash: None,
            done_hash: None,
            error: None,
        }
    }

    fn status(rows: Vec<LedgerRow>, pending: &[&str], lock: LockState) -> Status {
        Status {
            head: Some("001_a.sql".to_owned()),
            applied: 1,
            pending: pending.iter().map(|&name| name.to_owned()).collect(),
            ahead: Vec::new(),
            problems: Vec::new(),
            lock,
            rows,
        }
    }

    #[test]
    fn every_file_has_a_line_and_what_to_do_stands_above() {
        let doubt = LedgerRow {
            in_doubt: Some(3),
            error: Some("it is a CALL".to_owned()),
            ..row("002_b.sql", State::InDoubt)
        };
        let status = status(
            vec![row("001_a.sql", State::Applied), doubt],
            &["002_b.sql", "003_c.sql"],
            LockState::default(),
        );
        assert_eq!(
            status.to_string(),
            "head     001_a.sql\napplied  1\npending  2\nlock     free\n\
             in doubt 002_b.sql: whether statement 3 took effect cannot be told (it is a CALL). Look at the schema, then run \
             `migrate resolve 002_b.sql --retry` to run it again or `migrate resolve 002_b.sql --done` to go on behind it\n\n\
             FILE       STATE                  WHEN                     TOOK    BY\n\
             001_a.sql  applied                2026-11-18 11:06:40 UTC  120 ms  api-2\n\
             002_b.sql  in doubt, 2 of 5 done  2026-11-18 11:06:40 UTC  120 ms  api-2\n\
             003_c.sql  pending\n"
        );
    }

    #[test]
    fn the_holder_is_named_with_its_container_unless_it_bears_its_name() {
        let lock = |holder: &str| LockState {
            held: true,
            holder: Some(holder.to_owned()),
            host: None,
            container: Some("sysndd-api-1".to_owned()),
        };
        assert_eq!(
            lock("connection 7 from 172.18.0.3:4").to_string(),
            "held by connection 7 from 172.18.0.3:4, container sysndd-api-1"
        );
        assert_eq!(
            lock("replica sysndd-api-1 (connection 7)").to_string(),
            "held by replica sysndd-api-1 (connection 7)"
        );
        let running = vec![row("001_a.sql", State::Running)];
        let seen = |lock| status(running.clone(), &["001_a.sql"], lock).to_string();
        assert!(seen(lock("x")).contains("the lock's holder is at it"));
        assert!(seen(LockState::default()).contains("its applier is gone"));
    }

    #[test]
    fn an_empty_folder_and_an_empty_database_have_no_table() {
        let mut nothing = status(Vec::new(), &[], LockState::default());
        nothing.head = None;
        nothing.applied = 0;
        assert_eq!(
            nothing.to_string(),
            "head     -\napplied  0\npending  0\nlock     free\n"
        );
    }
}
