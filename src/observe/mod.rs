//! What the engine has now, read by label → [`Observed`]. Reads only.

mod startup_events;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
};

use chrono::{DateTime, Utc};
use futures::future;
use serde::Serialize;
use sysndd_protocol::{ReleaseId, ReplicaName};

pub(crate) use startup_events::EventReader;

use crate::{
    config::{Mount, MountSource, Owner, ProjectName, ServiceName, Stack},
    docker::{
        ContainerState, Engine, EngineError, EngineInfo, InspectedContainer, Location,
        PublishedPort, labels,
    },
    edge,
    plan::Maintenance,
    probe::{Prober, Readiness},
    release,
};

/// A project, as the engine has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// Networks of the project, by the engine's name.
    pub(crate) networks: BTreeSet<String>,
    /// Volumes of the project, by the engine's name; that of its state is none of a plan's business.
    pub(crate) volumes: BTreeSet<String>,
    /// Replicas of all services, by service and number.
    pub(crate) replicas: Vec<Replica>,
    /// Names of containers that bear the project's label and are no replica: helpers that an
    /// interrupted run left behind.
    pub(crate) leftovers: Vec<String>,
    /// Names of containers in which a command of an operator runs.
    pub(crate) one_offs: Vec<String>,
    /// Directories of this machine that the stack mounts; unknown on a remote engine.
    pub(crate) directories: BTreeMap<PathBuf, Directory>,
    /// Generation number of the upstream list that the edge has in force and would start with again;
    /// absent when these are two.
    pub(crate) edge_generation: Option<u64>,
    /// What users are told while the edge is closed for them.
    pub(crate) maintenance: Option<Maintenance>,
}

/// A directory of the engine's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directory {
    Missing,
    Present { owner: Owner, mode: u32 },
}

impl Directory {
    /// Whether a process of this user and group may make files in it.
    pub(crate) fn is_writable_by(self, user: Owner) -> bool {
        let Self::Present { owner, mode } = self else {
            return false;
        };
        user.uid == 0
            || (user.uid == owner.uid && mode & 0o200 != 0)
            || (user.uid != owner.uid && user.gid == owner.gid && mode & 0o020 != 0)
            || (user.uid != owner.uid && user.gid != owner.gid && mode & 0o002 != 0)
    }
}

/// One container of a service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Replica {
    pub(crate) name: ReplicaName,
    /// The engine's ID.
    pub(crate) container: String,
    pub(crate) service: ServiceName,
    /// Counted from 1 within the service.
    pub(crate) number: u32,
    pub(crate) release: ReleaseId,
    /// The run of `up` that created it.
    pub(crate) run: String,
    pub(crate) config_hash: String,
    /// Image ID.
    pub(crate) image: String,
    pub(crate) state: ContainerState,
    pub(crate) exit_code: Option<i64>,
    pub(crate) oom_killed: bool,
    pub(crate) restart_count: i64,
    pub(crate) readiness: Readiness,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    /// End of the life before this one, or of this one.
    pub(crate) finished_at: Option<DateTime<Utc>>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) ports: Vec<PublishedPort>,
    pub(crate) user: String,
}

impl Replica {
    pub(crate) fn is_running(&self) -> bool {
        self.state == ContainerState::Running
    }

    /// What it said in this life is younger than this; all that it said is of this life when there is no
    /// such time. A busy engine notes the start when the process has said its first words already.
    pub(crate) fn born_after(&self) -> Option<DateTime<Utc>> {
        if self.finished_at > self.started_at {
            self.started_at
        } else {
            self.finished_at
        }
    }

