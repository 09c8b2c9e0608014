//! Bringing a stack to what `sysndd.toml` says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sysndd_protocol::{ReleaseId, ReplicaName};

use super::{
    action::{Action, OpId, Operation, Plan, Upstream},
    mounts::mount_faults,
    order::start_order,
    spec::{ContainerTemplate, hex, network_name, volume_name},
};
use crate::{
    config::{MountSource, Service, ServiceName, Stack, VolumeName},
    docker::ContainerState,
    observe::{Observed, Replica},
};

/// The image of every service.
pub(crate) type Images = BTreeMap<ServiceName, ResolvedImage>;

/// An image, or the promise of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ResolvedImage {
    /// It is there, under this ID.
    Present(String),
    /// It has to be built or pulled first; only plans that are shown may hold this.
    Missing { cause: String },
}

impl ResolvedImage {
    fn id(&self) -> &str {
        match self {
            Self::Present(id) => id,
            Self::Missing { .. } => "to be built",
        }
    }
}

/// What the operator asked for.
#[derive(Debug, Clone)]
pub(crate) struct UpIntent {
    /// For the release's ID.
    pub(crate) now: DateTime<Utc>,
    /// Counts that replace those of the stack.
    pub(crate) replicas: BTreeMap<ServiceName, u32>,
    /// A new release even when nothing changed.
    pub(crate) force: bool,
    /// Text of the edge's template: a changed template is a changed list.
    pub(crate) edge_template: String,
}

/// Compares the stack with what is there.
pub(crate) fn up(stack: &Stack, images: &Images, observed: &Observed, intent: &UpIntent) -> Plan {
    let mut planner = Planner::new(stack, images, observed, intent);
    planner.remove_leftovers();
    planner.network_and_volumes();
    for name in start_order(stack) {
        planner.service(&stack.services[name]);
    }
    planner.remove_unknown_services();
    planner.finish()
}

struct Planner<'a> {
    stack: &'a Stack,
    observed: &'a Observed,
    intent: &'a UpIntent,
    templates: BTreeMap<&'a ServiceName, ContainerTemplate<'a>>,
    release: ReleaseId,
    operations: Vec<Operation>,
    notes: Vec<String>,
    /// What every new container needs: the network, its volumes.
    ground: BTreeMap<&'a ServiceName, Vec<OpId>>,
    /// Operations after which a service is ready.
    ready: BTreeMap<&'a ServiceName, Vec<OpId>>,
    /// Replicas of a service when the plan is done.
    members: BTreeMap<&'a ServiceName, Vec<ReplicaName>>,
    /// Replicas that leave without a successor: they end when the edge no longer sends to them.
    surplus: Vec<(&'a Replica, String)>,
    creates: bool,
    /// Removals of what an interrupted run left.
    leftovers: Vec<OpId>,
}

impl<'a> Planner<'a> {
    fn new(
        stack: &'a Stack,
        images: &'a Images,
        observed: &'a Observed,
        intent: &'a UpIntent,
    ) -> Self {
        let templates: BTreeMap<&ServiceName, ContainerTemplate> = stack
            .services
            .iter()
            .map(|(name, service)| {
                (
                    name,
                    ContainerTemplate::new(stack, service, images[name].id()),
                )
            })
            .collect();
        let mut planner = Self {
            stack,
            observed,
            intent,
            release: ReleaseId::new(""),
            templates,
            operations: Vec::new(),
            notes: Vec::new(),
            ground: BTreeMap::new(),
            ready: BTreeMap::new(),
            members: BTreeMap::new(),
            surplus: Vec::new(),
            creates: false,
            leftovers: Vec::new(),
        };
        planner.release = planner.choose_release();
        for (name, image) in images {
            if let ResolvedImage::Missing { cause } = image {
                let build = planner.push(
                    vec![],
                    Action::BuildImage {
                        service: name.clone(),
                    },
                    cause.clone(),
                );
                let key = planner.key(name);
                planner.ground.entry(key).or_default().push(build);
            }
        }
        planner
    }

    /// A stack whose services are all as they were keeps its release; anything else makes a new one.
    fn choose_release(&self) -> ReleaseId {
        let unchanged = !self.intent.force
            && self.templates.iter().all(|(name, template)| {
                let mut replicas = self.observed.replicas_of(name).peekable();
                replicas.peek().is_some()
                    && replicas.all(|replica| replica.config_hash == template.hash())
            });
        if let (true, Some(current)) = (unchanged, self.observed.release()) {
            return current.clone();
        }
        let mut digest = Sha256::new();
        for template in self.templates.values() {
            digest.update(template.hash());
        }
        let digest = hex(&digest.finalize()[..3]);
        ReleaseId::new(format!(
            "r{}-{digest}",
            self.intent.now.format("%Y%m%d-%H%M%S")
        ))
    }

