//! Finding the engine: `DOCKER_HOST` or the default socket.

use std::{sync::Arc, time::Duration};

use bollard::{API_DEFAULT_VERSION, Docker};

use super::{Engine, EngineError, Result};

/// A call that takes longer than this is lost. Builds and pulls stream, so they are not bounded by it.
const TIMEOUT_SECONDS: u64 = 120;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_SOCKET: &str = "unix:///var/run/docker.sock";

/// Where the engine runs, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    /// Through a local socket: paths on this machine are paths on the engine's host.
    Local,
    /// Over the network.
    Remote,
}

/// What is known of an engine.
#[derive(Debug, Clone)]
pub(crate) struct EngineInfo {
    /// As in `DOCKER_HOST`.
    pub(crate) host: String,
    pub(crate) location: Location,
    pub(crate) version: String,
    pub(crate) api_version: String,
}

impl EngineInfo {
    /// Host name under which ports that the engine publishes are reached from here.
    pub(crate) fn published_host(&self) -> String {
        match self.location {
            Location::Local => "127.0.0.1".into(),
            Location::Remote => {
                let rest = self
                    .host
                    .split_once("://")
                    .map_or(self.host.as_str(), |(_, rest)| rest);
                let rest = rest.split(['/', '?']).next().unwrap_or(rest);
                rest.rsplit_once(':')
                    .map_or(rest, |(host, _)| host)
                    .to_owned()
            }
        }
    }
}

impl Engine {
    /// Connects to `host`, or to `DOCKER_HOST`, or to the default socket, and agrees on a version.
    pub(crate) async fn connect(host: Option<&str>) -> Result<Self> {
        let host = host
            .map(str::to_owned)
            .or_else(|| {
                std::env::var("DOCKER_HOST")
                    .ok()
                    .filter(|host| !host.is_empty())
            })
            .unwrap_or_else(|| DEFAULT_SOCKET.to_owned());
        let unreachable = |cause: String| EngineError::Unreachable {
            host: host.clone(),
            cause,
        };

        let (client, location) = match host.split_once("://") {
            Some(("unix", path)) => (
                Docker::connect_with_unix(path, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
                Location::Local,
            ),
            Some(("tcp" | "http", _)) => (
                Docker::connect_with_http(&host, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
                Location::Remote,
            ),
            _ => {
                return Err(unreachable(
                    "DOCKER_HOST must begin with unix:// or tcp://".to_owned(),
                ));
            }
        };
        let client = client.map_err(|error| unreachable(error.to_string()))?;
        let negotiated = tokio::time::timeout(CONNECT_TIMEOUT, client.negotiate_version())
            .await
            .map_err(|_| unreachable(format!("no answer within {CONNECT_TIMEOUT:?}")))?;
        let api = negotiated.map_err(|error| unreachable(root_cause(&error)))?;
        let version = api
            .version()
            .await
            .map_err(|error| EngineError::new("asking its version", error))?;
        tracing::debug!(%host, version = ?version.version, "connected to the engine");
        let info = EngineInfo {
            host,
            location,
            version: version.version.unwrap_or_else(|| "unknown".into()),
            api_version: api.client_version().to_string(),
        };
        Ok(Self {
            api,
            info: Arc::new(info),
        })
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
