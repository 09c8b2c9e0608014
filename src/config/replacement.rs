//! What follows from a whole stack for the replacement of one of its services. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::stack::{MountSource, Service, ServiceName, Stack, UpdateOrder, VolumeName};

impl Stack {
    /// How a service is replaced: by its own word, else start-first, unless two generations of it
    /// cannot run at a time.
    pub(crate) fn update_order(&self, service: &Service) -> UpdateOrder {
        if let Some(order) = service.update_order {
            return order;
        }
        let port = service.ports.iter().any(|port| port.host != 0);
        if port || self.owns_data(service) {
            UpdateOrder::StopFirst
        } else {
            UpdateOrder::StartFirst
        }
    }

    /// How many of so many replicas there can be while they are replaced.
    pub(crate) fn at_a_time(&self, service: &Service, replicas: u32) -> u32 {
        match self.update_order(service) {
            UpdateOrder::StopFirst => replicas,
            UpdateOrder::StartFirst => {
                let surge = self.deploy.max_surge.unwrap_or(replicas);
                replicas + surge.min(replicas)
            }
        }
    }

    /// The service that may change the data when it is replaced: the one that migrates, or
    /// `otherwise`.
    pub(crate) fn migrating<'a>(&'a self, otherwise: &'a ServiceName) -> &'a ServiceName {
        self.migrations
            .as_ref()
            .map_or(otherwise, |migrations| &migrations.service)
    }

    /// The values of all its secrets that are long enough to be told from other words.
    pub(crate) fn secret_values(&self) -> BTreeSet<&str> {
        const SHORTEST: usize = 6;
        let of_services = self.services.values().map(|service| &service.environment);
        let of_jobs = self.jobs.values().map(|job| &job.environment);
        let of_tls = self
            .services
            .values()
            .filter_map(|service| service.tls.as_ref());
        let of_tls = of_tls.map(|tls| &tls.environment);
        let texts = of_services
            .chain(of_tls)
            .chain(of_jobs)
            .flat_map(BTreeMap::values);
        let database = self
            .migrations
            .as_ref()
            .map(|migrations| &migrations.database);
        texts
            .chain(database)
            .flat_map(super::text::Text::secrets)
            .filter(|value| value.len() >= SHORTEST)
            .collect()
    }

    /// Whether it is what keeps data, like a database: replacing it is never done in passing.
    pub(crate) fn is_exclusive(&self, service: &Service) -> bool {
        self.owns_data(service) && self.update_order(service) == UpdateOrder::StopFirst
    }

    /// A single replica that alone writes to a named volume. The edge and its upstream are made
    /// for running beside each other.
    fn owns_data(&self, service: &Service) -> bool {
        let in_front = self
            .edge
            .as_ref()
            .is_some_and(|edge| edge.service == service.name || edge.upstream == service.name);
        let alone = |volume: &VolumeName| {
            let source = MountSource::Volume(volume.clone());
            self.services
                .values()
                .filter(|other| other.volumes.iter().any(|mount| mount.source == source))
                .count()
                == 1
        };
        !in_front
            && service.replicas == 1
            && service.volumes.iter().any(|mount| match &mount.source {
                MountSource::Volume(volume) => !mount.read_only && alone(volume),
                MountSource::Bind(_) => false,
            })
    }

    /// Services that must be ready before this one is started: those that it names, and those that
    /// follow from who is in front of whom.
    pub(crate) fn dependencies<'a>(&'a self, service: &'a Service) -> BTreeSet<&'a ServiceName> {
        let mut names: BTreeSet<&ServiceName> = service.depends_on.iter().collect();
        if let Some(edge) = &self.edge {
            let is_edge = edge.service == service.name;
            let is_entrance = edge.entrance.as_ref() == Some(&service.name);
            if is_edge {
                names.extend(&edge.entrance);
            }
            // A list is changed at an edge that has its entrance.
            if is_edge || is_entrance {
                names.insert(&edge.upstream);
            }
        }
        names
    }

    /// Whether `up --force` leaves it alone: what keeps data, and what holds the port, whose
    /// replacement is a gap.
    pub(crate) fn is_spared(&self, service: &Service) -> bool {
        let entrance = self.edge.as_ref().and_then(|edge| edge.entrance.as_ref());
        self.is_exclusive(service) || entrance == Some(&service.name)
    }
}
