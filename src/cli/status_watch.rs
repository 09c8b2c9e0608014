//! `status --watch`: what runs, again with every change.

use std::{collections::BTreeMap, time::Duration};

use chrono::Utc;
use futures::StreamExt as _;
use serde::Serialize;
use sysndd_protocol::ReplicaName;

use super::{
    run::interrupt_token,
    session::Session,
    status::{StatusReport, report},
};
use crate::{error::Error, exit::Exit};

/// Readiness changes without an event of the engine.
const AT_LEAST_EVERY: Duration = Duration::from_secs(2);
/// Several things happen at once; one look is enough for them.
const SETTLE: Duration = Duration::from_millis(100);
/// Back to the corner, and nothing below what is written next.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// One replica is not as it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    at: String,
    replica: ReplicaName,
    /// The engine's word, or `gone`.
    state: String,
    condition: String,
}

/// Replicas with their states and conditions.
pub(super) type Conditions = BTreeMap<ReplicaName, (String, String)>;

/// Goes on until Ctrl-C: on a terminal the table is redrawn, elsewhere each change is a line.
pub(super) async fn watch(session: &Session) -> Result<Exit, Error> {
    let printer = session.printer;
    let redraws = !printer.is_json() && console::Term::stdout().is_term();
    let interrupt = interrupt_token();
    let events = session
        .engine
        .container_events(session.stack.project.as_str());
    // Our own questions are events too.
    let events = events.filter(|event| {
        let is_question = event.action.starts_with("exec_") || event.action == "top";
        std::future::ready(!is_question)
    });
    let mut events = std::pin::pin!(events);
    let mut before = Conditions::new();
    loop {
        let report = report(session, &session.observe().await?);
        if redraws {
            printer.text(&format!("{CLEAR}{}{}\n", report.human(), footer(&report)));
        } else {
            let now = report.conditions();
            for change in changes(&before, &now, &time()) {
                printer.data(&change, || change.line());
            }
            before = now;
        }
        tokio::select! {
            () = interrupt.cancelled() => return Ok(Exit::Done),
            Some(_) = events.next() => tokio::time::sleep(SETTLE).await,
            () = tokio::time::sleep(AT_LEAST_EVERY) => {}
        }
    }
}

fn footer(report: &StatusReport) -> String {
    format!("\n{}  {}; Ctrl-C ends this", time(), report.summary())
}

fn time() -> String {
    Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn changes(before: &Conditions, now: &Conditions, at: &str) -> Vec<Change> {
    let change = |replica: &ReplicaName, state: &str, condition: &str| Change {
        at: at.to_owned(),
        replica: replica.clone(),
        state: state.to_owned(),
        condition: condition.to_owned(),
    };
    let gone = before.keys().filter(|replica| !now.contains_key(*replica));
    let gone = gone.map(|replica| change(replica, "gone", "it was removed"));
    let other = now
        .iter()
        .filter(|(replica, condition)| before.get(*replica) != Some(*condition));
    gone.chain(other.map(|(replica, (state, condition))| change(replica, state, condition)))
        .collect()
}

impl Change {
    fn line(&self) -> String {
        let Self {
            at,
            replica,
            state,
            condition,
        } = self;
        format!("{at} {replica} {state}, {condition}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let conditions = |all: &[(&str, &str)]| -> Conditions {
            all.iter()
                .map(|(name, condition)| {
                    let state = ("running".to_owned(), (*condition).to_owned());
                    (ReplicaName::new(*name), state)
                })
                .collect()
        };
        let before = conditions(&[("api-1", "ready"), ("api-2", "ready"), ("api-3", "ready")]);
        let now = conditions(&[
            ("api-1", "ready"),
            ("api-2", "not ready"),
            ("api-4", "ready"),
        ]);
        let lines: String = changes(&before, &now, "now")
            .iter()
            .map(Change::line)
            .collect();
        assert_eq!(
            lines,
            "now api-3 gone, it was removed\nnow api-2 running, not ready\nnow api-4 running, ready\n"
        );
        assert_eq!(changes(&now, &now, "now"), []);
    }
}
