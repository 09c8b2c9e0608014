//! The vocabulary of plans.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sysndd_protocol::{ReleaseId, ReplicaName};

use super::{change::Change, old_edge::OldEdge, undo::ListBefore};
use crate::{
    config::{Edge, JobName, Owner, ProjectName, ServiceName},
    docker::ContainerSpec,
    observe::{Observed, Replica},
    tls,
};

/// What will be done, in which order, and why.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) project: ProjectName,
    /// Release that new containers belong to; absent when none is made.
    pub(crate) release: Option<ReleaseId>,
    pub(crate) operations: Vec<Operation>,
    /// What is another in the stack than in the release that runs; only plans that are shown have it.
    pub(crate) changes: Vec<Change>,
    /// What the operator should know beforehand, e.g. that there will be a gap.
    pub(crate) notes: Vec<String>,
    /// Services that keep data and would be replaced without the operator's leave.
    pub(crate) refused: Vec<ServiceName>,
    /// The first of the operations that end what is old; until then everything can be undone.
    pub(crate) retire_from: Option<OpId>,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The release that stands when all is done: the new one, or that of what stays.
    pub(crate) fn release_after(&self, observed: &Observed) -> Option<ReleaseId> {
        let goes = |replica: &Replica| {
            self.operations.iter().any(|operation| {
                matches!(&operation.action, Action::RemoveContainer { replica: name } if *name == replica.name)
            })
        };
        self.release.clone().or_else(|| {
            let stays = observed.replicas.iter().filter(|replica| !goes(replica));
            stays.map(|replica| replica.release.clone()).max()
        })
    }

    /// Whether this operation ends what is old.
    pub(crate) fn retires(&self, operation: OpId) -> bool {
        self.retire_from.is_some_and(|first| operation >= first)
    }

    /// Whether all that is new was made and proven, so that going on is the way and not back.
    pub(crate) fn is_proven(&self, done: &BTreeSet<OpId>) -> bool {
        let Some(retire_from) = self.retire_from else {
            return false;
        };
        (0..retire_from.0).all(|index| done.contains(&OpId(index)))
    }
}

/// Leaves out of every `after` what the rest of it waits for anyway.
pub(super) fn without_detours(mut operations: Vec<Operation>) -> Vec<Operation> {
    let mut ancestors: Vec<BTreeSet<OpId>> = Vec::with_capacity(operations.len());
    for operation in &mut operations {
        let indirect: BTreeSet<OpId> = operation
            .after
            .iter()
            .flat_map(|id| &ancestors[id.0])
            .copied()
            .collect();
        let mut all = indirect.clone();
        all.extend(&operation.after);
        ancestors.push(all);
        operation.after.retain(|id| !indirect.contains(id));
    }
    operations
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
    /// Writes what a service needs to speak TLS into its volume, and tells the replicas that stay.
    ProvideTls {
        volume: String,
        image: String,
        order: Box<tls::Order>,
        reload: Option<Reload>,
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
    /// Sees that the replica stays ready for a while.
    AwaitStable {
        service: ServiceName,
        replica: ReplicaName,
        soak: Duration,
    },
    /// Runs a job to its end; anything but exit code 0 is a failure.
    RunJob {
        job: JobName,
        stage: JobStage,
        spec: Box<ContainerSpec>,
        /// Longer is a failure.
        timeout: Duration,
        /// Between the signal to stop and the kill.
        grace: Duration,
    },
    /// Writes the upstream list into the edge's volume.
    WriteUpstream {
        edge: ReplicaName,
        list: Upstream,
    },
    /// Writes into the edge's volume whether maintenance is on, and what users are told.
    WriteMaintenance {
        edge: ReplicaName,
        maintenance: Option<Maintenance>,
    },
    /// Tests the list that was written, reloads, waits until it is in force.
    ReloadEdge {
        edge: ReplicaName,
        list: Upstream,
        /// By what it is told, where that is not the stack of the plan.
        by: Option<Arc<OldEdge>>,
    },
    /// Puts a list into force again that was so before.
    RestoreUpstream {
        edge: ReplicaName,
        list: ListBefore,
    },
    /// Waits until nothing is answered by an older list any more.
    DrainEdge {
        edge: ReplicaName,
        timeout: Duration,
        /// As it was told.
        by: Option<Arc<OldEdge>>,
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

/// How replicas that stay get to know of new files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reload {
    pub(crate) replicas: Vec<ReplicaName>,
    pub(crate) command: Vec<String>,
}

/// When in a deployment a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobStage {
    /// Makes the backup before the migrating service is replaced.
    Backup,
    /// Before anything is replaced.
    Pre,
    /// When all that is new serves.
    Post,
    /// Brings a backup back.
    Restore,
}

impl JobStage {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Restore => "restore",
        }
    }
}

