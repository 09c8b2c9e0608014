//! The edge's upstream list: when it is written, put into force, and waited for.

use sysndd_protocol::ReplicaName;

use super::Planner;
use crate::{
    config::Service,
    plan::action::{Action, OpId, Upstream},
};

impl Planner<'_> {
    pub(super) fn is_upstream(&self, service: &Service) -> bool {
        let edge = self.stack.edge.as_ref();
        edge.is_some_and(|edge| edge.upstream == service.name)
    }

    /// Tells the running edge whom to proxy to from now on. Where some `leave` the list, what it
    /// answers with is the end of their last requests too.
    pub(super) fn reload_edge(
        &mut self,
        servers: Vec<ReplicaName>,
        leave: bool,
        after: &[OpId],
    ) -> Vec<OpId> {
        let Some(edge) = &self.stack.edge else {
            return Vec::new();
        };
        let list = self.list_of(servers);
        if self.in_force == Some(list.generation) {
            return Vec::new();
        }
        let cause = format!("the replicas of {} changed", edge.upstream);
        let drain = leave && edge.worker_process.is_some();
        let running: Vec<ReplicaName> = self
            .observed
            .replicas_of(&edge.service)
            .filter(|replica| replica.is_running())
            .map(|replica| replica.name.clone())
            .collect();
        let mut ends = Vec::new();
        for edge in running {
            let action = Action::ReloadEdge {
                edge: edge.clone(),
                list: list.clone(),
            };
            let mut end = self.push(after.to_vec(), action, cause.clone());
            if drain {
                let timeout = self.stack.deploy.drain_timeout;
                let action = Action::DrainEdge { edge, timeout };
                end = self.push(vec![end], action, "requests under the old list finish");
            }
            ends.push(end);
        }
        if !ends.is_empty() {
            self.in_force = Some(list.generation);
        }
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
        let list = self.list_of(servers);
        Some(self.push(
            after.to_vec(),
            Action::WriteUpstream {
                edge: replica.clone(),
                list,
            },
            cause,
        ))
    }

    fn list_of(&self, servers: Vec<ReplicaName>) -> Upstream {
        let maintenance = self.observed.maintenance.as_ref();
        Upstream::of(&self.intent.edge_template, servers, maintenance)
    }
}