    /// `host:port` under which its first published port is reached from here.
    ///
    /// The engine binds IPv4 and IPv6 apart, to different ports where it may pick them. What an engine
    /// far away publishes on its loopback interface is not reached from here at all.
    pub(crate) fn published(&self, engine: &EngineInfo) -> Option<String> {
        let first = self.ports.first()?;
        let same = |port: &&PublishedPort| port.container == first.container;
        let is_ipv6 = |port: &PublishedPort| port.host_ip.contains(':');
        let of_ipv4 = self.ports.iter().filter(same).find(|port| !is_ipv6(port));
        let port = of_ipv4.unwrap_or(first);
        let host = match (port.host_ip.as_str(), engine.location) {
            ("::", Location::Local) => "[::1]".to_owned(),
            ("" | "0.0.0.0" | "::", _) => engine.published_host.clone(),
            (address, Location::Remote) if is_loopback(address) => return None,
            (address, _) if is_ipv6(port) => format!("[{address}]"),
            (address, _) => address.to_owned(),
        };
        Some(format!("{host}:{}", port.host))
    }

    /// Whether it has to be stopped before it is gone.
    pub(crate) fn is_up(&self) -> bool {
        matches!(
            self.state,
            ContainerState::Running | ContainerState::Restarting | ContainerState::Paused
        )
    }

    /// Whether an exported Compose file brought it up: then it is Compose's to change.
    pub(crate) fn is_of_compose(&self) -> bool {
        self.release.as_str() == labels::COMPOSE
    }

    /// What it calls itself: a static file cannot tell a container its name, only the engine gives
    /// it the beginning of its ID as a host name.
    pub(crate) fn own_name(&self) -> ReplicaName {
        match self.container.get(..12) {
            Some(id) if self.is_of_compose() => ReplicaName::new(id),
            _ => self.name.clone(),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_running() && matches!(self.readiness, Readiness::Ready)
    }
}

fn is_loopback(address: &str) -> bool {
    address
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

impl Observed {
    /// Replicas of one service, by number.
    pub(crate) fn replicas_of<'a>(
        &'a self,
        service: &'a ServiceName,
    ) -> impl Iterator<Item = &'a Replica> {
        self.replicas
            .iter()
            .filter(move |replica| replica.service == *service)
    }

    /// The newest release that has a container. Release IDs sort by time.
    pub(crate) fn release(&self) -> Option<&ReleaseId> {
        self.replicas.iter().map(|replica| &replica.release).max()
    }
}

/// Reads a project. With a stack, each running replica is asked whether it is ready, and the edge
/// which upstream list is in force.
pub(crate) async fn observe(
    engine: &Engine,
    project: &ProjectName,
    stack: Option<(&Stack, &Prober)>,
) -> Result<Observed, EngineError> {
    let (networks, volumes, ids) = future::try_join3(
        engine.project_networks(project.as_str()),
        engine.project_volumes(project.as_str()),
        engine.project_containers(project.as_str()),
    )
    .await?;
    let containers = future::join_all(ids.iter().map(|id| engine.inspect(id))).await;

    let mut observed = Observed {
        networks: networks.into_iter().map(|network| network.name).collect(),
        volumes: volumes
            .into_iter()
            .map(|volume| volume.name)
            .filter(|name| *name != release::volume_name(project))
            .collect(),
        ..Observed::default()
    };
    for container in containers {
        match container {
            // It was removed between the list and the look.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
            // The deploy lock and the ways to the state are in use, and looked after elsewhere.
            Ok(container) if is_of_release(&container) => {}
            Ok(container) if is_one_off(&container) => observed.one_offs.push(container.name),
            Ok(container) => {
                let name = container.name.clone();
                match replica(container) {
                    Some(replica) => observed.replicas.push(replica),
                    None => observed.leftovers.push(name),
                }
            }
        }
    }
    observed
        .replicas
        .sort_by(|a, b| (&a.service, a.number, &a.name).cmp(&(&b.service, b.number, &b.name)));
    if let Some((stack, prober)) = stack {
        if engine.info().location == Location::Local {
            observed.directories = directories(stack);
        }
        ask(engine, stack, prober, &mut observed).await;
        observed.maintenance = maintenance(engine, stack, &observed).await?;
    }
    Ok(observed)
}

