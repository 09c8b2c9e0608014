//! What differs between two releases, in the words of `sysndd.toml`. Pure.
//!
//! It compares what `config show` said of each, where secrets are references: that a secret's value
//! changed cannot be seen, because no value was ever recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use toml::Value;

use super::manifest::Manifest;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// Keys as one would write them: `services.api.environment.LOG_LEVEL`. An image's ID and what is
    /// kept beside the file have names of their own: `services.api.image-id`, `files.…`.
    pub(crate) key: String,
    /// Absent when it came.
    pub(crate) before: Option<String>,
    /// Absent when it went.
    pub(crate) after: Option<String>,
}

/// What changed from `a` to `b`, in the order of the keys.
pub(crate) fn diff(a: &Manifest, b: &Manifest) -> Vec<Change> {
    let (before, after) = (leaves(a), leaves(b));
    let keys: BTreeSet<&(String, String)> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|&key| before.get(key) != after.get(key))
        .map(|key| Change {
            key: key.0.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

/// All that a release says, by key; an item of a list is found by its own text, so that a list
/// differs by what came and what went.
fn leaves(manifest: &Manifest) -> BTreeMap<(String, String), String> {
    let mut leaves = BTreeMap::new();
    if let Ok(table) = manifest.stack.parse::<toml::Table>() {
        collect(&Value::Table(table), String::new(), &mut leaves);
    }
    let mut set = |key: String, value: String| leaves.insert((key, String::new()), value);
    for (name, service) in &manifest.services {
        set(
            format!("services.{name}.image-id"),
            service.image.id.clone(),
        );
        set(
            format!("services.{name}.replicas"),
            service.replicas.to_string(),
        );
    }
    for (path, text) in &manifest.files {
        set(
            format!("files.{}", path.display()),
            format!("{} lines", text.lines().count()),
        );
        // The text itself decides, the number of lines is only what is shown.
        set(format!("files.{}.text", path.display()), text.clone());
    }
    if let Some(head) = &manifest.migration_head {
        set("migrations.head".to_owned(), head.clone());
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
