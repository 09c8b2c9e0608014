//! What differs between two releases, in the words of `sysndd.toml`. Pure.
//!
//! It compares what `config show` said of each, where secrets are references: that a secret's value
//! changed cannot be seen, because no value was ever recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use toml::Value;

use super::manifest::{Manifest, ServiceRecord};
use crate::{config::ServiceName, plan::Change};

/// What a release says, recorded or wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// As `config show` prints it.
    pub(crate) stack: &'a str,
    pub(crate) services: &'a BTreeMap<ServiceName, SaidOfService>,
    /// Text of the files that a release needs, by their paths.
    pub(crate) files: &'a BTreeMap<PathBuf, String>,
    pub(crate) migration_head: Option<&'a str>,
}

/// What the stack does not say of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SaidOfService {
    pub(crate) image: String,
    pub(crate) replicas: u32,
    /// Of all that its containers are made with, the values of secrets too.
    pub(crate) config_hash: String,
}

impl SaidOfService {
    /// Of every service of a release.
    pub(crate) fn of(manifest: &Manifest) -> BTreeMap<ServiceName, Self> {
        let said = |(name, record): (&ServiceName, &ServiceRecord)| {
            let said = Self {
                image: record.image.id.clone(),
                replicas: record.replicas,
                config_hash: record.config_hash.clone(),
            };
            (name.clone(), said)
        };
        manifest.services.iter().map(said).collect()
    }
}

/// What changed from `a` to `b`, in the order of the keys.
pub(crate) fn diff(a: &Manifest, b: &Manifest) -> Vec<Change> {
    let (in_a, in_b) = (SaidOfService::of(a), SaidOfService::of(b));
    let said = |manifest, services| Said::of(manifest, services);
    compare(&said(a, &in_a), &said(b, &in_b))
}

impl<'a> Said<'a> {
    fn of(manifest: &'a Manifest, services: &'a BTreeMap<ServiceName, SaidOfService>) -> Self {
        Self {
            stack: &manifest.stack,
            services,
            files: &manifest.files,
            migration_head: manifest.migration_head.as_deref(),
        }
    }
}

/// What changed from the one to the other, in the order of the keys.
pub(crate) fn compare(a: &Said<'_>, b: &Said<'_>) -> Vec<Change> {
    let (before, after) = (leaves(a), leaves(b));
    let keys: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
    let mut changes: Vec<Change> = keys
        .into_iter()
        .filter(|&key| before.get(key) != after.get(key))
        .map(|key| Change {
            key: key.0.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
            unseen: None,
        })
        .collect();
    for (name, service) in b.services {
        let Some(old) = a.services.get(name) else {
            continue;
        };
        let key = format!("services.{name}");
        // How many there are is not what they are made with.
        let explained = changes.iter().any(|change| {
            let rest = change.key.strip_prefix(&key);
            rest.is_some_and(|rest| rest.starts_with('.') && rest != ".replicas")
        });
        if old.config_hash != service.config_hash && !explained {
            changes.push(Change {
                key,
                before: None,
                after: None,
                unseen: Some("the value of a secret is another one, or another version of this program makes its containers".to_owned()),
            });
        }
    }
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

/// All that a release says, by key; an item of a list is found by its own text, so that a list
/// differs by what came and what went.
fn leaves(said: &Said<'_>) -> BTreeMap<(String, String), String> {
    let mut leaves = BTreeMap::new();
    if let Ok(table) = said.stack.parse::<toml::Table>() {
        collect(&Value::Table(table), String::new(), &mut leaves);
    }
    let mut set = |key: String, value: String| leaves.insert((key, String::new()), value);
    for (name, service) in said.services {
        set(format!("services.{name}.image-id"), service.image.clone());
        set(
            format!("services.{name}.replicas"),
            service.replicas.to_string(),
        );
    }
    for (path, text) in said.files {
        set(format!("files.{}", path.display()), text.clone());
    }
    if let Some(head) = said.migration_head {
        set("migrations.head".to_owned(), head.to_owned());
    }
    leaves
}

fn collect(value: &Value, key: String, leaves: &mut BTreeMap<(String, String), String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                let name = if name.chars().all(bare) && !name.is_empty() {
                    name.clone()
                } else {
                    format!("{name:?}")
                };
                let key = if key.is_empty() {
                    name
                } else {
                    format!("{key}.{name}")
                };
                collect(value, key, leaves);
            }
        }
        Value::Array(items) if is_sequence(&key) => {
            leaves.insert((key, String::new()), plain(&Value::Array(items.clone())));
        }
        Value::Array(items) => {
            for item in items {
                leaves.insert((key.clone(), plain(item)), plain(item));
            }
        }
        other => {
            leaves.insert((key, String::new()), plain(other));
        }
    }
}

/// Whether the order of a list is its meaning, as in a command.
fn is_sequence(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    ["command", "entrypoint", "test"].contains(&last)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
