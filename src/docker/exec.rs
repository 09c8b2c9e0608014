//! Commands inside a running container.

use bollard::{container::LogOutput, exec::StartExecResults, models::ExecConfig};
use futures::StreamExt as _;

use super::{Engine, EngineError, Result};

/// What a command left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecOutput {
    pub(crate) exit_code: i64,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl ExecOutput {
    pub(crate) fn success(&self) -> bool {
        self.exit_code == 0
    }

    /// Both streams as one text, for messages.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&self.stderr));
        text.trim().to_owned()
    }
}

impl Engine {
    /// Runs `command` in `container` as the container's own user and waits for its end.
    pub(crate) async fn exec(&self, container: &str, command: &[&str]) -> Result<ExecOutput> {
        let doing = || {
            format!(
                "running `{}` in {container}",
                command.first().unwrap_or(&"")
            )
        };
        let config = ExecConfig {
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = self
            .api
            .create_exec(container, config)
            .await
            .map_err(|error| EngineError::new(doing(), error))?;
        let started = self
            .api
            .start_exec(&exec.id, None)
            .await
            .map_err(|error| EngineError::new(doing(), error))?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(piece) = output.next().await {
                match piece.map_err(|error| EngineError::new(doing(), error))? {
                    LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
                    LogOutput::StdOut { message } | LogOutput::Console { message } => {
                        stdout.extend_from_slice(&message);
                    }
                    LogOutput::StdIn { .. } => {}
                }
            }
        }
        let ended = self
            .api
            .inspect_exec(&exec.id)
            .await
            .map_err(|error| EngineError::new(doing(), error))?;
        Ok(ExecOutput {
            exit_code: ended.exit_code.unwrap_or(-1),
            stdout,
            stderr,
        })
    }
}
