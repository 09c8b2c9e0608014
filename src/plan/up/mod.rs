//! Bringing a stack to what `sysndd.toml` says, in two halves: first all that is new is made, and
//! proven; then all that is old ends. Up to the second half everything can be undone.

mod edge;
mod ground;
mod jobs;
mod service;
mod tls;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sysndd_protocol::{ReleaseId, ReplicaName};

use super::{
    action::{Action, JobStage, OpId, Operation, Plan, without_detours},
    old_edge::OldEdge,
    order::start_order,
    spec::{ContainerTemplate, hex},
};
use crate::{
    config::{JobName, Service, ServiceName, Stack},
    docker::ContainerSpec,
    observe::{Observed, Replica},
    tls::Known,
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
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// Counts that replace those of the stack.
    pub(crate) replicas: BTreeMap<ServiceName, u32>,
    /// A new release even when nothing changed.
    pub(crate) force: bool,
    /// Services with data of their own that may be replaced.
    pub(crate) allow_recreate: BTreeSet<ServiceName>,
    /// No backup is made first.
    pub(crate) no_backup: bool,
    /// Name of a backup that is brought back while the migrating service is away.
    pub(crate) restore: Option<String>,
}

/// What the records say of releases.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// Those that were brought up to the end: their jobs are not run again.
    pub(crate) recorded: BTreeSet<ReleaseId>,
    /// Jobs that were done for a release whose run was cut off.
    pub(crate) done: BTreeSet<(ReleaseId, JobStage, JobName)>,
    /// The newest of those, with the hash of each of its services.
    pub(crate) newest: Option<(ReleaseId, BTreeMap<ServiceName, String>)>,
    /// Certificates that were made.
    pub(crate) tls: Known,
}

/// What a plan is made for, beside the stack.
#[derive(Debug, Clone)]
pub(crate) struct UpIntent {
    /// For the release's ID.
    pub(crate) now: DateTime<Utc>,
    /// Tells containers of this run from those of others with the same release.
    pub(crate) run: String,
    pub(crate) wish: Wish,
    /// Text of the edge's template: a changed template is a changed list.
    pub(crate) edge_template: String,
    /// The edge of the release that runs, as far as it is recorded.
    pub(crate) old_edge: Option<Arc<OldEdge>>,
    /// A release whose run was cut off: when what there is of it is right, it is finished.
    pub(crate) resume: Option<ReleaseId>,
    pub(crate) history: History,
}

/// The hash of all that containers of each service would be made with.
pub(crate) fn config_hashes<'a>(
    stack: &'a Stack,
    images: &Images,
) -> impl Iterator<Item = (&'a ServiceName, String)> {
    stack.services.iter().map(|(name, service)| {
        let template = ContainerTemplate::new(stack, service, images[name].id());
        (name, template.hash().to_owned())
    })
}

/// Compares the stack with what is there.
pub(crate) fn up(stack: &Stack, images: &Images, observed: &Observed, intent: &UpIntent) -> Plan {
    let mut planner = Planner::new(stack, images, observed, intent);
    if let Some(maintenance) = &observed.maintenance {
        planner.notes.push(maintenance.to_string());
    }
    planner.remove_leftovers();
    planner.network_and_volumes();
    planner.certificates();
    planner.jobs_before();
    for name in start_order(stack) {
        if !planner.members.contains_key(name) {
            planner.service(&stack.services[name]);
        }
    }
    planner.jobs_after();
    planner.retire_from = Some(OpId(planner.operations.len()));
    planner.retire();
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
    /// Replicas that do not stay; they end when all that is new is proven.
    leaving: Vec<Leaving<'a>>,
    /// What must have gone well before that.
    proven: Vec<OpId>,
    /// Generation of the list that is in force after the operations so far.
    in_force: Option<u64>,
    /// Whether what the edge gets its port from changes.
    entrance_replaced: bool,
    /// Services with data of their own that would be replaced without leave.
    refused: BTreeSet<ServiceName>,
    /// The first operation that ends something old for good.
    retire_from: Option<OpId>,
    creates: bool,
    /// Removals of what an interrupted run left.
    leftovers: Vec<OpId>,
    /// All that makes a volume.
    volumes: Vec<OpId>,
    /// Jobs before which nothing is replaced.
    gate: Vec<OpId>,
}

