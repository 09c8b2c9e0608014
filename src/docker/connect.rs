//! A connection to the engine that was chosen.

use std::{path::Path, sync::Arc, time::Duration};

use bollard::{API_DEFAULT_VERSION, Docker};

use super::{
    Engine, EngineError, Result,
    endpoint::{Endpoint, EngineChoice, Source, Tls},
    ssh::{Link, Target},
};

/// A call that takes longer than this is lost. Builds and pulls stream, so they are not bounded by it.
const TIMEOUT_SECONDS: u64 = 120;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Host name under which ports that the engine publishes are reached from here.
    pub(crate) published_host: String,
    /// Who chose it.
    pub(crate) source: Source,
    pub(crate) version: String,
    pub(crate) api_version: String,
}

/// The way to an engine before it has answered.
struct Way {
    client: Result<Docker, bollard::errors::Error>,
    location: Location,
    published_host: String,
    link: Option<Arc<Link>>,
}

impl Engine {
    /// Connects to the engine of this choice and agrees on a version.
    pub(crate) async fn connect(choice: &EngineChoice) -> Result<Self> {
        let endpoint = choice.endpoint()?;
        let host = endpoint.host.clone();
        let way = way(&endpoint).await?;
        let unreachable = |cause: String| EngineError::Unreachable {
            host: host.clone(),
            cause,
            remedy: remedy(&endpoint),
        };

        let client = way
            .client
            .map_err(|error| unreachable(root_cause(&error)))?;
        let negotiated = tokio::time::timeout(CONNECT_TIMEOUT, client.negotiate_version())
            .await
            .map_err(|_| unreachable(format!("no answer within {CONNECT_TIMEOUT:?}")))?;
        let api = match (negotiated, &way.link) {
            (Ok(api), _) => api,
            (Err(error), None) => return Err(unreachable(root_cause(&error))),
            (Err(error), Some(link)) => {
                let refusal = link.refusal().await;
                return Err(refusal.unwrap_or_else(|| unreachable(root_cause(&error))));
            }
        };
        let version = api
            .version()
            .await
            .map_err(|error| EngineError::new("asking its version", error))?;
        tracing::debug!(%host, version = ?version.version, "connected to the engine");
        let info = EngineInfo {
            host: endpoint.host,
            location: way.location,
            published_host: way.published_host,
            source: endpoint.source,
            version: version.version.unwrap_or_else(|| "unknown".into()),
            api_version: api.client_version().to_string(),
        };
        Ok(Self {
            api,
            info: Arc::new(info),
            link: way.link,
        })
    }
}

async fn way(endpoint: &Endpoint) -> Result<Way> {
    let host = &endpoint.host;
    let local = "127.0.0.1".to_owned();
    Ok(match (host.split_once("://"), &endpoint.tls) {
        (Some(("unix", path)), _) => Way {
            client: Docker::connect_with_unix(path, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
            location: Location::Local,
            published_host: local,
            link: None,
        },
        (Some(("ssh", _)), _) => {
            let target = Target::parse(host)?;
            let link = Link::open(&target).await?;
            let socket = link.socket().display().to_string();
            Way {
                client: Docker::connect_with_unix(&socket, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
                location: Location::Remote,
                published_host: target.host_name().await,
                link: Some(Arc::new(link)),
            }
        }
        (Some(("tcp" | "https", rest)), Some(tls)) => Way {
            client: with_tls(host, tls),
            location: Location::Remote,
            published_host: host_of(rest),
            link: None,
        },
        (Some(("tcp" | "http", rest)), None) => Way {
            client: Docker::connect_with_http(host, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
            location: Location::Remote,
            published_host: host_of(rest),
            link: None,
        },
        _ => {
            return Err(EngineError::Unreachable {
                host: host.clone(),
                cause: format!(
                    "an engine's address begins with unix://, tcp:// or ssh://; this one is of {}",
                    endpoint.source
                ),
                remedy: "for example ssh://user@host".to_owned(),
            });
        }
    })
}

fn with_tls(host: &str, tls: &Tls) -> Result<Docker, bollard::errors::Error> {
    let missing = |path: &&Path| !path.is_file();
    if let Some(path) = [&*tls.ca, &*tls.cert, &*tls.key]
        .iter()
        .find(|path| missing(path))
    {
        let cause = format!("TLS needs {}, which is not there", path.display());
        return Err(std::io::Error::other(cause).into());
    }
    Docker::connect_with_ssl(
        host,
        &tls.key,
        &tls.cert,
        &tls.ca,
        TIMEOUT_SECONDS,
        API_DEFAULT_VERSION,
    )
}

/// `host` of `host:port/path`.
fn host_of(rest: &str) -> String {
    let rest = rest.split(['/', '?']).next().unwrap_or(rest);
    rest.rsplit_once(':')
        .map_or(rest, |(host, _)| host)
        .to_owned()
}

fn remedy(endpoint: &Endpoint) -> String {
    match endpoint.source {
        Source::Default => "start it (`service docker start`), set DOCKER_HOST, or let `sysndd-deploy doctor --fix` install and start one".to_owned(),
        ref chosen => format!("this address is of {chosen}; is the engine there started?"),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
