//! A job: a container that ends, its output told while it runs and kept.

use std::{collections::VecDeque, fmt, time::Duration};

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{ExecuteError, Progress};
use crate::{
    config::JobName,
    docker::{ContainerSpec, Engine, LogQuery, LogStream},
    plan::JobStage,
};

/// How much of its output is kept: the end of it.
const KEPT_LINES: usize = 500;
/// How much of it an error tells.
const LAST_LINES: usize = 20;
/// In the place of a secret.
const MASK: &str = "***";

/// A job that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobReport {
    pub(crate) job: JobName,
    pub(crate) stage: JobStage,
    pub(crate) began: DateTime<Utc>,
    pub(crate) ms: u64,
    /// Absent when it did not end by itself.
    pub(crate) exit_code: Option<i64>,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    /// The backup that it made.
    pub(crate) backup: Option<String>,
    /// What it printed, secrets masked; the end, where it was more.
    pub(crate) output: Vec<String>,
    /// Lines before those.
    pub(crate) left_out: usize,
}

impl JobReport {
    pub(crate) fn is_done(&self) -> bool {
        self.failure.is_none()
    }
}

/// Why it failed, with its last lines.
impl fmt::Display for JobReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.failure.as_deref().unwrap_or("it succeeded"))?;
        if !self.output.is_empty() {
            write!(f, "\n  its last output:")?;
            let first = self.output.len().saturating_sub(LAST_LINES);
            for line in &self.output[first..] {
                write!(f, "\n  | {line}")?;
            }
        }
        Ok(())
    }
}

/// What is run.
pub(super) struct Order<'a> {
    pub(super) job: &'a JobName,
    pub(super) stage: JobStage,
    pub(super) spec: &'a ContainerSpec,
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
    /// Values that must not be seen.
    pub(super) secrets: &'a [String],
}

/// Runs a job to its end and removes its container. Returns when its report is recorded.
pub(super) async fn run(
    engine: &Engine,
    order: &Order<'_>,
    progress: &mpsc::UnboundedSender<Progress>,
    halt: &CancellationToken,
) -> Result<(), ExecuteError> {
    let (began, clock) = (Utc::now(), Instant::now());
    let id = engine.create(order.spec).await?;
    let mut output = Output::default();
    let work = async {
        engine.start(&id).await?;
        let query = LogQuery {
            follow: true,
            ..LogQuery::default()
        };
        let mut lines = Box::pin(engine.logs(&id, query));
        // A stream that breaks off is no end of the job: that is asked for below.
        while let Some(Ok(line)) = lines.next().await {
            let text = masked(&line.text, order.secrets);
            let _ = progress.send(Progress::JobLine(order.job.clone(), text.clone()));
            output.take(line.stream, text);
        }
        engine.wait(&id).await
    };
    let ended = tokio::select! {
        biased;
        ended = work => Some(ended),
        () = halt.cancelled() => None,
        () = tokio::time::sleep(order.timeout) => None,
    };
    if ended.is_none() {
        engine.stop(&id, order.grace).await?;
    }
    let removed = engine.remove(&id).await;
    let exit_code = ended.transpose()?;
    removed?;
    let backup = output.backup();
    let failure = match (exit_code, order.stage) {
        (Some(0), JobStage::Backup) if backup.is_none() => Some(
            "its last line on stdout does not tell the backup's name: expected {\"filename\": \"…\"}"
                .to_owned(),
        ),
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("it ended with exit code {code}")),
        (None, _) if halt.is_cancelled() => Some("it was stopped".to_owned()),
        (None, _) => Some(format!(
            "it did not end within {}s and was stopped",
            order.timeout.as_secs()
        )),
    };
    let report = JobReport {
        job: order.job.clone(),
        stage: order.stage,
        began,
        ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        exit_code,
        backup: backup.filter(|_| order.stage == JobStage::Backup),
        failure,
        output: output.lines.into(),
        left_out: output.left_out,
    };
    // What comes next may change the data: it must be on record that this was done.
    let (recorded, mut answer) = mpsc::channel(1);
    let _ = progress.send(Progress::JobEnded(Box::new(report.clone()), recorded));
    let _ = answer.recv().await;
    if report.is_done() {
        return Ok(());
    }
    if exit_code.is_none() && halt.is_cancelled() {
        return Err(ExecuteError::Interrupted);
    }
    Err(ExecuteError::Job(Box::new(report)))
}

fn masked(text: &str, secrets: &[String]) -> String {
    secrets
        .iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
}

/// What a job printed.
#[derive(Default)]
struct Output {
    lines: VecDeque<String>,
    left_out: usize,
    /// The last line on stdout that says something.
    last: Option<String>,
}

impl Output {
    fn take(&mut self, stream: LogStream, text: String) {
        if stream == LogStream::Stdout && !text.trim().is_empty() {
            self.last = Some(text.clone());
        }
        self.lines.push_back(text);
        if self.lines.len() > KEPT_LINES {
            self.lines.pop_front();
            self.left_out += 1;
        }
    }

    /// The name in `{"filename": "…"}`.
    fn backup(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Made {
            filename: String,
        }
        let made: Made = serde_json::from_str(self.last.as_deref()?).ok()?;
        Some(made.filename).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(lines: &[(LogStream, &str)]) -> Output {
        let mut output = Output::default();
        for (stream, text) in lines {
            output.take(*stream, (*text).to_owned());
        }
        output
    }

    #[test]
    fn the_backup_is_named_by_the_last_line_on_stdout() {
        use LogStream::{Stderr, Stdout};
        let named = output(&[
            (Stdout, "dumping"),
            (Stdout, r#"{"filename":"a.sql.zst","size":7}"#),
            (Stdout, ""),
            (Stderr, "done"),
        ]);
        assert_eq!(named.backup().as_deref(), Some("a.sql.zst"));
        for lines in [
            &[][..],
            &[(Stdout, "a.sql.zst")],
            &[(Stdout, r#"{"filename":""}"#)],
            &[(Stdout, r#"{"filename":"a"}"#), (Stdout, "bye")],
            &[(Stderr, r#"{"filename":"a"}"#)],
        ] {
            assert_eq!(output(lines).backup(), None, "{lines:?}");
        }
    }

    #[test]
    fn the_end_of_a_long_output_is_kept() {
        let mut output = Output::default();
        for number in 0..KEPT_LINES + 3 {
            output.take(LogStream::Stdout, number.to_string());
        }
        assert_eq!((output.lines.len(), output.left_out), (KEPT_LINES, 3));
        assert_eq!(output.lines[0], "3");
    }

    #[test]
    fn secrets_are_not_seen() {
        assert_eq!(
            masked("a hunter2 b hunter2", &["hunter2".to_owned()]),
            "a *** b ***"
        );
    }
}