/// Whom the edge proxies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Upstream {
    /// Derived from the content, so that the list in force can be compared without any memory.
    pub(crate) generation: u64,
    pub(crate) servers: Vec<ReplicaName>,
    /// Under maintenance: seconds after which clients may ask again.
    pub(crate) maintenance: Option<u32>,
}

/// What an operator tells users while the edge answers 503 to all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Maintenance {
    pub(crate) message: String,
    /// Seconds after which clients may ask again.
    pub(crate) retry_after: u32,
    pub(crate) since: DateTime<Utc>,
    pub(crate) by: String,
}

impl std::fmt::Display for Maintenance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since = self.since.format("%Y-%m-%d %H:%M:%S UTC");
        write!(
            f,
            "maintenance is on since {since}, by {}: the edge answers 503 to everybody",
            self.by
        )
    }
}

impl Upstream {
    /// The list of these servers, as `edge` and its template say it.
    pub(crate) fn of(
        edge: &Edge,
        template: &str,
        mut servers: Vec<ReplicaName>,
        maintenance: Option<&Maintenance>,
    ) -> Self {
        let maintenance = maintenance.map(|maintenance| maintenance.retry_after);
        servers.sort();
        let mut digest = Sha256::new();
        digest.update(template);
        digest.update([0]);
        digest.update(edge.upstream.as_str());
        digest.update(edge.port.to_be_bytes());
        for server in &servers {
            digest.update([0]);
            digest.update(server.as_str());
        }
        if let Some(retry_after) = maintenance {
            digest.update([1]);
            digest.update(retry_after.to_be_bytes());
        }
        // 48 bits: every JSON reader and template engine holds them exactly.
        let generation = digest
            .finalize()
            .iter()
            .take(6)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Self {
            generation,
            servers,
            maintenance,
        }
    }
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
            Self::ProvideTls { volume, .. } => volume,
            Self::CreateContainer(spec) => &spec.name,
            Self::RunJob { job, .. } => job.as_str(),
            Self::StartContainer { replica }
            | Self::AwaitReady { replica, .. }
            | Self::AwaitStable { replica, .. }
            | Self::StopContainer { replica, .. }
            | Self::RemoveContainer { replica } => replica.as_str(),
            Self::WriteUpstream { edge, .. }
            | Self::WriteMaintenance { edge, .. }
            | Self::ReloadEdge { edge, .. }
            | Self::RestoreUpstream { edge, .. }
            | Self::DrainEdge { edge, .. } => edge.as_str(),
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
            Self::ProvideTls { .. } => "write certificates",
            Self::CreateContainer(_) => "create",
            Self::StartContainer { .. } => "start",
            Self::AwaitReady { .. } => "await ready",
            Self::AwaitStable { .. } => "soak",
            Self::RunJob { .. } => "run",
            Self::WriteUpstream { .. } => "write upstream list",
            Self::WriteMaintenance { .. } => "write maintenance page",
            Self::ReloadEdge { .. } => "reload",
            Self::RestoreUpstream { .. } => "restore upstream list",
            Self::DrainEdge { .. } => "drain",
            Self::StopContainer { .. } => "stop",
            Self::RemoveContainer { .. } => "remove",
            Self::RemoveNetwork { .. } => "remove network",
            Self::RemoveVolume { .. } => "remove volume",
        }
    }
}
