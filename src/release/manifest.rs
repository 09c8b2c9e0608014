//! A release as it is recorded: all that is needed to have it again, but for secrets, which are
//! recorded by name.

use std::{collections::BTreeMap, path::PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sysndd_protocol::ReleaseId;

use super::who::{Revision, Who};
use crate::config::{self, ConfigErrors, Origin, ProjectName, Secrets, ServiceName, Stack};

/// The shape of the file.
pub(crate) const SCHEMA: &str = "sysndd-deploy/release/1";

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) schema: String,
    pub(crate) id: ReleaseId,
    /// The project it was deployed as; the file may name another.
    pub(crate) project: ProjectName,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) by: Who,
    pub(crate) why: Why,
    /// What the operator had to say.
    pub(crate) message: Option<String>,
    pub(crate) revision: Option<Revision>,
    /// Version of the program that made it.
    pub(crate) tool: String,
    pub(crate) services: BTreeMap<ServiceName, ServiceRecord>,
    /// Name of the newest migration that its database had.
    pub(crate) migration_head: Option<String>,
    /// The backup that was taken before it.
    pub(crate) restore_point: Option<RestorePoint>,
    /// Text of the files that a replay needs, by their paths in `sysndd.toml`.
    pub(crate) files: BTreeMap<PathBuf, String>,
    /// The stack as `config show` prints it: resolved, secrets as references. For people and for
    /// comparing; a replay reads `source`.
    pub(crate) stack: String,
    /// What the stack was read from.
    pub(crate) source: Origin,
}

/// Why there is a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Why {
    /// `up`.
    Deploy,
    /// An earlier release again.
    Rollback { to: ReleaseId },
    /// Something ran already when the first record was made.
    Adopted,
}

/// A service of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceRecord {
    pub(crate) image: ImageRecord,
    pub(crate) replicas: u32,
    /// Hash of all that its containers are made with; label `dev.sysndd.config-hash`.
    pub(crate) config_hash: String,
}

/// An image of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    /// The engine's ID.
    pub(crate) id: String,
    /// The name it had; it may be gone or mean another image now.
    pub(crate) reference: Option<String>,
    /// `name@sha256:…`, when it came from a registry.
    pub(crate) digest: Option<String>,
}

/// A backup that a release can be undone with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestorePoint {
    /// Name of the backup.
    pub(crate) backup: String,
    pub(crate) taken_at: DateTime<Utc>,
}

/// What a manifest is made from, beside the stack.
#[derive(Debug, Clone)]
pub(crate) struct NewManifest {
    pub(crate) id: ReleaseId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) by: Who,
    pub(crate) why: Why,
    pub(crate) message: Option<String>,
    pub(crate) revision: Option<Revision>,
    pub(crate) services: BTreeMap<ServiceName, ServiceRecord>,
    pub(crate) migration_head: Option<String>,
    pub(crate) restore_point: Option<RestorePoint>,
    /// Text of the edge's template, where the stack has one.
    pub(crate) edge_template: String,
}

impl Manifest {
    /// The record of `stack`.
    pub(crate) fn new(stack: &Stack, new: NewManifest) -> Self {
        let template = stack
            .edge
            .as_ref()
            .map(|edge| (edge.template.clone(), new.edge_template));
        Self {
            schema: SCHEMA.to_owned(),
            id: new.id,
            project: stack.project.clone(),
            created_at: new.created_at,
            by: new.by,
            why: new.why,
            message: new.message,
            revision: new.revision,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            services: new.services,
            migration_head: new.migration_head,
            restore_point: new.restore_point,
            files: template.into_iter().collect(),
            stack: config::show(stack),
            source: (*stack.origin).clone(),
        }
    }

    /// The stack of this release, with the secrets of now; its services have the replicas that the
    /// file said, not those that were asked for by hand.
    ///
    /// # Errors
    /// Secrets that are not there any more, each by its name.
    pub(crate) fn stack(&self, secrets: &Secrets) -> Result<Stack, ConfigErrors> {
        Ok(Stack {
            project: self.project.clone(),
            ..self.source.stack(secrets)?
        })
    }

    /// Text of the edge's template; empty where the stack has no edge.
    pub(crate) fn edge_template(&self, stack: &Stack) -> &str {
        stack
            .edge
            .as_ref()
            .and_then(|edge| self.files.get(&edge.template))
            .map_or("", String::as_str)
    }

    /// Replicas by service, as they were.
    pub(crate) fn replicas(&self) -> BTreeMap<ServiceName, u32> {
        self.services
            .iter()
            .map(|(name, service)| (name.clone(), service.replicas))
            .collect()
    }

    /// Image IDs by service.
    pub(crate) fn images(&self) -> BTreeMap<ServiceName, String> {
        self.services
            .iter()
            .map(|(name, service)| (name.clone(), service.image.id.clone()))
            .collect()
    }

    /// Whether containers of the one are containers of the other.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.services == other.services && self.files == other.files
    }
}

#[cfg(test)]
mod tests;
