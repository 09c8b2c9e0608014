//! Taking a deployment back: what a run made goes, what it stopped starts again, and the edge gets
//! the list that it had. Needs only what was there before the run and what is there now, so a run
//! that was killed is taken back like one that failed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sysndd_protocol::ReplicaName;

use super::{
    action::{Action, OpId, Operation, Plan},
    down::UNKNOWN_GRACE,
};
use crate::{
    config::{Stack, UpdateOrder},
    observe::{Observed, Replica},
};

/// What was there before a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    pub(crate) replicas: Vec<ReplicaBefore>,
    /// The upstream list that was in force.
    pub(crate) list: Option<ListBefore>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplicaBefore {
    pub(crate) name: ReplicaName,
    /// The engine's ID: a name may be used again.
    pub(crate) container: String,
    pub(crate) running: bool,
}

/// An upstream list as it stood in the edge's volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListBefore {
    pub(crate) generation: u64,
    pub(crate) content: String,
}

impl Before {
    pub(crate) fn new(observed: &Observed, list: Option<ListBefore>) -> Self {
        let replicas = observed.replicas.iter().map(|replica| ReplicaBefore {
            name: replica.name.clone(),
            container: replica.container.clone(),
            running: replica.is_running(),
        });
        Self {
            replicas: replicas.collect(),
            list,
        }
    }

    /// Whether anything served that one could go back to.
    pub(crate) fn served(&self) -> bool {
        self.replicas.iter().any(|replica| replica.running)
    }

    fn of(&self, replica: &Replica) -> Option<&ReplicaBefore> {
        self.replicas
            .iter()
            .find(|before| before.container == replica.container)
    }
}

/// The way back from what is `observed` to what was `before`. What is old is asked, waited for and told
/// by the stack of `then`, what the run made ended by that of `now`.
pub(crate) fn undo(now: &Stack, then: &Stack, before: &Before, observed: &Observed) -> Plan {
    let mut undo = Undo {
        now,
        then,
        operations: Vec::new(),
    };
    let (old, new): (Vec<&Replica>, Vec<&Replica>) = observed
        .replicas
        .iter()
        .partition(|replica| before.of(replica).is_some());
    let asleep: Vec<&Replica> = old
        .iter()
        .copied()
        .filter(|replica| {
            !replica.is_running() && before.of(replica).is_some_and(|before| before.running)
        })
        .collect();
    let services: BTreeSet<_> = asleep.iter().map(|replica| &replica.service).collect();

    // What took the place of something stopped holds its port or its volume.
    let is_in_the_way = |replica: &&Replica| {
        let service = now.services.get(&replica.service);
        let stop_first =
            service.is_none_or(|service| now.update_order(service) == UpdateOrder::StopFirst);
        stop_first && services.contains(&replica.service)
    };
    let (in_the_way, beside): (Vec<&Replica>, Vec<&Replica>) =
        new.into_iter().partition(is_in_the_way);
    let cleared: Vec<OpId> = in_the_way
        .into_iter()
        .map(|replica| undo.remove(replica, &[]))
        .collect();
    let mut well: Vec<OpId> = asleep
        .into_iter()
        .map(|replica| undo.start(replica, &cleared))
        .collect();
    well.extend(undo.restore_list(before, observed, &old, &well.clone()));
    // A new edge takes requests until it is gone, and knows the new replicas only.
    let config = now.edge.as_ref();
    let (edges, others): (Vec<&Replica>, Vec<&Replica>) = beside
        .into_iter()
        .partition(|replica| config.is_some_and(|edge| edge.service == replica.service));
    let gone: Vec<OpId> = edges
        .into_iter()
        .map(|replica| undo.remove(replica, &well))
        .collect();
    let unasked = if gone.is_empty() { &well } else { &gone };
    for replica in others {
        let is_upstream = config.is_some_and(|edge| edge.upstream == replica.service);
        undo.remove(replica, if is_upstream { unasked } else { &well });
    }
    for name in &observed.leftovers {
        let replica = ReplicaName::new(name.as_str());
        let action = Action::RemoveContainer { replica };
        undo.push(vec![], action, "the run left it");
    }

    let there: BTreeSet<&str> = old
        .iter()
        .map(|replica| replica.container.as_str())
        .collect();
    let notes = before
        .replicas
        .iter()
        .filter(|replica| replica.running && !there.contains(replica.container.as_str()))
        .map(|replica| {
            format!(
                "{} was removed before the run failed and is not brought back",
                replica.name
            )
        })
        .collect();
    Plan {
        project: now.project.clone(),
        release: None,
        operations: undo.operations,
        notes,
        refused: Vec::new(),
        changes: Vec::new(),
        retire_from: None,
    }
}

struct Undo<'a> {
    now: &'a Stack,
    then: &'a Stack,
    operations: Vec<Operation>,
}

impl Undo<'_> {
    fn push(&mut self, after: Vec<OpId>, action: Action, cause: &str) -> OpId {
        let id = OpId(self.operations.len());
        self.operations.push(Operation {
            id,
            after,
            action,
            cause: cause.to_owned(),
        });
        id
    }

    fn start(&mut self, replica: &Replica, after: &[OpId]) -> OpId {
        let name = replica.name.clone();
        let start = Action::StartContainer {
            replica: name.clone(),
        };
        let started = self.push(after.to_vec(), start, "it ran before");
        if !self.then.services.contains_key(&replica.service) {
            return started;
        }
        let ready = Action::AwaitReady {
            service: replica.service.clone(),
            replica: name,
            timeout: self.then.deploy.ready_timeout,
        };
        self.push(vec![started], ready, "it served before")
    }

    fn restore_list(
        &mut self,
        before: &Before,
        observed: &Observed,
        old: &[&Replica],
        after: &[OpId],
    ) -> Vec<OpId> {
        let (Some(edge), Some(list)) = (&self.then.edge, &before.list) else {
            return Vec::new();
        };
        // Without an answer it is not known which list is in force: then the old one is put there.
        if observed.edge_generation == Some(list.generation) {
            return Vec::new();
        }
        let drain = edge.worker_process.is_some();
        let edges = old
            .iter()
            .filter(|replica| replica.service == edge.service)
            .map(|replica| replica.name.clone());
        let mut ends = Vec::new();
        for edge in edges.collect::<Vec<_>>() {
            let restore = Action::RestoreUpstream {
                edge: edge.clone(),
                list: list.clone(),
            };
            let mut end = self.push(after.to_vec(), restore, "it was in force before");
            if drain {
                let timeout = self.then.deploy.drain_timeout;
                let action = Action::DrainEdge {
                    edge,
                    timeout,
                    by: None,
                };
                end = self.push(vec![end], action, "requests at the new replicas finish");
            }
            ends.push(end);
        }
        ends
    }

    /// Stop and remove; the answer is the removal.
    fn remove(&mut self, replica: &Replica, after: &[OpId]) -> OpId {
        let cause = "the run that made it is undone";
        let mut before = after.to_vec();
        if replica.is_up() {
            let service = self.now.services.get(&replica.service);
            let stop = Action::StopContainer {
                replica: replica.name.clone(),
                grace: service.map_or(UNKNOWN_GRACE, |service| service.stop_grace_period),
            };
            before = vec![self.push(before, stop, cause)];
        }
        let replica = replica.name.clone();
        self.push(before, Action::RemoveContainer { replica }, cause)
    }
}
