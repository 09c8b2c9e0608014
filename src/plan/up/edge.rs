//! The edge's upstream list: when it is written, put into force, and waited for.

use std::sync::Arc;

use sysndd_protocol::ReplicaName;

use super::Planner;
use crate::{
    config::{Edge, Service},
    observe::Replica,
    plan::{
        action::{Action, OpId, Upstream},
        old_edge::OldEdge,
    },
};

impl Planner<'_> {
    pub(super) fn is_upstream(&self, service: &Service) -> bool {
        let edge = self.stack.edge.as_ref();
        edge.is_some_and(|edge| edge.upstream == service.name)
    }

    /// Tells the running edge whom to proxy to from now on, one that is about to be replaced in its own
    /// terms. Where some `leave` the list, what it answers with is the end of their last requests too.
    pub(super) fn reload_edge(
        &mut self,
        servers: &[ReplicaName],
        leave: bool,
        after: &[OpId],
    ) -> Vec<OpId> {
        let Some(edge) = &self.stack.edge else {
            return Vec::new();
        };
        let template = &self.templates[&edge.service];
        let running = self.observed.replicas_of(&edge.service);
        let service = &self.stack.services[&edge.service];
        let (new, old): (Vec<&Replica>, Vec<&Replica>) = running
            // One that hangs hears nothing, and starts again by the list that is written then.
            .filter(|replica| replica.is_running() && !self.hangs(service, replica))
            .partition(|replica| template.is_of(replica) || self.intent.old_edge.is_none());
        // They share a volume: the list of those that stay is to be the one that it has in the end.
        let by = self.intent.old_edge.clone();
        let told = self.reload(&old, servers, by.as_ref(), leave, after);
        let after = if told.is_empty() { after } else { &told };
        let mut ends = self.reload(&new, servers, None, leave, after);
        if ends.is_empty() {
            ends = told;
        }
        ends
    }

    /// Tells these, `by` what they were made with where that is not what comes.
    fn reload(
        &mut self,
        edges: &[&Replica],
        servers: &[ReplicaName],
        by: Option<&Arc<OldEdge>>,
        leave: bool,
        after: &[OpId],
    ) -> Vec<OpId> {
        let Some(config) = &self.stack.edge else {
            return Vec::new();
        };
        let list = self.list_of(config, by.map(Arc::as_ref), servers.to_vec());
        if edges.is_empty() || self.in_force == Some(list.generation) {
            return Vec::new();
        }
        let cause = format!("the replicas of {} changed", config.upstream);
        let config = by.map_or(config, |old| &old.config);
        let drain = leave && config.worker_process.is_some();
        let mut ends = Vec::new();
        for edge in edges {
            let action = Action::ReloadEdge {
                edge: edge.name.clone(),
                list: list.clone(),
                by: by.cloned(),
            };
            let mut end = self.push(after.to_vec(), action, cause.clone());
            if drain {
                let action = Action::DrainEdge {
                    edge: edge.name.clone(),
                    timeout: self.stack.deploy.drain_timeout,
                    by: by.cloned(),
                };
                end = self.push(vec![end], action, "requests under the old list finish");
            }
            ends.push(end);
        }
        self.in_force = Some(list.generation);
        ends
    }

    /// An edge that is about to start finds its list.
    pub(super) fn write_upstream(
        &mut self,
        service: &Service,
        replica: &ReplicaName,
        after: &[OpId],
    ) -> Option<OpId> {
        let edge = self.stack.edge.as_ref()?;
        if edge.service != service.name {
            return None;
        }
        let servers = self.members.get(&edge.upstream)?.clone();
        let cause = format!(
            "{} must reach the ready replicas of {}",
            edge.service, edge.upstream
        );
        let list = self.list_of(edge, None, servers);
        Some(self.push(
            after.to_vec(),
            Action::WriteUpstream {
                edge: replica.clone(),
                list,
            },
            cause,
        ))
    }

    fn list_of(&self, config: &Edge, old: Option<&OldEdge>, servers: Vec<ReplicaName>) -> Upstream {
        let maintenance = self.observed.maintenance.as_ref();
        match old {
            Some(old) => Upstream::of(&old.config, &old.template, servers, maintenance),
            None => Upstream::of(config, &self.intent.edge_template, servers, maintenance),
        }
    }
}
