//! What can go wrong between us and the engine.

use bollard::errors::Error as Bollard;

/// A failed engine call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// No engine answers: nothing was done.
    #[error("no Docker Engine answers at {host}: {cause}")]
    Unreachable {
        host: String,
        cause: String,
        remedy: String,
    },
    /// Which engine is meant cannot be said: nothing was done.
    #[error("{cause}")]
    Context {
        cause: String,
        remedy: Option<String>,
    },
    /// The link broke in the middle; what the engine did last is not known.
    #[error("lost the engine while {doing}: {cause}")]
    Lost { doing: String, cause: String },
    /// The engine refused.
    #[error("{doing}: the engine answered {status}: {message}")]
    Api {
        doing: String,
        status: u16,
        message: String,
    },
    /// Anything else: an answer that does not parse, a stream that reports an error.
    #[error("{doing}: {cause}")]
    Other { doing: String, cause: String },
}

impl EngineError {
    /// Wraps an error of the client library with what was being done, e.g. `starting db-1`.
    pub(crate) fn new(doing: impl Into<String>, error: Bollard) -> Self {
        let doing = doing.into();
        match error {
            Bollard::DockerResponseServerError {
                status_code,
                message,
            } => Self::Api {
                doing,
                status: status_code,
                message,
            },
            Bollard::IOError { err } => Self::Lost {
                doing,
                cause: err.to_string(),
            },
            Bollard::HyperResponseError { err } => Self::Lost {
                doing,
                cause: chain(&err),
            },
            Bollard::HyperLegacyError { err } => Self::Lost {
                doing,
                cause: chain(&err),
            },
            Bollard::RequestTimeoutError => Self::Lost {
                doing,
                cause: "no answer within the time-out".into(),
            },
            other => Self::Other {
                doing,
                cause: chain(&other),
            },
        }
    }

    /// Whether the thing that was asked for does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Api { status: 404, .. })
    }

    /// Whether the engine was not there: exit code 3.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Lost { .. })
    }

    /// What to type next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { remedy, .. } => Some(remedy.clone()),
            Self::Context { remedy, .. } => remedy.clone(),
            Self::Lost { .. } => Some(
                "check the engine with `sysndd-deploy doctor`, then run the same command again: it continues where this one stopped".into(),
            ),
            Self::Api { message, .. }
                if message.contains("port is already allocated")
                    || message.contains("address already in use") =>
            {
                Some("another program holds the port: `ss -ltnp` names it; change `ports` in sysndd.toml or end that program".into())
            }
            Self::Api { message, .. } if message.contains("no space left on device") => {
                Some("the engine's disk is full: `df -h`, `docker system df`".into())
            }
            Self::Api { message, .. } if message.contains("active endpoints") => Some(
                "`docker network inspect` tells who else is in the network. If nobody is, the engine takes containers that are gone for its members: restart the engine, then run the same command again; until then the network harms nobody".into(),
            ),
            Self::Api { .. } | Self::Other { .. } => None,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
