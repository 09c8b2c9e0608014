//! What containers stand on: the network, volumes with their owners, mounted directories.

use std::collections::BTreeMap;

use sysndd_protocol::ReplicaName;

use super::Planner;
use crate::{
    config::{Job, Mount, MountSource, Service, VolumeName},
    plan::{
        action::{Action, OpId},
        mounts::mount_faults,
        spec::{network_name, volume_name},
    },
};

impl Planner<'_> {
    pub(super) fn remove_leftovers(&mut self) {
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

    pub(super) fn network_and_volumes(&mut self) {
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
            let mut of_jobs = self
                .stack
                .jobs
                .values()
                .filter(|job| job_mounts(job, volume));
            let job = of_jobs.next().map(|job| &self.stack.services[&job.service]);
            let job = job.filter(|_| volumes.contains_key(volume));
            // Once something ran on it, the volume is the application's own business.
            let Some(user) = users.first().copied().filter(|_| !used).or(job) else {
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
        self.volumes = volumes.values().copied().collect();
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
}

fn mounts(service: &Service, volume: &VolumeName) -> bool {
    mounted(&service.volumes, volume)
}

fn job_mounts(job: &Job, volume: &VolumeName) -> bool {
    mounted(&job.volumes, volume)
}

fn mounted(mounts: &[Mount], volume: &VolumeName) -> bool {
    mounts
        .iter()
        .any(|mount| mount.source == MountSource::Volume(volume.clone()))
}
