//! Restarting what runs: one replica after the other leaves the upstream list, finishes its
//! requests, stops, starts, is ready, and is back in the list. Nothing is created or removed.

use std::collections::BTreeSet;

use super::{
    action::{Action, OpId, Operation, Plan, Upstream, without_detours},
    order::start_order,
};
use crate::{
    config::{Service, ServiceName, Stack},
    observe::{Observed, Replica},
};

/// The plan to restart `services`, what others depend on first.
pub(crate) fn restart(
    stack: &Stack,
    observed: &Observed,
    edge_template: &str,
    services: &BTreeSet<ServiceName>,
) -> Plan {
    let mut planner = Restart {
        stack,
        observed,
        edge_template,
        operations: Vec::new(),
        notes: Vec::new(),
        last: Vec::new(),
    };
    for name in start_order(stack) {
        if services.contains(name) {
            planner.service(&stack.services[name]);
        }
    }
    Plan {
        project: stack.project.clone(),
        release: None,
        operations: without_detours(planner.operations),
        notes: planner.notes,
        refused: Vec::new(),
        changes: Vec::new(),
        retire_from: None,
    }
}

struct Restart<'a> {
    stack: &'a Stack,
    observed: &'a Observed,
    edge_template: &'a str,
    operations: Vec<Operation>,
    notes: Vec<String>,
    /// What the next operation waits for: there is one at a time.
    last: Vec<OpId>,
}

impl Restart<'_> {
    fn service(&mut self, service: &Service) {
        let all: Vec<&Replica> = self.observed.replicas_of(&service.name).collect();
        let edge = self.stack.edge.as_ref();
        let in_list = edge.is_some_and(|edge| edge.upstream == service.name);
        if all.len() == 1 {
            let behind = edge.is_some_and(|edge| {
                edge.service == service.name && *edge.entrance() != service.name
            });
            let meanwhile = if behind {
                "requests wait at the entrance while it restarts"
            } else {
                "nothing answers in its place while it restarts"
            };
            self.notes
                .push(format!("{} has one replica: {meanwhile}", service.name));
        }
        for replica in &all {
            let others = all
                .iter()
                .filter(|other| other.name != replica.name && other.is_ready());
            let others: Vec<&Replica> = others.copied().collect();
            if in_list && !others.is_empty() {
                self.list(&others, "the others serve meanwhile", true);
            }
            let name = &replica.name;
            if replica.is_up() {
                let stop = Action::StopContainer {
                    replica: name.clone(),
                    grace: service.stop_grace_period,
                };
                self.push(stop, "it is restarted");
            }
            let start = Action::StartContainer {
                replica: name.clone(),
            };
            self.push(start, "it is restarted");
            let ready = Action::AwaitReady {
                service: service.name.clone(),
                replica: name.clone(),
                timeout: self.stack.deploy.ready_timeout,
            };
            self.push(ready, "the next one waits for it");
        }
        if in_list && !all.is_empty() {
            self.list(&all, "all are ready again", false);
        }
    }

    /// Tells the edge whom to proxy to; with `drain`, and waits for requests under the old list.
    fn list(&mut self, servers: &[&Replica], cause: &str, drain: bool) {
        let Some(edge) = &self.stack.edge else { return };
        let servers = servers.iter().map(|replica| replica.name.clone());
        let maintenance = self.observed.maintenance.as_ref();
        let list = Upstream::of(edge, self.edge_template, servers.collect(), maintenance);
        let drain = drain && edge.worker_process.is_some();
        let running: Vec<&Replica> = self
            .observed
            .replicas_of(&edge.service)
            .filter(|replica| replica.is_running())
            .collect();
        for edge in running {
            let reload = Action::ReloadEdge {
                edge: edge.name.clone(),
                list: list.clone(),
                by: None,
            };
            self.push(reload, cause);
            if drain {
                let drain = Action::DrainEdge {
                    edge: edge.name.clone(),
                    timeout: self.stack.deploy.drain_timeout,
                    by: None,
                };
                self.push(drain, "requests under the old list finish");
            }
        }
    }

    fn push(&mut self, action: Action, cause: &str) {
        let id = OpId(self.operations.len());
        self.operations.push(Operation {
            id,
            after: std::mem::replace(&mut self.last, vec![id]),
            action,
            cause: cause.to_owned(),
        });
    }
}
