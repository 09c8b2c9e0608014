//! A plan as text: for people, and for snapshot tests.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{
    action::{Action, Operation, Plan},
    change::Change,
};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.release {
            _ if self.operations.is_empty() => writeln!(f, "{}: nothing to do", self.project)?,
            Some(release) => writeln!(f, "{} → {release}", self.project)?,
            None => writeln!(f, "{}", self.project)?,
        }
        for (sign, line) in self.changes.iter().flat_map(Change::lines) {
            writeln!(f, "{}", sign.paint(&line))?;
        }
        let width = self.operations.len().to_string().len();
        for operation in &self.operations {
            writeln!(f, "{:>width$}  {}", operation.id.0 + 1, Line(operation))?;
        }
        for service in &self.refused {
            writeln!(
                f,
                "refused: {service} keeps data; replace it with --allow-recreate {service}"
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

struct Line<'a>(&'a Operation);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operation {
            after,
            action,
            cause,
            ..
        } = self.0;
        write!(f, "{} {}", action.verb(), action.subject())?;
        match action {
            Action::OwnVolume { owner, .. } | Action::OwnDirectory { owner, .. } => {
                write!(f, " by {}:{}", owner.uid, owner.gid)?;
            }
            Action::ProvideTls { order, reload, .. } => {
                match order.issued.not_after {
                    Some(end) => write!(
                        f,
                        " for {} until {}",
                        order.issued.names.join(", "),
                        end.format("%Y-%m-%d")
                    )?,
                    None => write!(f, ": whom to trust")?,
                }
                if let Some(reload) = reload {
                    write!(f, ", reload {} replicas", reload.replicas.len())?;
                }
            }
            Action::WriteUpstream { list, .. } => {
                write!(f, " of {} servers", list.servers.len())?;
            }
            Action::AwaitStable { soak, .. } => {
                write!(f, " for {}s", soak.as_secs_f64())?;
            }
            Action::RunJob { stage, spec, .. } => {
                let words = spec.entrypoint.iter().chain(&spec.command).flatten();
                let words: Vec<&str> = words.map(String::as_str).collect();
                // A script is told by its first line.
                let words = words.join(" ");
                let line = words.lines().next().unwrap_or_default();
                let short: String = line.chars().take(60).collect();
                let more = if short == words { "" } else { "…" };
                write!(f, ", {}: `{short}{more}`", stage.word())?;
            }
            Action::DrainEdge { timeout, .. } => write!(f, " within {}s", timeout.as_secs())?,
            Action::StopContainer { grace, .. } => write!(f, " within {}s", grace.as_secs())?,
            _ => {}
        }
        write!(f, "  ({cause}")?;
        if !after.is_empty() {
            let after: Vec<String> = after.iter().map(|id| (id.0 + 1).to_string()).collect();
            write!(f, "; after {}", after.join(", "))?;
        }
        write!(f, ")")
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut plan = serializer.serialize_struct("Plan", 7)?;
        plan.serialize_field("schema", "sysndd-deploy/plan/1")?;
        plan.serialize_field("project", &self.project)?;
        plan.serialize_field("release", &self.release)?;
        plan.serialize_field("operations", &self.operations)?;
        plan.serialize_field("changes", &self.changes)?;
        plan.serialize_field("notes", &self.notes)?;
        plan.serialize_field("refused", &self.refused)?;
        plan.end()
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let after: Vec<usize> = self.after.iter().map(|id| id.0).collect();
        let mut operation = serializer.serialize_struct("Operation", 5)?;
        operation.serialize_field("id", &self.id.0)?;
        operation.serialize_field("after", &after)?;
        operation.serialize_field("action", self.action.verb())?;
        operation.serialize_field("subject", self.action.subject())?;
        operation.serialize_field("cause", &self.cause)?;
        operation.end()
    }
}
