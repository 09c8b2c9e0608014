//! The only module that imports bollard.

mod images;

use bollard::{API_DEFAULT_VERSION, Docker, errors::Error};

pub(crate) use images::*;

/// A connection to a Docker Engine.
pub(crate) struct Engine {
    pub(super) api: Docker,
}

impl Engine {
    /// Connects to the engine at `host`, or at the default socket.
    pub(crate) async fn connect(host: Option<&str>) -> Result<Self, EngineError> {
        let doing = "connecting to the engine";
        let api = match host {
            Some(host) => Docker::connect_with_unix(host, 120, API_DEFAULT_VERSION),
            None => Docker::connect_with_unix_defaults(),
        }
        .map_err(|error| EngineError::new(doing, error))?;
        let api = api.negotiate_version().await.map_err(|error| EngineError::new(doing, error))?;
        Ok(Self { api })
    }
}

/// What went wrong between us and the engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("{doing}: {message}")]
    Api { doing: String, status: u16, message: String },
    #[error("{doing}: {source}")]
    Unreachable { doing: String, source: Error },
}

impl EngineError {
    pub(crate) fn new(doing: impl Into<String>, error: Error) -> Self {
        let doing = doing.into();
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                Self::Api { doing, status: status_code, message }
            }
            Error::DockerStreamError { error } => Self::Api { doing, status: 0, message: error },
            source => Self::Unreachable { doing, source },
        }
    }
}

pub(crate) mod labels {
    //! Labels that everything of ours carries.
    pub(crate) const PROJECT: &str = "dev.sysndd.project";
    pub(crate) const SERVICE: &str = "dev.sysndd.service";
}
