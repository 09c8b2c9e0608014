//! BuildKit's messages → the few events that a person wants to see.
//!
//! Pure: it remembers what each step said last, so that a failure can be shown with its reasons.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::docker::{BuildStatus, Vertex, VertexLog};

/// Lines of a failed step that are kept.
const TAIL: usize = 20;

/// Something happened in a running build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildEvent {
    /// The same for all events of one step.
    pub(crate) step: String,
    /// As BuildKit calls it: `[build 3/7] RUN cargo build`.
    pub(crate) name: String,
    pub(crate) state: StepState,
}

/// What a step does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepState {
    Started,
    /// An earlier build did it already.
    Cached,
    Done(Duration),
    Failed(String),
    /// One line of its output.
    Log(String),
}

/// The step that made a build fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedStep {
    pub(crate) name: String,
    /// The last lines of its output, oldest first.
    pub(crate) log: Vec<String>,
}

/// What is known of the steps of one build.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    steps: BTreeMap<String, Step>,
    failed: Option<String>,
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    started: bool,
    ended: bool,
    unfinished_line: Vec<u8>,
    tail: VecDeque<String>,
}

impl Progress {
    /// Takes in one message and tells what is new.
    pub(crate) fn apply(&mut self, status: &BuildStatus) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        // Output first: a step's last lines often come together with its end.
        for vertex in &status.vertices {
            self.steps
                .entry(vertex.digest.clone())
                .or_default()
                .name
                .clone_from(&vertex.name);
        }
        for log in &status.logs {
            self.log(log, &mut events);
        }
        for vertex in &status.vertices {
            self.vertex(vertex, &mut events);
        }
        events
    }

    /// The step that failed, if one did.
    pub(crate) fn failed_step(&self) -> Option<FailedStep> {
        let step = self.steps.get(self.failed.as_ref()?)?;
        Some(FailedStep {
            name: step.name.clone(),
            log: step.tail.iter().cloned().collect(),
        })
    }

    fn log(&mut self, log: &VertexLog, events: &mut Vec<BuildEvent>) {
        let step = self.steps.entry(log.vertex.clone()).or_default();
        for &byte in &log.bytes {
            if byte == b'\n' {
                step.end_line(&log.vertex, events);
            } else {
                step.unfinished_line.push(byte);
            }
        }
    }

    fn vertex(&mut self, vertex: &Vertex, events: &mut Vec<BuildEvent>) {
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        if step.ended {
            return;
        }
        let event = |state| BuildEvent {
            step: vertex.digest.clone(),
            name: vertex.name.clone(),
            state,
        };
        if vertex.started.is_some() && !step.started && !vertex.cached {
            step.started = true;
            events.push(event(StepState::Started));
        }
        if !vertex.error.is_empty() {
            step.end_line(&vertex.digest, events);
            step.ended = true;
            // Steps that run beside the failed one are cancelled; they are not the reason.
            let cancelled = vertex.error.contains("context canceled");
            if self.failed.is_none() && !cancelled {
                self.failed = Some(vertex.digest.clone());
            }
            events.push(event(StepState::Failed(vertex.error.clone())));
        } else if vertex.cached {
            step.ended = true;
            events.push(event(StepState::Cached));
        } else if let (Some(from), Some(to)) = (vertex.started, vertex.completed) {
            step.end_line(&vertex.digest, events);
            step.ended = true;
            events.push(event(StepState::Done(to.saturating_sub(from))));
        }
    }
}

impl Step {
    fn end_line(&mut self, id: &str, events: &mut Vec<BuildEvent>) {
        if self.unfinished_line.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.unfinished_line);
        let text = String::from_utf8_lossy(&bytes);
        // A carriage return overwrites the line, as progress bars do: what counts is the last.
        let line = text
            .trim_end()
            .rsplit('\r')
            .next()
            .unwrap_or_default()
            .to_owned();
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        events.push(BuildEvent {
            step: id.to_owned(),
            name: self.name.clone(),
            state: StepState::Log(line),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex(started: Option<u64>, completed: Option<u64>) -> Vertex {
        Vertex {
            digest: "sha256:1".to_owned(),
            name: "[2/2] RUN make".to_owned(),
            started: started.map(Duration::from_secs),
            completed: completed.map(Duration::from_secs),
            ..Vertex::default()
        }
    }

    fn status(vertex: Vertex, log: &str) -> BuildStatus {
        let log = VertexLog {
            vertex: vertex.digest.clone(),
            bytes: log.as_bytes().to_vec(),
        };
        BuildStatus {
            vertices: vec![vertex],
            logs: vec![log],
        }
    }

    fn states(progress: &mut Progress, status: &BuildStatus) -> Vec<StepState> {
        progress
            .apply(status)
            .into_iter()
            .map(|event| event.state)
            .collect()
    }

    #[test]
    fn a_step_starts_once_and_ends_once_however_often_it_is_reported() {
        let mut progress = Progress::default();
        assert_eq!(states(&mut progress, &status(vertex(None, None), "")), []);
        assert_eq!(
            states(&mut progress, &status(vertex(Some(5), None), "")),
            [StepState::Started]
        );
        assert_eq!(
            states(&mut progress, &status(vertex(Some(5), None), "")),
            []
        );
        let done = StepState::Done(Duration::from_secs(3));
        assert_eq!(
            states(&mut progress, &status(vertex(Some(5), Some(8)), "")),
            [done]
        );
        assert_eq!(
            states(&mut progress, &status(vertex(Some(5), Some(8)), "")),
            []
        );
    }

    #[test]
    fn a_cached_step_never_starts() {
        let cached = Vertex {
            cached: true,
            ..vertex(Some(5), Some(5))
        };
        let mut progress = Progress::default();
        assert_eq!(
            states(&mut progress, &status(cached, "")),
            [StepState::Cached]
        );
    }

    #[test]
    fn output_is_cut_into_lines_across_messages() {
        let mut progress = Progress::default();
        progress.apply(&status(vertex(Some(1), None), ""));
        assert_eq!(
            states(&mut progress, &status(vertex(Some(1), None), "one\nt")),
            [StepState::Log("one".to_owned())]
        );
        assert_eq!(
            states(
                &mut progress,
                &status(vertex(Some(1), None), "wo\n10%\r100%\n")
            ),
            [
                StepState::Log("two".to_owned()),
                StepState::Log("100%".to_owned())
            ]
        );
    }

    #[test]
    fn a_failure_keeps_the_last_lines_even_without_a_line_end() {
        let mut progress = Progress::default();
        progress.apply(&status(vertex(Some(1), None), ""));
        for line in 0..30 {
            progress.apply(&status(vertex(Some(1), None), &format!("line {line}\n")));
        }
        let failed = Vertex {
            error: "exit code: 2".to_owned(),
            ..vertex(Some(1), Some(2))
        };
        progress.apply(&status(failed, "and the end"));
        let step = progress.failed_step().expect("a step failed");
        assert_eq!(step.name, "[2/2] RUN make");
        assert_eq!(step.log.len(), 20);
        assert_eq!(step.log.first().map(String::as_str), Some("line 11"));
        assert_eq!(step.log.last().map(String::as_str), Some("and the end"));
    }

    #[test]
    fn a_step_that_was_only_cancelled_is_not_the_reason() {
        let mut progress = Progress::default();
        let cancelled = Vertex {
            error: "context canceled".to_owned(),
            ..vertex(Some(1), Some(2))
        };
        progress.apply(&status(cancelled, ""));
        assert_eq!(progress.failed_step(), None);
    }
}