/// A replica on its way out.
struct Leaving<'a> {
    replica: &'a Replica,
    cause: String,
    /// It was stopped in between already.
    stopped: Option<OpId>,
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
            leaving: Vec::new(),
            proven: Vec::new(),
            in_force: observed.edge_generation,
            entrance_replaced: false,
            refused: BTreeSet::new(),
            retire_from: None,
            creates: false,
            leftovers: Vec::new(),
            volumes: Vec::new(),
            gate: Vec::new(),
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

    /// Whether the newest release that is recorded is another than what was asked for: also when
    /// nothing is made, since all that is to stay is there.
    fn is_unrecorded(&self) -> bool {
        let newest = self.intent.history.newest.as_ref();
        newest.is_some_and(|(_, services)| {
            let asked = self.templates.iter();
            let asked = asked.map(|(name, template)| (*name, template.hash()));
            !services
                .iter()
                .map(|(name, hash)| (name, &**hash))
                .eq(asked)
        })
    }

    /// A stack whose services are all there as they should be keeps their release, also when a run
    /// that was cut off left others beside them; anything else makes a new one.
    fn choose_release(&self) -> ReleaseId {
        let right = |name: &'a ServiceName| {
            let template = &self.templates[name];
            let replicas = self.observed.replicas_of(name);
            let right = replicas.filter(|replica| replica.config_hash == template.hash());
            right.map(|replica| &replica.release).max()
        };
        let right: Option<Vec<&ReleaseId>> =
            self.templates.keys().map(|name| right(name)).collect();
        let current = right.and_then(|releases| releases.into_iter().max());
        let wish = &self.intent.wish;
        let again = wish.force || wish.restore.is_some();
        if let (false, Some(current)) = (again, current) {
            match &self.intent.history.newest {
                Some((newest, _)) if self.intent.history.recorded.contains(current) => {
                    // An earlier release does not become the newest again.
                    if !self.is_unrecorded() {
                        return newest.clone();
                    }
                }
                _ => return current.clone(),
            }
        }
        let mut digest = Sha256::new();
        for template in self.templates.values() {
            digest.update(template.hash());
        }
        let digest = hex(&digest.finalize()[..3]);
        if let Some(resume) = self
            .intent
            .resume
            .as_ref()
            .filter(|_| !self.intent.wish.force)
        {
            let mut begun = self
                .observed
                .replicas
                .iter()
                .filter(|replica| replica.release == *resume)
                .peekable();
            let right = |replica: &Replica| {
                let template = self.templates.get(&replica.service);
                template.is_some_and(|template| template.hash() == replica.config_hash)
            };
            // A release that only takes something away has no container of its own.
            let is_same = current.is_some() && resume.as_str().ends_with(&digest);
            if (is_same || begun.peek().is_some()) && begun.all(right) {
                return resume.clone();
            }
        }
        ReleaseId::new(format!(
            "r{}-{digest}",
            self.intent.now.format("%Y%m%d-%H%M%S")
        ))
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

    fn spec_of(&self, service: &Service, number: u32) -> ContainerSpec {
        self.templates[&service.name].instantiate(&self.release, &self.intent.run, number)
    }

    fn name_of(&self, service: &Service, number: u32) -> ReplicaName {
        ReplicaName::new(self.spec_of(service, number).name)
    }

    fn finish(self) -> Plan {
        let is_new = self.creates || self.is_unrecorded();
        Plan {
            project: self.stack.project.clone(),
            release: is_new.then_some(self.release),
            operations: without_detours(self.operations),
            changes: Vec::new(),
            notes: self.notes,
            refused: self.refused.into_iter().collect(),
            retire_from: self.retire_from,
        }
    }
}
