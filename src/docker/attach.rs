//! A container's standard streams, held open.

use std::pin::Pin;

use bollard::{container::LogOutput, query_parameters::AttachContainerOptionsBuilder};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::io::AsyncWrite;

use super::{Engine, EngineError, Result};

/// Both ends. The engine closes the container's standard input when the client's end is gone, also
/// when its process was killed.
pub(crate) struct Attached {
    pub(crate) input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What it prints, as it comes; ends with the container or with the link.
    pub(crate) output: Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>,
}

impl Engine {
    /// Attaches to a container; before its start, so that nothing is missed.
    pub(crate) async fn attach(&self, container: &str) -> Result<Attached> {
        let doing = format!("attaching to {container}");
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = self
            .api
            .attach_container(container, Some(options))
            .await
            .map_err(|error| EngineError::new(doing.clone(), error))?;
        let output = attached.output.map(move |piece| match piece {
            Ok(
                LogOutput::StdOut { message }
                | LogOutput::StdErr { message }
                | LogOutput::StdIn { message }
                | LogOutput::Console { message },
            ) => Ok(message),
            Err(error) => Err(EngineError::new(doing.clone(), error)),
        });
        Ok(Attached {
            input: attached.input,
            output: Box::pin(output),
        })
    }
}
