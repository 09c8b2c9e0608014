//! Taking a project away.

use std::time::Duration;

use sysndd_protocol::ReplicaName;

use super::{
    action::{Action, OpId, Operation, Plan},
    order::stop_layers,
};
use crate::{
    config::Stack,
    observe::{Observed, Replica},
};

/// For a service that is no longer in the stack: nobody says how long it may take.
pub(super) const UNKNOWN_GRACE: Duration = Duration::from_secs(30);

/// How much to take away.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DownIntent {
    /// Volumes too: their content is lost.
    pub(crate) volumes: bool,
}

/// All containers, dependents first; then the networks; then, if asked, the volumes.
pub(crate) fn down(stack: &Stack, observed: &Observed, intent: DownIntent) -> Plan {
    let mut operations: Vec<Operation> = Vec::new();
    let mut push = |after: Vec<OpId>, action: Action, cause: &str| {
        let id = OpId(operations.len());
        operations.push(Operation {
            id,
            after,
            action,
            cause: cause.to_owned(),
        });
        id
    };

    let known: Vec<Vec<&Replica>> = stop_layers(stack)
        .into_iter()
        .map(|layer| {
            layer
                .into_iter()
                .flat_map(|service| observed.replicas_of(service))
                .collect()
        })
        .collect();
    let unknown = observed
        .replicas
        .iter()
        .filter(|replica| !stack.services.contains_key(&replica.service))
        .collect();

    let mut stopped_before: Vec<OpId> = Vec::new();
    let mut removed: Vec<OpId> = Vec::new();
    for layer in std::iter::once(unknown).chain(known) {
        let mut stopped = Vec::new();
        for replica in layer {
            let grace = stack
                .services
                .get(&replica.service)
                .map_or(UNKNOWN_GRACE, |service| service.stop_grace_period);
            let stop = push(
                stopped_before.clone(),
                Action::StopContainer {
                    replica: replica.name.clone(),
                    grace,
                },
                "the project goes down",
            );
            stopped.push(stop);
            removed.push(push(
                vec![stop],
                Action::RemoveContainer {
                    replica: replica.name.clone(),
                },
                "the project goes down",
            ));
        }
        if !stopped.is_empty() {
            stopped_before = stopped;
        }
    }
    let left = |name| (name, "an interrupted run left it");
    let ran = |name| (name, "a command runs in it, and the project goes down");
    let helpers = observed.leftovers.iter().map(left);
    for (name, cause) in helpers.chain(observed.one_offs.iter().map(ran)) {
        let replica = ReplicaName::new(name.as_str());
        removed.push(push(vec![], Action::RemoveContainer { replica }, cause));
    }
    for name in &observed.networks {
        push(
            removed.clone(),
            Action::RemoveNetwork { name: name.clone() },
            "the project goes down",
        );
    }
    if intent.volumes {
        for name in &observed.volumes {
            push(
                removed.clone(),
                Action::RemoveVolume { name: name.clone() },
                "--volumes was given",
            );
        }
    }
    Plan {
        project: stack.project.clone(),
        release: None,
        operations,
        notes: Vec::new(),
        refused: Vec::new(),
        changes: Vec::new(),
        retire_from: None,
    }
}
