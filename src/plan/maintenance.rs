//! Closing the edge for everybody, and opening it again.

use sysndd_protocol::ReplicaName;

use super::action::{Action, Maintenance, OpId, Operation, Plan, Upstream};
use crate::{config::Stack, observe::Observed};

/// The plan to come from what is to what is `wanted`; empty when it is so.
pub(crate) fn maintenance(
    stack: &Stack,
    observed: &Observed,
    edge_template: &str,
    wanted: Option<&Maintenance>,
) -> Plan {
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
    if let Some(edge) = &stack.edge {
        let servers = observed.replicas_of(&edge.upstream);
        let servers = servers.filter(|replica| replica.is_up());
        let servers: Vec<ReplicaName> = servers.map(|replica| replica.name.clone()).collect();
        let list = Upstream::of(edge, edge_template, servers, wanted);
        let in_force = observed.edge_generation == Some(list.generation);
        let told = observed.maintenance.as_ref();
        let same = match (told, wanted) {
            (Some(told), Some(wanted)) => told.message == wanted.message && in_force,
            (None, None) => in_force,
            _ => false,
        };
        let running = observed.replicas_of(&edge.service);
        for replica in running.filter(|replica| replica.is_running() && !same) {
            let edge = replica.name.clone();
            let write = Action::WriteMaintenance {
                edge: edge.clone(),
                maintenance: wanted.cloned(),
            };
            let written = push(vec![], write, "the operator asked for it");
            let list = list.clone();
            let reload = Action::ReloadEdge {
                edge,
                list,
                by: None,
            };
            push(vec![written], reload, "it answers by this list");
        }
    }
    Plan {
        project: stack.project.clone(),
        release: None,
        operations,
        changes: Vec::new(),
        notes: Vec::new(),
        refused: Vec::new(),
        retire_from: None,
    }
}
