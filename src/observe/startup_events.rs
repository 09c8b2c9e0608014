//! Startup events in a replica's output: as the protocol writes them, or found in plain text by the
//! regular expressions of the service's `events`.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value, json};
use sysndd_protocol::StartupEvent;

use super::Replica;
use crate::{config::Service, docker::LogLine};

/// Reads the lines of one service.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventReader {
    patterns: Vec<(String, Regex)>,
}

impl EventReader {
    pub(crate) fn new(service: Option<&Service>) -> Self {
        let events = service.map(|service| &service.events);
        let compile = |events: &BTreeMap<String, String>| {
            let compiled = events.iter().map(|(name, pattern)| {
                // Validated when the file was read.
                Regex::new(pattern).ok().map(|regex| (name.clone(), regex))
            });
            compiled.flatten().collect()
        };
        Self {
            patterns: events.map(compile).unwrap_or_default(),
        }
    }

    /// The event that `line` of `replica` tells; `None` for any other line.
    pub(crate) fn read(&self, replica: &Replica, line: &LogLine) -> Option<StartupEvent> {
        StartupEvent::parse(&line.text).or_else(|| {
            let found = |(name, regex): &(String, Regex)| event(name, regex, replica, line);
            self.patterns.iter().find_map(found)
        })
    }
}

/// Named groups become the event's fields: numbers, `true` and `false` as such, all else as text.
fn event(name: &str, regex: &Regex, replica: &Replica, line: &LogLine) -> Option<StartupEvent> {
    let captures = regex.captures(&line.text)?;
    let mut fields = Map::new();
    for group in regex.capture_names().flatten() {
        if let Some(found) = captures.name(group) {
            let text = found.as_str();
            let value = serde_json::from_str::<Value>(text).ok();
            let plain = value.filter(|value| value.is_number() || value.is_boolean());
            fields.insert(group.to_owned(), plain.unwrap_or_else(|| json!(text)));
        }
    }
    fields.extend([
        ("ts".to_owned(), json!(line.time)),
        ("level".to_owned(), json!("info")),
        ("replica".to_owned(), json!(replica.name)),
        ("release".to_owned(), json!(replica.release)),
        ("event".to_owned(), json!(name)),
    ]);
    serde_json::from_value(Value::Object(fields)).ok()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use sysndd_protocol::{Event, ReleaseId, ReplicaName};

    use super::*;
    use crate::{
        config::ServiceName,
        docker::{ContainerState, LogStream},
        probe::Readiness,
    };

    fn replica() -> Replica {
        Replica {
            name: ReplicaName::new("demo-api-r1-1"),
            container: "id".into(),
            service: ServiceName::new("api"),
            number: 1,
            release: ReleaseId::new("r1"),
            run: "run".into(),
            config_hash: "hash".into(),
            image: "image".into(),
            state: ContainerState::Running,
            exit_code: None,
            oom_killed: false,
            restart_count: 0,
            readiness: Readiness::Ready,
            created_at: None,
            started_at: None,
            finished_at: None,
            address: None,
            ports: Vec::new(),
            user: String::new(),
        }
    }

    fn read(name: &str, pattern: &str, text: &str) -> Option<Event> {
        let reader = EventReader {
            patterns: vec![(name.to_owned(), Regex::new(pattern).unwrap())],
        };
        let line = LogLine {
            stream: LogStream::Stdout,
            time: DateTime::from_timestamp(7, 0).unwrap(),
            text: text.to_owned(),
        };
        reader.read(&replica(), &line).map(|found| {
            assert_eq!(found.ts, line.time);
            assert_eq!(found.replica.as_str(), "demo-api-r1-1");
            found.event
        })
    }

    #[test]
    fn what_was_said_before_the_engine_noted_the_start_is_of_this_life() {
        let at = |second| DateTime::from_timestamp(second, 0);
        for (finished_at, started_at, after) in [
            // Its first life; its second; one that is over.
            (None, at(5), None),
            (at(3), at(5), at(3)),
            (at(7), at(5), at(5)),
        ] {
            let replica = Replica {
                started_at,
                finished_at,
                ..replica()
            };
            assert_eq!(replica.born_after(), after, "{finished_at:?}");
        }
    }

    #[test]
    fn named_groups_become_fields() {
        let pattern = r"Applied (?<file>(?<version>\d+)_\S+) \((?<statements>\d+) statements, (?<duration_ms>\d+) ms\)";
        assert_eq!(
            read(
                "migration.applied",
                pattern,
                "Applied 7_users.sql (3 statements, 41 ms)"
            ),
            Some(Event::MigrationApplied {
                version: 7,
                file: "7_users.sql".into(),
                statements: 3,
                duration_ms: 41,
            })
        );
    }

    #[test]
    fn a_line_that_does_not_match_is_no_event() {
        assert_eq!(
            read(
                "startup.ready",
                "ready in (?<elapsed_ms>\\d+)",
                "still starting"
            ),
            None
        );
    }

    #[test]
    fn an_event_whose_fields_are_missing_is_none() {
        assert_eq!(read("startup.ready", "ready", "ready"), None);
    }
}
