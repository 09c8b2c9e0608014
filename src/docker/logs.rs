//! A container's output, line by line, with the engine's time stamps.

use bollard::{container::LogOutput, query_parameters::LogsOptionsBuilder};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt as _, stream};

use super::{Engine, EngineError, Result};

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogStream {
    Stdout,
    Stderr,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) stream: LogStream,
    /// When the engine received it.
    pub(crate) time: DateTime<Utc>,
    pub(crate) text: String,
}

/// Which lines.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogQuery {
    /// Go on with what is written from now on, until the container ends.
    pub(crate) follow: bool,
    /// Not before this time.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Only the last so many.
    pub(crate) tail: Option<usize>,
}

impl Engine {
    /// Lines of `container`. The stream ends after an error.
    pub(crate) fn logs(
        &self,
        container: &str,
        query: LogQuery,
    ) -> impl Stream<Item = Result<LogLine>> + Send + use<> {
        let tail = query
            .tail
            .map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let mut options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .follow(query.follow)
            .tail(&tail);
        if let Some(since) = query.since {
            // Whole seconds are all that the engine takes; the rest is filtered below.
            options = options.since(i32::try_from(since.timestamp()).unwrap_or(i32::MAX));
        }
        let doing = format!("reading the logs of {container}");
        let mut splitter = LineSplitter::default();
        self.api
            .logs(container, Some(options.build()))
            .flat_map(move |piece| {
                let lines = match piece {
                    Ok(output) => splitter.push(&output).into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(EngineError::new(doing.clone(), error))],
                };
                stream::iter(lines)
            })
            .filter(move |line| {
                let keep = match (line, query.since) {
                    (Ok(line), Some(since)) => line.time >= since,
                    _ => true,
                };
                std::future::ready(keep)
            })
    }
}

/// Puts the engine's frames together to lines: long lines arrive in pieces of 16 KiB, each with a
/// time stamp of its own.
#[derive(Default)]
struct LineSplitter {
    stdout: Option<(DateTime<Utc>, String)>,
    stderr: Option<(DateTime<Utc>, String)>,
}

impl LineSplitter {
    fn push(&mut self, output: &LogOutput) -> Vec<LogLine> {
        let (stream, message) = match output {
            LogOutput::StdErr { message } => (LogStream::Stderr, message),
            LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message } => (LogStream::Stdout, message),
        };
        let open = match stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        };
        let mut lines = Vec::new();
        for piece in String::from_utf8_lossy(message).split_inclusive('\n') {
            let (stamp, text) = piece.split_once(' ').unwrap_or((piece.trim_end(), ""));
            let (time, text) = match DateTime::parse_from_rfc3339(stamp) {
                Ok(time) => (Some(time.to_utc()), text),
                Err(_) => (None, piece),
            };
            let ends = text.ends_with('\n');
            let text = text.trim_end_matches(['\n', '\r']);
            let (_, whole) = open.get_or_insert_with(|| (time.unwrap_or_default(), String::new()));
            whole.push_str(text);
            if ends && let Some((time, text)) = open.take() {
                lines.push(LogLine { stream, time, text });
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stdout(text: &str) -> LogOutput {
        LogOutput::StdOut {
            message: text.to_owned().into(),
        }
    }

    #[test]
    fn a_frame_is_a_line_with_its_time() {
        let lines = LineSplitter::default().push(&stdout("2026-11-20T10:00:00.5Z hello there\n"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].text, "hello there");
        assert_eq!(lines[0].time.timestamp_subsec_millis(), 500);
    }

    #[test]
    fn a_long_line_in_several_frames_is_one_line() {
        let mut splitter = LineSplitter::default();
        assert_eq!(splitter.push(&stdout("2026-11-20T10:00:00Z first ")), []);
        let lines = splitter.push(&stdout("2026-11-20T10:00:01Z second\n"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].text, "first second");
        assert_eq!(lines[0].time.timestamp(), 1_795_168_800);
    }

    #[test]
    fn the_two_streams_do_not_mix() {
        let mut splitter = LineSplitter::default();
        splitter.push(&stdout("2026-11-20T10:00:00Z out "));
        let lines = splitter.push(&LogOutput::StdErr {
            message: "2026-11-20T10:00:00Z err\n".into(),
        });
        assert_eq!(lines[0].text, "err");
        assert_eq!(lines[0].stream, LogStream::Stderr);
    }
}
