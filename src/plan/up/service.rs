//! One service: which replicas stay, which are made, in which order new and old change places.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sysndd_protocol::ReplicaName;

use super::{Leaving, Planner};
use crate::{
    config::{Edge, Service, ServiceName, UpdateOrder},
    docker::ContainerState,
    observe::Replica,
    plan::{
        action::{Action, OpId},
        down::UNKNOWN_GRACE,
    },
    probe::Readiness,
};

/// Replicas of a service by what becomes of them.
struct Sorted<'a> {
    keep: Vec<&'a Replica>,
    stale: Vec<Stale<'a>>,
}

/// A replica that does not stay.
#[derive(Clone)]
struct Stale<'a> {
    replica: &'a Replica,
    cause: String,
}

impl<'a> Planner<'a> {
    pub(super) fn service(&mut self, service: &'a Service) {
        let wanted = self.wanted(service);
        let Sorted { keep, stale } = self.sort(service, wanted);
        let kept: BTreeSet<u32> = keep.iter().map(|replica| replica.number).collect();
        let missing: Vec<u32> = (1..=wanted)
            .filter(|number| !kept.contains(number))
            .collect();
        let is_entrance = |edge: &Edge| edge.entrance.as_ref() == Some(&service.name);
        let is_entrance = self.stack.edge.as_ref().is_some_and(is_entrance);
        if is_entrance {
            self.entrance_replaced = !stale.is_empty();
        }
        // A first entrance need not wait for the list to be changed: there is none yet.
        let dependencies: Vec<&ServiceName> = if is_entrance && !self.entrance_replaced {
            service.depends_on.iter().collect()
        } else {
            self.stack.dependencies(service).into_iter().collect()
        };
        let mut dependencies: Vec<OpId> = dependencies
            .into_iter()
            .flat_map(|name| self.ready[name].clone())
            .collect();
        dependencies.extend(&self.gate);
        let restored = self.is_restored(service);
        let order = self.order(service);
        if restored {
            self.notes.push(format!(
                "{} is away while the backup is brought back: `sysndd-deploy maintenance on` tells users",
                service.name
            ));
        }
        let replaced =
            |stale: &&Stale<'_>| stale.replica.is_up() && missing.contains(&stale.replica.number);
        let replaces = stale.iter().any(|stale| replaced(&stale));
        if replaces && order == UpdateOrder::StopFirst {
            self.notes.push(format!(
                "{} is replaced stop-first: its old replicas stop before the new ones start",
                service.name
            ));
        }
        let size = match self.stack.deploy.max_surge {
            Some(surge) if replaces && order == UpdateOrder::StartFirst => surge as usize,
            _ => missing.len().max(1),
        };
        // Only while an old one is still there to go back to.
        let outlives = |stale: &Stale<'_>| {
            replaced(&stale) && stale.replica.name != self.name_of(service, stale.replica.number)
        };
        let soak = order == UpdateOrder::StartFirst && stale.iter().any(outlives);

