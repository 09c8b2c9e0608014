//! The Docker Engine, as far as a deployment needs it.
//!
//! The only module that imports bollard: what leaves it are our own types, so that the rest can be
//! read and tested without knowing the engine's API. It decides nothing.

mod archive;
mod attach;
mod connect;
mod containers;
mod error;
mod events;
mod exec;
mod helpers;
mod images;
pub(crate) mod labels;
mod logs;
mod resources;
mod tunnel;

pub(crate) use archive::ArchiveEntry;
pub(crate) use attach::Attached;
pub(crate) use connect::{EngineInfo, Location};
pub(crate) use containers::{
    ContainerSpec, ContainerState, HealthcheckSpec, InspectedContainer, MountSpec, MountSpecSource,
    PublishedPort,
};
pub(crate) use error::EngineError;
pub(crate) use events::ContainerEvent;
pub(crate) use exec::ExecOutput;
pub(crate) use helpers::HelperSpec;
pub(crate) use images::*;
pub(crate) use logs::{LogLine, LogQuery, LogStream};
pub(crate) use tunnel::Tunnel;

/// A connection to one engine. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(super) api: bollard::Docker,
    info: std::sync::Arc<EngineInfo>,
}

impl Engine {
    /// What is known of the engine since the connection was made.
    pub(crate) fn info(&self) -> &EngineInfo {
        &self.info
    }
}

type Result<T, E = EngineError> = std::result::Result<T, E>;
