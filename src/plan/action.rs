//! The vocabulary of plans.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;
use sysndd_protocol::{ReleaseId, ReplicaName};

use crate::{
    config::{Owner, ProjectName, ServiceName},
    docker::ContainerSpec,
};

/// What will be done, in which order, and why.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) project: ProjectName,
    /// Release that new containers belong to; absent when none is made.
    pub(crate) release: Option<ReleaseId>,
    pub(crate) operations: Vec<Operation>,
    /// What the operator should know beforehand, e.g. that there will be a gap.
    pub(crate) notes: Vec<String>,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

/// Index of an operation in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OpId(pub(crate) usize);

/// One node of the graph.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: OpId,
    /// Operations that must have succeeded before.
    pub(crate) after: Vec<OpId>,
    pub(crate) action: Action,
    /// Why, in the operator's words.
    pub(crate) cause: String,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Makes an image; only in plans that are shown, since images are made before planning.
    BuildImage {
        service: ServiceName,
    },
    CreateNetwork {
        name: String,
    },
    CreateVolume {
        name: String,
    },
    /// Gives the root of an unused volume to the user that will write to it.
    OwnVolume {
        name: String,
        owner: Owner,
        image: String,
    },
    /// Gives a mounted directory of this machine to the user that will write to it.
    OwnDirectory {
        path: PathBuf,
        owner: Owner,
        name: String,
    },
    CreateContainer(Box<ContainerSpec>),
    StartContainer {
        replica: ReplicaName,
    },
    /// Waits until the replica answers as ready; fails when it ends or the time is over.
    AwaitReady {
        service: ServiceName,
        replica: ReplicaName,
        timeout: Duration,
    },
    /// Writes the upstream list into the edge's volume.
    WriteUpstream {
        edge: ReplicaName,
        list: Upstream,
    },
    /// Tests the list that was written, reloads, waits until it is in force.
    ReloadEdge {
        edge: ReplicaName,
        list: Upstream,
    },
    StopContainer {
        replica: ReplicaName,
        grace: Duration,
    },
    RemoveContainer {
        replica: ReplicaName,
    },
    RemoveNetwork {
        name: String,
    },
    RemoveVolume {
        name: String,
    },
}

/// Whom the edge proxies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Upstream {
    /// Derived from the content, so that the list in force can be compared without any memory.
    pub(crate) generation: u64,
    pub(crate) servers: Vec<ReplicaName>,
}

impl Action {
    /// The thing it acts on.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::BuildImage { service } => service.as_str(),
            Self::CreateNetwork { name }
            | Self::CreateVolume { name }
            | Self::OwnVolume { name, .. }
            | Self::OwnDirectory { name, .. }
            | Self::RemoveNetwork { name }
            | Self::RemoveVolume { name } => name,
            Self::CreateContainer(spec) => &spec.name,
            Self::StartContainer { replica }
            | Self::AwaitReady { replica, .. }
            | Self::StopContainer { replica, .. }
            | Self::RemoveContainer { replica } => replica.as_str(),
            Self::WriteUpstream { edge, .. } | Self::ReloadEdge { edge, .. } => edge.as_str(),
        }
    }

    /// What it does, as a verb with its object's kind.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::BuildImage { .. } => "build image",
            Self::CreateNetwork { .. } => "create network",
            Self::CreateVolume { .. } => "create volume",
            Self::OwnVolume { .. } => "own volume",
            Self::OwnDirectory { .. } => "own directory",
            Self::CreateContainer(_) => "create",
            Self::StartContainer { .. } => "start",
            Self::AwaitReady { .. } => "await ready",
            Self::WriteUpstream { .. } => "write upstream list",
            Self::ReloadEdge { .. } => "reload",
            Self::StopContainer { .. } => "stop",
            Self::RemoveContainer { .. } => "remove",
            Self::RemoveNetwork { .. } => "remove network",
            Self::RemoveVolume { .. } => "remove volume",
        }
    }
}
