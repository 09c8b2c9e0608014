//! A command in a container whose streams are the caller's: typed to, read from, as it goes.

use std::pin::Pin;

use bollard::{
    container::LogOutput,
    exec::{ResizeExecOptions, StartExecOptions, StartExecResults},
    models::ExecConfig,
    query_parameters::{AttachContainerOptionsBuilder, ResizeContainerTTYOptionsBuilder},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::io::AsyncWrite;

use super::{ContainerSpec, Engine, EngineError, Result, containers::body};

/// What is run in a container that runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExecSpec {
    pub(crate) command: Vec<String>,
    /// `NAME=value`, beside those of the container.
    pub(crate) environment: Vec<String>,
    /// Instead of the container's own.
    pub(crate) user: Option<String>,
    /// Whether it has a terminal.
    pub(crate) tty: bool,
}

/// A command that runs, with both ends of its streams.
pub(crate) struct Conversation {
    pub(crate) with: Partner,
    pub(crate) input: Pin<Box<dyn AsyncWrite + Send>>,
    /// Ends with the command or with the link.
    pub(crate) output: Pin<Box<dyn Stream<Item = Result<Piece>> + Send>>,
}

/// Who is talked to.
#[derive(Debug, Clone)]
pub(crate) enum Partner {
    /// The engine's ID of an exec.
    Exec(String),
    /// The engine's ID of a container.
    Container(String),
}

/// A piece of output; not cut at line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Out(Bytes),
    Err(Bytes),
}

impl Engine {
    /// Starts a command in a container.
    pub(crate) async fn talk_in(&self, container: &str, spec: ExecSpec) -> Result<Conversation> {
        let doing = format!(
            "running `{}` in {container}",
            spec.command.first().map_or("", String::as_str)
        );
        let failed = |error| EngineError::new(doing.clone(), error);
        let tty = spec.tty;
        let config = ExecConfig {
            cmd: Some(spec.command),
            env: Some(spec.environment),
            user: spec.user,
            tty: Some(tty),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = self.api.create_exec(container, config).await;
        let exec = exec.map_err(failed)?;
        let options = StartExecOptions {
            tty,
            ..Default::default()
        };
        let started = self.api.start_exec(&exec.id, Some(options)).await;
        let StartExecResults::Attached { output, input } = started.map_err(failed)? else {
            return Err(EngineError::Other {
                doing,
                cause: "the engine did not attach to it".to_owned(),
            });
        };
        Ok(Conversation {
            with: Partner::Exec(exec.id),
            input,
            output: pieces(output, doing),
        })
    }

    /// Creates a container that ends with its command; it talks to the one client that attaches.
    /// The answer is its ID. The engine does not remove it.
    pub(crate) async fn create_one_off(&self, spec: &ContainerSpec, tty: bool) -> Result<String> {
        let options = bollard::query_parameters::CreateContainerOptionsBuilder::new()
            .name(&spec.name)
            .build();
        let mut body = body(spec);
        body.tty = Some(tty);
        body.attach_stdin = Some(true);
        body.attach_stdout = Some(true);
        body.attach_stderr = Some(true);
        body.open_stdin = Some(true);
        body.stdin_once = Some(true);
        self.api
            .create_container(Some(options), body)
            .await
            .map(|created| created.id)
            .map_err(|error| EngineError::new(format!("creating {}", spec.name), error))
    }

    /// Attaches to a container; before its start, so that nothing is missed.
    pub(crate) async fn talk_to(&self, container: &str) -> Result<Conversation> {
        let doing = format!("attaching to {container}");
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = self.api.attach_container(container, Some(options)).await;
        let attached = attached.map_err(|error| EngineError::new(doing.clone(), error))?;
        Ok(Conversation {
            with: Partner::Container(container.to_owned()),
            input: attached.input,
            output: pieces(attached.output, doing),
        })
    }

    /// Tells a command how large its terminal is.
    pub(crate) async fn resize(&self, partner: &Partner, columns: u16, rows: u16) -> Result<()> {
        let resized = match partner {
            Partner::Exec(id) => {
                let options = ResizeExecOptions {
                    height: rows,
                    width: columns,
                };
                self.api.resize_exec(id, options).await
            }
            Partner::Container(id) => {
                let options = ResizeContainerTTYOptionsBuilder::new()
                    .h(i32::from(rows))
                    .w(i32::from(columns))
                    .build();
                self.api.resize_container_tty(id, options).await
            }
        };
        resized.map_err(|error| EngineError::new("resizing the terminal", error))
    }

    /// How a command ended whose output did.
    pub(crate) async fn exit_code(&self, partner: &Partner) -> Result<i64> {
        match partner {
            Partner::Exec(id) => {
                let ended = self.api.inspect_exec(id).await;
                let ended =
                    ended.map_err(|error| EngineError::new("asking how it ended", error))?;
                Ok(ended.exit_code.unwrap_or(-1))
            }
            Partner::Container(id) => self.wait(id).await,
        }
    }
}

fn pieces(
    output: impl Stream<Item = std::result::Result<LogOutput, bollard::errors::Error>> + Send + 'static,
    doing: String,
) -> Pin<Box<dyn Stream<Item = Result<Piece>> + Send>> {
    Box::pin(output.map(move |piece| match piece {
        Ok(LogOutput::StdErr { message }) => Ok(Piece::Err(message)),
        Ok(
            LogOutput::StdOut { message }
            | LogOutput::Console { message }
            | LogOutput::StdIn { message },
        ) => Ok(Piece::Out(message)),
        Err(error) => Err(EngineError::new(doing.clone(), error)),
    }))
}
