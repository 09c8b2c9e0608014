//! Bind mounts against the users that are to write to them.

use std::path::PathBuf;

use crate::{
    config::{MountSource, Owner, ServiceName, Stack, user_of},
    observe::{Directory, Observed},
};

/// A directory of this machine that a service is to write to and cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountFault {
    pub(crate) service: ServiceName,
    pub(crate) path: PathBuf,
    pub(crate) user: Owner,
    pub(crate) directory: Directory,
}

/// Mounts whose directory the service's user cannot write to: those that are to be given to it
/// (`chown`), or those that are to be refused.
pub(crate) fn mount_faults(stack: &Stack, observed: &Observed, chown: bool) -> Vec<MountFault> {
    let mut faults = Vec::new();
    for service in stack.services.values() {
        let Some(user) = user_of(service) else {
            continue;
        };
        for mount in service
            .volumes
            .iter()
            .filter(|mount| !mount.read_only && mount.chown == chown)
        {
            let MountSource::Bind(path) = &mount.source else {
                continue;
            };
            let Some(directory) = observed.directories.get(path) else {
                continue;
            };
            if !directory.is_writable_by(user) {
                faults.push(MountFault {
                    service: service.name.clone(),
                    path: path.clone(),
                    user,
                    directory: *directory,
                });
            }
        }
    }
    faults
}
