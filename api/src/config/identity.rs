//! Who this process is, as it signs its events and reports.

use sysndd_protocol::{ReleaseId, ReplicaName};

use super::Source;

/// The name of this replica and the release it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// `SYSNDD_REPLICA`, else `HOSTNAME`, else the host's name.
    pub(crate) replica: ReplicaName,
    /// `SYSNDD_RELEASE`; absent when it was not started by the CLI.
    pub(crate) release: Option<ReleaseId>,
}

impl Identity {
    pub(crate) fn read(source: &mut Source) -> Self {
        let replica = source
            .text("SYSNDD_REPLICA")
            .or_else(|| source.text("HOSTNAME"))
            .unwrap_or_else(|| {
                rustix::system::uname()
                    .nodename()
                    .to_string_lossy()
                    .into_owned()
            });
        Self {
            replica: ReplicaName::new(replica),
            release: source.text("SYSNDD_RELEASE").map(ReleaseId::new),
        }
    }
}
