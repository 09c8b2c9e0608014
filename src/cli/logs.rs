//! `logs`: what all replicas print, as one stream in the order of time.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use chrono::{DateTime, Utc};
use console::{Color, Style};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use sysndd_protocol::ReplicaName;

use super::{Global, run::interrupt_token, session::Session};
use crate::{
    config::ServiceName,
    docker::{LogLine, LogQuery, LogStream},
    error::Error,
    exit::Exit,
    observe::{Observed, Replica, observe},
    output::Printer,
};

/// When following, lines are held back for so long that those of other replicas can be put in order.
const SETTLE: Duration = Duration::from_millis(100);

const COLORS: [Color; 6] = [
    Color::Cyan,
    Color::Green,
    Color::Yellow,
    Color::Magenta,
    Color::Blue,
    Color::Red,
];

/// Show what the replicas print, together and in order.
#[derive(Debug, clap::Args)]
pub(super) struct Logs {
    /// Only these services
    services: Vec<String>,
    /// Go on with what is printed from now on
    #[arg(short, long)]
    follow: bool,
    /// Not before: a time (2026-11-20T10:00:00Z) or an age (90s, 15m, 2h, 1d)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only the last N lines of each replica
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    ts: DateTime<Utc>,
    service: &'a ServiceName,
    replica: &'a ReplicaName,
    stream: LogStream,
    line: &'a str,
}

impl Logs {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let session = Session::open(global, printer).await?;
        let since = self
            .since
            .as_deref()
            .map(|text| parse_since(text, Utc::now()))
            .transpose()?;
        let observed = observe(&session.engine, &session.stack.project, None).await?;
        let replicas = self.selected(&session, &observed)?;
        if replicas.is_empty() {
            printer.note(format!(
                "no container of {} is there",
                session.stack.project
            ));
            return Ok(Exit::Done);
        }
        let width = replicas
            .iter()
            .map(|replica| label(replica).len())
            .max()
            .unwrap_or(0);
        let query = LogQuery {
            follow: self.follow,
            since,
            tail: self.tail,
        };
        let show = |index: usize, line: &LogLine| {
            let replica = replicas[index];
            if printer.is_json() {
                printer.json_line(&JsonLine {
                    ts: line.time,
                    service: &replica.service,
                    replica: &replica.name,
                    stream: line.stream,
                    line: &line.text,
                });
            } else {
                let style = Style::new().fg(COLORS[index % COLORS.len()]);
                let label = format!("{:<width$} |", label(replica));
                printer.text(&format!("{} {}\n", style.apply_to(label), line.text));
            }
        };

        let lines = replicas.iter().enumerate().map(|(index, replica)| {
            session
                .engine
                .logs(&replica.container, query)
                .map(move |line| (index, line))
                .boxed()
        });
        let mut lines = stream::select_all(lines);
        let mut held: BinaryHeap<Reverse<Held>> = BinaryHeap::new();
        let mut order = 0;
        let interrupt = interrupt_token();
        let mut settle = tokio::time::interval(SETTLE);
        loop {
            tokio::select! {
                () = interrupt.cancelled() => break,
                // Without --follow everything is read before anything is shown, so all is in order.
                _ = settle.tick(), if self.follow => {
                    while let Some(Reverse(next)) = held.pop() { show(next.index, &next.line); }
                }
                line = lines.next() => match line {
                    None => break,
                    Some((index, line)) => {
                        order += 1;
                        held.push(Reverse(Held { line: line?, order, index }));
                    }
                },
            }
        }
        while let Some(Reverse(next)) = held.pop() {
            show(next.index, &next.line);
        }
        Ok(if interrupt.is_cancelled() && !self.follow {
            Exit::Interrupted
        } else {
            Exit::Done
        })
    }

    fn selected<'a>(
        &self,
        session: &Session,
        observed: &'a Observed,
    ) -> Result<Vec<&'a Replica>, Error> {
        for service in &self.services {
            let name = ServiceName::new(service.as_str());
            let known = session.stack.services.contains_key(&name)
                || observed.replicas_of(&name).next().is_some();
            if !known {
                let names: Vec<&str> = session
                    .stack
                    .services
                    .keys()
                    .map(ServiceName::as_str)
                    .collect();
                return Err(Error::usage(format!("there is no service {service}"))
                    .with_hint(format!("services are {}", names.join(", "))));
            }
        }
        Ok(observed
            .replicas
            .iter()
            .filter(|replica| {
                self.services.is_empty()
                    || self
                        .services
                        .iter()
                        .any(|name| replica.service.as_str() == name)
            })
            .collect())
    }
}

/// A line that waits for its turn.
#[derive(PartialEq, Eq)]
struct Held {
    line: LogLine,
    order: u64,
    index: usize,
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.line.time, self.order).cmp(&(other.line.time, other.order))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn label(replica: &Replica) -> String {
    format!("{}-{}", replica.service, replica.number)
}

fn parse_since(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Error> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let wrong = || {
        Error::usage(format!("--since {text}: neither a time nor an age"))
            .with_hint("write 2026-11-20T10:00:00Z, or an age like 90s, 15m, 2h, 1d")
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - unit.len_utf8()]
        .parse()
        .map_err(|_| wrong())?;
    let age = count
        .checked_mul(seconds)
        .and_then(chrono::TimeDelta::try_seconds)
        .ok_or_else(wrong)?;
    now.checked_sub_signed(age).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_an_age() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T12:00:00Z")
            .unwrap()
            .to_utc();
        let at = |text| {
            parse_since(text, now)
                .map(|time| time.to_rfc3339())
                .map_err(|e| e.message)
        };
        assert_eq!(at("15m").unwrap(), "2026-11-20T11:45:00+00:00");
        assert_eq!(at("1d").unwrap(), "2026-11-19T12:00:00+00:00");
        assert_eq!(
            at("2026-01-02T03:04:05Z").unwrap(),
            "2026-01-02T03:04:05+00:00"
        );
        for wrong in ["", "5", "m", "yesterday", "99999999999999999d"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