/// What this machine has at the places that the stack mounts from it.
fn directories(stack: &Stack) -> BTreeMap<PathBuf, Directory> {
    let mounts = stack.services.values().flat_map(|service| &service.volumes);
    let directory = |mount: &Mount| {
        let MountSource::Bind(path) = &mount.source else {
            return None;
        };
        let found = match std::fs::metadata(path) {
            Ok(found) => Directory::Present {
                owner: Owner {
                    uid: found.uid(),
                    gid: found.gid(),
                },
                mode: found.mode(),
            },
            Err(_) => Directory::Missing,
        };
        Some((path.clone(), found))
    };
    mounts.filter_map(directory).collect()
}

async fn ask(engine: &Engine, stack: &Stack, prober: &Prober, observed: &mut Observed) {
    let answers = future::join_all(observed.replicas.iter().map(|replica| async {
        match stack.services.get(&replica.service) {
            Some(service) if replica.is_running() => prober.readiness(service, replica).await,
            Some(_) | None => Readiness::Unknown,
        }
    }))
    .await;
    for (replica, readiness) in observed.replicas.iter_mut().zip(answers) {
        replica.readiness = readiness;
    }
    if let Some(config) = &stack.edge {
        let running = observed
            .replicas_of(&config.service)
            .find(|replica| replica.is_running());
        if let Some(replica) = running {
            observed.edge_generation =
                edge::generation(engine, prober, stack, config, replica).await;
        }
    }
}

/// Whether maintenance is on, by the edge's volume; a stopped edge shows it too.
async fn maintenance(
    engine: &Engine,
    stack: &Stack,
    observed: &Observed,
) -> Result<Option<Maintenance>, EngineError> {
    let Some(config) = &stack.edge else {
        return Ok(None);
    };
    let edges = observed.replicas_of(&config.service);
    let Some(edge) = edges.max_by_key(|replica| replica.is_running()) else {
        return Ok(None);
    };
    edge::read_maintenance(engine, stack, config, &edge.container).await
}

/// One replica, by name, without asking it anything.
pub(crate) async fn inspect_replica(
    engine: &Engine,
    name: &ReplicaName,
) -> Result<Replica, EngineError> {
    let container = engine.inspect(name.as_str()).await?;
    replica(container).ok_or_else(|| EngineError::Other {
        doing: format!("inspecting {name}"),
        cause: "its labels are not those of a replica".into(),
    })
}

fn is_of_release(container: &InspectedContainer) -> bool {
    let helper = container.labels.get(labels::HELPER).map(String::as_str);
    matches!(helper, Some(labels::HELPER_LOCK | labels::HELPER_STATE))
}

/// One that has ended was left behind by its operator.
fn is_one_off(container: &InspectedContainer) -> bool {
    let helper = container.labels.get(labels::HELPER).map(String::as_str);
    let over = matches!(
        container.state,
        ContainerState::Exited | ContainerState::Dead
    );
    helper == Some(labels::HELPER_RUN) && !over
}

/// `None` when the labels of a replica are not all there.
fn replica(container: InspectedContainer) -> Option<Replica> {
    let label = |key: &str| container.labels.get(key).cloned();
    if label(labels::HELPER).is_some() {
        return None;
    }
    Some(Replica {
        service: ServiceName::new(label(labels::SERVICE)?),
        number: label(labels::REPLICA)
            .or_else(|| label(labels::COMPOSE_NUMBER))?
            .parse()
            .ok()?,
        release: ReleaseId::new(label(labels::RELEASE)?),
        run: label(labels::RUN)?,
        config_hash: label(labels::CONFIG_HASH).or_else(|| label(labels::COMPOSE_HASH))?,
        name: ReplicaName::new(container.name),
        container: container.id,
        image: container.image_id,
        state: container.state,
        exit_code: container.exit_code,
        oom_killed: container.oom_killed,
        restart_count: container.restart_count,
        readiness: Readiness::Unknown,
        created_at: container.created,
        started_at: container.started,
        finished_at: container.finished,
        address: container.address,
        ports: container.ports,
        user: container.user,
    })
}
