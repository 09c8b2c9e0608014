//! Which engine is meant, and who said so: in the order of Docker's own client.
//!
//! Reads Docker's settings; asks no engine.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{EngineError, Result};

pub(super) const DEFAULT_SOCKET: &str = "unix:///var/run/docker.sock";
/// The context that every installation has: `DOCKER_HOST`, or the socket of this machine.
const DEFAULT_CONTEXT: &str = "default";

/// What the command line says about the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EngineChoice {
    /// `--host`.
    pub(crate) host: Option<String>,
    /// `--context`.
    pub(crate) context: Option<String>,
}

/// An engine's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `unix://…`, `tcp://…` or `ssh://…`.
    pub(crate) host: String,
    pub(crate) tls: Option<Tls>,
    pub(crate) source: Source,
}

/// Files of a TLS endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Tls {
    fn in_directory(directory: &Path) -> Self {
        Self {
            ca: directory.join("ca.pem"),
            cert: directory.join("cert.pem"),
            key: directory.join("key.pem"),
        }
    }
}

/// Who chose an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Option,
    HostVariable,
    Context { name: String, chosen_by: ChosenBy },
    Default,
}

/// Who chose a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChosenBy {
    Option,
    Variable,
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => f.write_str("--host"),
            Self::HostVariable => f.write_str("DOCKER_HOST"),
            Self::Context { name, chosen_by } => {
                write!(f, "context {name} of {chosen_by}")
            }
            Self::Default => f.write_str("the usual socket"),
        }
    }
}

impl fmt::Display for ChosenBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => f.write_str("--context"),
            Self::Variable => f.write_str("DOCKER_CONTEXT"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Docker's settings of one user.
pub(super) struct Settings<'a> {
    /// A variable of the process; an empty one is unset.
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl EngineChoice {
    /// The endpoint that this process would use.
    ///
    /// # Errors
    /// When a context is named that does not exist or cannot be read.
    pub(crate) fn endpoint(&self) -> Result<Endpoint> {
        let variable = |name: &str| std::env::var(name).ok();
        Settings::new(&variable).endpoint(self)
    }
}

impl<'a> Settings<'a> {
    pub(super) fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variable }
    }

    fn set(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// `~/.docker`, or what stands for it.
    fn directory(&self) -> Option<PathBuf> {
        let home = || {
            self.set("HOME")
                .map(|home| Path::new(&home).join(".docker"))
        };
        self.set("DOCKER_CONFIG").map(PathBuf::from).or_else(home)
    }

    pub(super) fn endpoint(&self, choice: &EngineChoice) -> Result<Endpoint> {
        if let Some(host) = &choice.host {
            return Ok(self.by_host(host, Source::Option));
        }
        if let Some(name) = &choice.context {
            return self.by_context(name, ChosenBy::Option);
        }
        if let Some(host) = self.set("DOCKER_HOST") {
            return Ok(self.by_host(&host, Source::HostVariable));
        }
        if let Some(name) = self.set("DOCKER_CONTEXT") {
            return self.by_context(&name, ChosenBy::Variable);
        }
        match self.current_context()? {
            Some((name, file)) => self.by_context(&name, ChosenBy::File(file)),
            None => Ok(self.usual()),
        }
    }

    fn by_host(&self, host: &str, source: Source) -> Endpoint {
        Endpoint {
            host: host.to_owned(),
            tls: self.tls_of_variables(host),
            source,
        }
    }

    fn usual(&self) -> Endpoint {
        self.set("DOCKER_HOST").map_or_else(
            || self.by_host(DEFAULT_SOCKET, Source::Default),
            |host| self.by_host(&host, Source::HostVariable),
        )
    }

    /// `DOCKER_TLS_VERIFY` asks for the files in `DOCKER_CERT_PATH`.
    fn tls_of_variables(&self, host: &str) -> Option<Tls> {
        self.set("DOCKER_TLS_VERIFY")?;
        let directory = self.set("DOCKER_CERT_PATH").map(PathBuf::from);
        let directory = directory.or_else(|| self.directory())?;
        host.starts_with("tcp://")
            .then(|| Tls::in_directory(&directory))
    }

    /// `currentContext` of Docker's own settings.
    fn current_context(&self) -> Result<Option<(String, PathBuf)>> {
        let Some(file) = self
            .directory()
            .map(|directory| directory.join("config.json"))
        else {
            return Ok(None);
        };
        let config: Option<ConfigFile> = read_json(&file)?;
        let name = config.and_then(|config| config.current_context);
        Ok(name
            .filter(|name| !name.is_empty())
            .map(|name| (name, file)))
    }

    fn by_context(&self, name: &str, chosen_by: ChosenBy) -> Result<Endpoint> {
        if name == DEFAULT_CONTEXT {
            return Ok(self.usual());
        }
        let directory = self.directory().unwrap_or_default().join("contexts");
        let id = id(name);
        let file = directory.join("meta").join(&id).join("meta.json");
        let Some(meta) = read_json::<Meta>(&file)? else {
            return Err(EngineError::Context {
                cause: format!("there is no Docker context {name}, which {chosen_by} names"),
                remedy: Some(format!("contexts are {}", names(&directory.join("meta")))),
            });
        };
        let endpoint = meta
            .endpoints
            .docker
            .filter(|docker| !docker.host.is_empty());
        let Some(endpoint) = endpoint else {
            return Err(EngineError::Context {
                cause: format!(
                    "the Docker context {name} names no engine: {}",
                    file.display()
                ),
                remedy: Some(format!("`docker context update {name} --docker host=…`")),
            });
        };
        let tls = directory.join("tls").join(&id).join("docker");
        let tls = tls.is_dir().then(|| Tls::in_directory(&tls));
        if endpoint.skip_verify {
            return Err(EngineError::Context {
                cause: format!(
                    "the Docker context {name} takes any server for the right one (SkipTLSVerify)"
                ),
                remedy: Some(format!(
                    "give it the certificate of the authority: `docker context update {name} --docker host={},ca=…,cert=…,key=…`",
                    endpoint.host
                )),
            });
        }
        Ok(Endpoint {
            host: endpoint.host,
            tls,
            source: Source::Context {
                name: name.to_owned(),
                chosen_by,
            },
        })
    }
}

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Endpoints", default)]
    endpoints: Endpoints,
}

#[derive(Deserialize, Default)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
struct DockerEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_verify: bool,
}

/// The directory of a context: the hash of its name.
fn id(name: &str) -> String {
    let digest = Sha256::digest(name);
    digest
        .iter()
        .fold(String::new(), |id, byte| format!("{id}{byte:02x}"))
}

/// `None` where there is no such file.
fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>> {
    let fault = |cause: String| EngineError::Context {
        cause: format!(
            "Docker's settings cannot be read: {}: {cause}",
            path.display()
        ),
        remedy: Some("mend the file, or name the engine with --host".to_owned()),
    };
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| fault(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(error.to_string())),
    }
}

/// The contexts that there are, for a message.
fn names(meta: &Path) -> String {
    let files = std::fs::read_dir(meta).into_iter().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|entry| read_json::<Meta>(&entry.path().join("meta.json")).ok()?)
        .map(|meta| meta.name)
        .chain([DEFAULT_CONTEXT.to_owned()])
        .collect();
    names.sort();
    names.join(", ")
}

#[cfg(test)]
mod tests;