    /// Tells containers of this run from those of others with the same release.
    fn run_id(&self) -> String {
        self.intent.now.format("%Y%m%d-%H%M%S%.3f").to_string()
    }

    fn key(&self, name: &ServiceName) -> &'a ServiceName {
        &self.stack.services[name].name
    }

    fn push(&mut self, after: Vec<OpId>, action: Action, cause: impl Into<String>) -> OpId {
        let id = OpId(self.operations.len());
        let mut after = after;
        after.sort_unstable();
        after.dedup();
        self.operations.push(Operation {
            id,
            after,
            action,
            cause: cause.into(),
        });
        id
    }

    fn remove_leftovers(&mut self) {
        for name in &self.observed.leftovers {
            let replica = ReplicaName::new(name.as_str());
            let removed = self.push(
                vec![],
                Action::RemoveContainer { replica },
                "an interrupted run left it",
            );
            self.leftovers.push(removed);
        }
    }

    fn network_and_volumes(&mut self) {
        let network = network_name(self.stack);
        let mut ground = Vec::new();
        if !self.observed.networks.contains(&network) {
            ground.push(self.push(vec![], Action::CreateNetwork { name: network }, "missing"));
        }
        let mut volumes: BTreeMap<&VolumeName, OpId> = BTreeMap::new();
        for volume in self.stack.volumes.keys() {
            let name = volume_name(self.stack, volume);
            if !self.observed.volumes.contains(&name) {
                let created = self.push(vec![], Action::CreateVolume { name }, "missing");
                volumes.insert(volume, created);
            }
        }
        for (volume, config) in &self.stack.volumes {
            let Some(owner) = config.owner else { continue };
            let users: Vec<&Service> = self
                .stack
                .services
                .values()
                .filter(|service| mounts(service, volume))
                .collect();
            let used = users
                .iter()
                .any(|s| self.observed.replicas_of(&s.name).next().is_some());
            // Once something ran on it, the volume is the application's own business.
            let Some(user) = users.first().filter(|_| !used) else {
                continue;
            };
            let action = Action::OwnVolume {
                name: volume_name(self.stack, volume),
                owner,
                image: self.templates[&user.name].image().to_owned(),
            };
            let mut after: Vec<OpId> = volumes.get(volume).copied().into_iter().collect();
            after.extend(self.ground.get(&user.name).into_iter().flatten());
            // A helper that an interrupted run left has the name of the one to come.
            after.extend(&self.leftovers);
            let owned = self.push(after, action, "nothing has used it yet");
            volumes.insert(volume, owned);
        }
        self.own_directories();
        for service in self.stack.services.values() {
            let entry = self.ground.entry(&service.name).or_default();
            entry.extend(&ground);
            entry.extend(
                volumes
                    .iter()
                    .filter(|(volume, _)| mounts(service, volume))
                    .map(|(_, id)| *id),
            );
        }
    }

    /// Mounted directories that say `chown = true` and are not their user's yet.
    fn own_directories(&mut self) {
        for fault in mount_faults(self.stack, self.observed, true) {
            let action = Action::OwnDirectory {
                name: fault.path.display().to_string(),
                path: fault.path,
                owner: fault.user,
            };
            let owned = self.push(vec![], action, "its mount says chown = true");
            let service = self.key(&fault.service);
            self.ground.entry(service).or_default().push(owned);
        }
    }

    fn service(&mut self, service: &'a Service) {
        let wanted = self
            .intent
            .replicas
            .get(&service.name)
            .copied()
            .unwrap_or(service.replicas);
        let Sorted { keep, stale } = self.sort(service, wanted);

        let (replaced, surplus): (Vec<_>, Vec<_>) = stale
            .into_iter()
            .partition(|(replica, _)| replica.number <= wanted);
        let gone: Vec<OpId> = replaced
            .iter()
            .map(|(replica, cause)| self.retire(replica, cause, &[]))
            .collect();
        let kept: BTreeSet<u32> = keep.iter().map(|replica| replica.number).collect();
        let is_gap = |replica: &Replica| replica.is_running() && !kept.contains(&replica.number);
        if replaced.iter().any(|(replica, _)| is_gap(replica)) {
            self.notes.push(format!(
                "{} is recreated: the old replicas stop before the new ones start",
                service.name
            ));
        }
        self.surplus.extend(surplus);

        let created: Vec<(ReplicaName, OpId)> = (1..=wanted)
            .filter(|number| !kept.contains(number))
            .map(|number| {
                let of_number = |((old, _), removal): (&(&'a Replica, String), &OpId)| {
                    (old.number == number).then_some((*old, *removal))
                };
                let replaces: Vec<_> = replaced.iter().zip(&gone).filter_map(of_number).collect();
                self.create(service, number, &replaces)
            })
            .collect();

        let mut before_start: Vec<OpId> = service
            .depends_on
            .iter()
            .flat_map(|name| self.ready[name].clone())
            .collect();
        before_start.extend(&gone);
        // All are created before any is started, so that they start at the same time.
        before_start.extend(created.iter().map(|(_, id)| *id));
        let written = self.write_upstream(service, &keep, &created, &before_start);
        before_start.extend(written);

        let mut ready = Vec::new();
        for (name, _) in &created {
            ready.push(self.start_and_await(service, name, &before_start, "new"));
        }
        for replica in &keep {
            let cause = match replica.state {
                ContainerState::Created => "it was never started",
                ContainerState::Exited | ContainerState::Dead => "it had ended",
                _ if replica.is_ready() => continue,
                _ => {
                    let action = self.await_ready(service, &replica.name);
                    ready.push(self.push(before_start.clone(), action, "it is not ready yet"));
                    continue;
                }
            };
            ready.push(self.start_and_await(service, &replica.name, &before_start, cause));
        }

        let mut members: Vec<ReplicaName> =
            keep.iter().map(|replica| replica.name.clone()).collect();
        members.extend(created.into_iter().map(|(name, _)| name));
        members.sort();
        self.members.insert(&service.name, members);
        ready.extend(self.reload_edge(service, &keep, &ready));
        self.ready.insert(&service.name, ready);
    }

    /// Which replicas stay, and why the others go.
    fn sort(&self, service: &'a Service, wanted: u32) -> Sorted<'a> {
        let template = &self.templates[&service.name];
        let (hash, image) = (template.hash(), template.image());
        let mut replicas: Vec<&Replica> = self.observed.replicas_of(&service.name).collect();
        // Of several with one number the best stays: ready, then running, then the newest.
        replicas.sort_by_key(|replica| {
            (
                replica.number,
                !replica.is_ready(),
                !replica.is_running(),
                std::cmp::Reverse(replica.created_at),
            )
        });
        let mut sorted = Sorted {
            keep: Vec::new(),
            stale: Vec::new(),
        };
        for replica in replicas {
            let cause = if self.intent.force {
                "--force was given".to_owned()
            } else if replica.config_hash != hash {
                "its configuration or image changed".to_owned()
            } else if replica.image != image {
                "it runs another image than it was created for".to_owned()
            } else if replica.number > wanted {
                format!("{wanted} replicas are wanted")
            } else if sorted
                .keep
                .iter()
                .any(|kept: &&Replica| kept.number == replica.number)
            {
                format!("there is another number {}", replica.number)
            } else {
                sorted.keep.push(replica);
                continue;
            };
            sorted.stale.push((replica, cause));
        }
        sorted
    }

    /// `replaces` are the old ones with this number, each with its removal.
    fn create(
        &mut self,
        service: &'a Service,
        number: u32,
        replaces: &[(&Replica, OpId)],
    ) -> (ReplicaName, OpId) {
        self.creates = true;
        let spec = self.templates[&service.name].instantiate(&self.release, &self.run_id(), number);
        let name = ReplicaName::new(spec.name.as_str());
        let mut after = self.ground[&service.name].clone();
        // Within one release the old one has the very name of the new one.
        let namesakes = replaces.iter().filter(|(old, _)| old.name == name);
        after.extend(namesakes.map(|(_, removal)| *removal));
        let cause = if replaces.is_empty() {
            "missing"
        } else {
            "replaces the old one"
        };
        (
            name,
            self.push(after, Action::CreateContainer(Box::new(spec)), cause),
        )
    }

    fn start_and_await(
        &mut self,
        service: &'a Service,
        replica: &ReplicaName,
        after: &[OpId],
        cause: &str,
    ) -> OpId {
        let action = Action::StartContainer {
            replica: replica.clone(),
        };
        let started = self.push(after.to_vec(), action, cause);
        let action = self.await_ready(service, replica);
        self.push(vec![started], action, "dependents wait for it")
    }

    fn await_ready(&self, service: &Service, replica: &ReplicaName) -> Action {
        Action::AwaitReady {
            service: service.name.clone(),
            replica: replica.clone(),
            timeout: self.stack.deploy.ready_timeout,
        }
    }

    /// Stop and remove; the answer is the removal.
    fn retire(&mut self, replica: &Replica, cause: &str, after: &[OpId]) -> OpId {
        let grace = self
            .stack
            .services
            .get(&replica.service)
            .map_or(std::time::Duration::from_secs(30), |service| {
                service.stop_grace_period
            });
        let mut before = after.to_vec();
        if matches!(
            replica.state,
            ContainerState::Running | ContainerState::Restarting | ContainerState::Paused
        ) {
            let stop = Action::StopContainer {
                replica: replica.name.clone(),
                grace,
            };
            before = vec![self.push(before, stop, cause)];
        }
        self.push(
            before,
            Action::RemoveContainer {
                replica: replica.name.clone(),
            },
            cause,
        )
    }

    /// The list that the edge must have when the plan is done.
    fn upstream_list(&self) -> Option<Upstream> {
        let edge = self.stack.edge.as_ref()?;
        let servers = self.members.get(&edge.upstream)?.clone();
        let mut digest = Sha256::new();
        digest.update(&self.intent.edge_template);
        for server in &servers {
            digest.update([0]);
            digest.update(server.as_str());
        }
        // 48 bits: every JSON reader and template engine holds them exactly.
        let generation = digest
            .finalize()
            .iter()
            .take(6)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Some(Upstream {
            generation,
            servers,
        })
    }

    /// A new or ended edge gets its list before it starts.
    fn write_upstream(
        &mut self,
        service: &Service,
        keep: &[&Replica],
        created: &[(ReplicaName, OpId)],
        after: &[OpId],
    ) -> Option<OpId> {
        let edge = self
            .stack
            .edge
            .as_ref()
            .filter(|edge| edge.service == service.name)?;
        let list = self.upstream_list()?;
        let idle = keep
            .iter()
            .find(|replica| !replica.is_running())
            .map(|replica| replica.name.clone());
        let name = created.first().map(|(name, _)| name.clone()).or(idle)?;
        let cause = format!(
            "{} must reach the ready replicas of {}",
            edge.service, edge.upstream
        );
        Some(self.push(
            after.to_vec(),
            Action::WriteUpstream { edge: name, list },
            cause,
        ))
    }

    /// A running edge is told when the list changed.
    fn reload_edge(&mut self, service: &Service, keep: &[&Replica], ready: &[OpId]) -> Vec<OpId> {
        let Some(edge) = self
            .stack
            .edge
            .as_ref()
            .filter(|edge| edge.service == service.name)
        else {
            return Vec::new();
        };
        let Some(list) = self.upstream_list() else {
            return Vec::new();
        };
        if self.observed.edge_generation == Some(list.generation) {
            return Vec::new();
        }
        let mut after = self.ready[&edge.upstream].clone();
        after.extend(ready);
        keep.iter()
            .filter(|replica| replica.is_running())
            .map(|replica| {
                let action = Action::ReloadEdge {
                    edge: replica.name.clone(),
                    list: list.clone(),
                };
                (action, format!("the replicas of {} changed", edge.upstream))
            })
            .collect::<Vec<_>>()
            .into_iter()
            .map(|(action, cause)| self.push(after.clone(), action, cause))
            .collect()
    }

    fn remove_unknown_services(&mut self) {
        let surplus = std::mem::take(&mut self.surplus);
        let edge_ready: Vec<OpId> = self
            .stack
            .edge
            .as_ref()
            .and_then(|edge| self.ready.get(&edge.service).cloned())
            .unwrap_or_default();
        for (replica, cause) in surplus {
            let is_upstream = self
                .stack
                .edge
                .as_ref()
                .is_some_and(|edge| edge.upstream == replica.service);
            let after = if is_upstream {
                edge_ready.as_slice()
            } else {
                &[]
            };
            self.retire(replica, &cause, after);
        }
        for replica in &self.observed.replicas {
            if !self.stack.services.contains_key(&replica.service) {
                self.retire(replica, "its service is not in sysndd.toml any more", &[]);
            }
        }
    }

    fn finish(self) -> Plan {
        Plan {
            project: self.stack.project.clone(),
            release: self.creates.then_some(self.release),
            operations: self.operations,
            notes: self.notes,
        }
    }
}

struct Sorted<'a> {
    keep: Vec<&'a Replica>,
    stale: Vec<(&'a Replica, String)>,
}

fn mounts(service: &Service, volume: &VolumeName) -> bool {
    service
        .volumes
        .iter()
        .any(|mount| mount.source == MountSource::Volume(volume.clone()))
}