        let mut left = stale;
        let mut members: Vec<ReplicaName> =
            keep.iter().map(|replica| replica.name.clone()).collect();
        let mut ready = self.awake(service, &keep, &dependencies);
        ready.extend(&self.gate);
        let mut room: Vec<OpId> = self.gate.clone();
        let mut batches = missing.chunks(size).peekable();
        while let Some(batch) = batches.next() {
            let last = batches.peek().is_none();
            let (leave, stay): (Vec<_>, Vec<_>) = left
                .into_iter()
                .partition(|stale| restored || batch.contains(&stale.replica.number));
            left = stay;
            let (created, mut before_start, later) =
                self.create(service, batch, leave, &dependencies, &room);
            before_start.extend(&dependencies);
            let restored = self.restore(service, &before_start);
            before_start.extend(restored);
            if let Some(first) = created.first() {
                let written = self.write_upstream(service, first, &before_start);
                before_start.extend(written);
            }
            let mut started = Vec::new();
            for name in &created {
                let mut end = self.start_and_await(service, name, &before_start, "new");
                if soak {
                    end = self.await_stable(service, name, end);
                }
                started.push(end);
            }
            members.extend(created);
            ready.extend(&started);
            if last {
                left.extend(later);
            } else {
                room = self.make_room(service, &members, &left, later, &started);
                ready.extend(&room);
            }
        }
        if self.is_upstream(service) {
            let leave = left.iter().any(|stale| stale.replica.is_running());
            let reloaded = self.reload_edge(&members, leave, &ready);
            ready.extend(reloaded);
        }
        members.sort();
        self.members.insert(&service.name, members);
        self.proven.extend(&ready);
        self.ready.insert(&service.name, ready);
        let leaving = left.into_iter().map(|Stale { replica, cause }| Leaving {
            replica,
            cause,
            stopped: None,
        });
        self.leaving.extend(leaving);
    }

    /// Makes the containers of a batch. The answer: their names; what must be done before they
    /// start; the old ones that end later.
    fn create(
        &mut self,
        service: &'a Service,
        batch: &[u32],
        leave: Vec<Stale<'a>>,
        dependencies: &[OpId],
        room: &[OpId],
    ) -> (Vec<ReplicaName>, Vec<OpId>, Vec<Stale<'a>>) {
        let stop_first = self.order(service) == UpdateOrder::StopFirst;
        let (mut created, mut before_start, mut later) = (Vec::new(), Vec::new(), Vec::new());
        let mut gone: Vec<(ReplicaName, OpId)> = Vec::new();
        let mut to_stop = Vec::new();
        let names: Vec<ReplicaName> = batch
            .iter()
            .map(|number| self.name_of(service, *number))
            .collect();
        for stale in leave {
            if names.contains(&stale.replica.name) {
                // Within one release the old one has the very name of the new one.
                let stopped = self.stop(stale.replica, &stale.cause, room);
                let removed = self.remove(stale.replica, &stale.cause, stopped.as_slice());
                gone.push((stale.replica.name.clone(), removed));
            } else if stop_first && stale.replica.is_up() {
                to_stop.push(stale);
            } else {
                later.push(stale);
            }
        }
        let replaces = !(to_stop.is_empty() && later.is_empty() && gone.is_empty());
        for (number, name) in batch.iter().zip(names) {
            let mut after = self.ground[&service.name].clone();
            after.extend(room);
            after.extend(
                gone.iter()
                    .filter(|(old, _)| *old == name)
                    .map(|(_, id)| *id),
            );
            let spec = self.spec_of(service, *number);
            let cause = if replaces {
                "replaces the old one"
            } else {
                "missing"
            };
            self.creates = true;
            before_start.push(self.push(after, Action::CreateContainer(Box::new(spec)), cause));
            created.push(name);
        }
        // All are created before any is started, so that they start at the same time; and before
        // any old one stops, so that the gap is short.
        let mut all_there = before_start.clone();
        all_there.extend(dependencies);
        for stale in to_stop {
            let stopped = self.stop(stale.replica, &stale.cause, &all_there);
            before_start.extend(stopped);
            self.leaving.push(Leaving {
                replica: stale.replica,
                cause: stale.cause,
                stopped,
            });
        }
        (created, before_start, later)
    }

    /// With bounded surge the old replicas of a batch stop before the next batch is created. They
    /// are removed at the very end: until then they can be started again.
    fn make_room(
        &mut self,
        service: &'a Service,
        members: &[ReplicaName],
        serving: &[Stale<'a>],
        leave: Vec<Stale<'a>>,
        started: &[OpId],
    ) -> Vec<OpId> {
        let mut after = started.to_vec();
        if self.is_upstream(service) {
            let still = serving.iter().filter(|stale| stale.replica.is_ready());
            let servers = members.iter().cloned();
            let servers = servers.chain(still.map(|stale| stale.replica.name.clone()));
            let servers: Vec<ReplicaName> = servers.collect();
            let reloaded = self.reload_edge(&servers, true, started);
            after.extend(reloaded);
        }
        let mut stops = Vec::new();
        for Stale { replica, cause } in leave {
            let stopped = self.stop(replica, &cause, &after);
            stops.extend(stopped);
            self.leaving.push(Leaving {
                replica,
                cause,
                stopped,
            });
        }
        if stops.is_empty() { after } else { stops }
    }

    /// Replicas that stay but do not serve.
    fn awake(
        &mut self,
        service: &'a Service,
        keep: &[&Replica],
        dependencies: &[OpId],
    ) -> Vec<OpId> {
        let mut before = dependencies.to_vec();
        let starts = |replica: &&&Replica| !replica.is_up() || self.hangs(service, replica);
        let asleep = keep.iter().find(starts);
        if let Some(asleep) = asleep {
            before.extend(self.write_upstream(service, &asleep.name, dependencies));
        }
        let mut ready = Vec::new();
        for replica in keep {
            let cause = match replica.state {
                ContainerState::Created => "it was never started",
                ContainerState::Exited | ContainerState::Dead => "it had ended",
                _ if replica.is_ready() => continue,
                _ if self.hangs(service, replica) => {
                    let cause = "it runs and has not been ready for long: it is restarted";
                    let stopped = self.stop(replica, cause, &before);
                    let after: Vec<OpId> = before.iter().copied().chain(stopped).collect();
                    ready.push(self.start_and_await(service, &replica.name, &after, cause));
                    continue;
                }
                _ => {
                    let action = self.await_ready(service, &replica.name);
                    ready.push(self.push(before.clone(), action, "it is not ready yet"));
                    continue;
                }
            };
            ready.push(self.start_and_await(service, &replica.name, &before, cause));
        }
        ready
    }

    /// Whether it runs, is not ready, and had the time to be: it would be waited for in vain. What keeps
    /// data may be long in mending them, and is waited for all the same.
    pub(super) fn hangs(&self, service: &Service, replica: &Replica) -> bool {
        let up_for = |started: DateTime<Utc>| (self.intent.now - started).to_std().ok();
        replica.is_running()
            && matches!(replica.readiness, Readiness::NotReady(_))
            && !self.stack.is_exclusive(service)
            && replica
                .started_at
                .and_then(up_for)
                .is_some_and(|up_for| up_for > self.stack.deploy.ready_timeout)
    }

    /// Nothing writes while a backup is brought back.
    fn order(&self, service: &Service) -> UpdateOrder {
        if self.is_restored(service) {
            UpdateOrder::StopFirst
        } else {
            self.stack.update_order(service)
        }
    }

    fn wanted(&self, service: &Service) -> u32 {
        let asked = self.intent.wish.replicas.get(&service.name).copied();
        asked.unwrap_or(service.replicas)
    }

    /// Which replicas stay, and why the others go.
    fn sort(&mut self, service: &'a Service, wanted: u32) -> Sorted<'a> {
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
        let named = self.intent.wish.allow_recreate.contains(&service.name);
        let allowed = named || !self.stack.is_exclusive(service);
        let forced = self.intent.wish.force && (named || !self.stack.is_spared(service));
        let restored = self.is_restored(service);
        let edge = self.stack.edge.as_ref();
        let is_edge = edge.is_some_and(|edge| edge.service == service.name);
        let mut sorted = Sorted {
            keep: Vec::new(),
            stale: Vec::new(),
        };
        for replica in replicas {
            let changed = if restored {
                Some("the data below it are replaced by the backup's")
            } else if replica.config_hash != hash {
                Some("its configuration or image changed")
            } else if replica.image != image {
                Some("it runs another image than it was created for")
            } else if is_edge && self.entrance_replaced {
                // The socket that it was handed dies with the old entrance.
                Some("its entrance is replaced")
            } else {
                forced.then_some("--force was given")
            };
            if changed.is_some() && !allowed {
                self.refused.insert(service.name.clone());
            }
            let cause = if let Some(cause) = changed {
                cause.to_owned()
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
            sorted.stale.push(Stale { replica, cause });
        }
        sorted
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

    fn await_stable(&mut self, service: &Service, replica: &ReplicaName, ready: OpId) -> OpId {
        let soak = self.stack.deploy.soak;
        if soak.is_zero() {
            return ready;
        }
        let action = Action::AwaitStable {
            service: service.name.clone(),
            replica: replica.clone(),
            soak,
        };
        self.push(
            vec![ready],
            action,
            "the old one serves until it has proven itself",
        )
    }

    /// Ends everything that does not stay, when all that comes in its place is proven.
    pub(super) fn retire(&mut self) {
        let known: BTreeSet<&ServiceName> = self.stack.services.keys().collect();
        for replica in &self.observed.replicas {
            if !known.contains(&replica.service) {
                self.leaving.push(Leaving {
                    replica,
                    cause: "its service is not in sysndd.toml any more".to_owned(),
                    stopped: None,
                });
            }
        }
        let proven = std::mem::take(&mut self.proven);
        for Leaving {
            replica,
            cause,
            stopped,
        } in std::mem::take(&mut self.leaving)
        {
            let mut after = proven.clone();
            after.extend(stopped);
            if stopped.is_none()
                && let Some(stopped) = self.stop(replica, &cause, &proven)
            {
                after = vec![stopped];
            }
            self.remove(replica, &cause, &after);
        }
    }

    fn stop(&mut self, replica: &Replica, cause: &str, after: &[OpId]) -> Option<OpId> {
        if !replica.is_up() {
            return None;
        }
        let service = self.stack.services.get(&replica.service);
        let grace = service.map_or(UNKNOWN_GRACE, |service| service.stop_grace_period);
        let action = Action::StopContainer {
            replica: replica.name.clone(),
            grace,
        };
        Some(self.push(after.to_vec(), action, cause))
    }

    fn remove(&mut self, replica: &Replica, cause: &str, after: &[OpId]) -> OpId {
        let action = Action::RemoveContainer {
            replica: replica.name.clone(),
        };
        self.push(after.to_vec(), action, cause)
    }
}
