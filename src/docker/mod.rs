//! The Docker Engine, as far as a deployment needs it.
//!
//! The only module that imports bollard: what leaves it are our own types, so that the rest can be
//! read and tested without knowing the engine's API. It decides nothing.

mod archive;
mod attach;
mod connect;
mod containers;
mod endpoint;
mod error;
mod events;
mod exec;
mod helpers;
mod images;
mod interact;
pub(crate) mod labels;
mod logs;
mod processes;
mod prune;
mod resources;
mod ssh;
mod tunnel;

pub(crate) use archive::ArchiveEntry;
pub(crate) use attach::Attached;
pub(crate) use connect::{EngineInfo, Location};
pub(crate) use containers::{
    ContainerSpec, ContainerState, HealthcheckSpec, InspectedContainer, MountSpec, MountSpecSource,
    PublishedPort,
};
pub(crate) use endpoint::{EngineChoice, Source};
pub(crate) use error::EngineError;
pub(crate) use events::ContainerEvent;
pub(crate) use exec::ExecOutput;
pub(crate) use helpers::HelperSpec;
pub(crate) use images::*;
pub(crate) use interact::{Conversation, ExecSpec, Partner, Piece};
pub(crate) use logs::{LogLine, LogQuery, LogStream};
pub(crate) use ssh::link_ended;
pub(crate) use tunnel::Tunnel;

/// A connection to one engine. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(super) api: bollard::Docker,
    info: std::sync::Arc<EngineInfo>,
    /// What carries the connection, where it is no plain socket; held for as long as it is used.
    link: Option<std::sync::Arc<ssh::Link>>,
}

impl Engine {
    /// What is known of the engine since the connection was made.
    pub(crate) fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// Waits until the link to a machine far away is lost; without end where there is none.
    pub(crate) async fn lost(&self) -> EngineError {
        match &self.link {
            Some(link) => link.lost().await,
            None => std::future::pending().await,
        }
    }
}

type Result<T, E = EngineError> = std::result::Result<T, E>;
