//! How a deployment stands, by the engine's own account: equal for two ends that are equal. What
//! differs from one release to the next (its name, its variant) is left out; so is which release made
//! a replica: one that is as it should be stays, whichever did.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::stage::Stage;
use crate::engine::{PROJECT_LABEL, docker};

/// One line for each thing that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture(Vec<String>);

impl Picture {
    /// Fails with the lines that differ.
    pub(super) fn must_be(&self, other: &Self) -> anyhow::Result<()> {
        let missing = self.0.iter().filter(|line| !other.0.contains(line));
        let more = other.0.iter().filter(|line| !self.0.contains(line));
        let lines: Vec<String> = missing
            .map(|line| format!("  - {line}"))
            .chain(more.map(|line| format!("  + {line}")))
            .collect();
        if lines.is_empty() && self.0.len() == other.0.len() {
            return Ok(());
        }
        bail!(
            "the end is not that of an undisturbed run:\n{}",
            lines.join("\n")
        );
    }
}

/// Looks at everything that bears the project's label.
pub(super) fn of(stage: &Stage<'_>) -> anyhow::Result<Picture> {
    let project = &stage.project;
    let label = format!("label={PROJECT_LABEL}={project}");
    let list = |what: &[&str], format: &str| -> anyhow::Result<Vec<String>> {
        let arguments = [what, &["--filter", &label, "--format", format]].concat();
        Ok(docker(&arguments)?.lines().map(str::to_owned).collect())
    };
    let mut lines = Vec::new();
    for name in list(&["network", "ls"], "{{.Name}}")? {
        lines.push(format!("network {name}"));
    }
    for name in list(&["volume", "ls"], "{{.Name}}")? {
        lines.push(format!("volume {name}"));
    }
    let ids = list(&["ps", "-a", "--no-trunc"], "{{.ID}}")?;
    let mut arguments = vec!["inspect", "--type", "container"];
    arguments.extend(ids.iter().map(String::as_str));
    let containers: Vec<Value> = if ids.is_empty() {
        Vec::new()
    } else {
        serde_json::from_str(&docker(&arguments)?)?
    };
    let (mut upstreams, mut edge) = (BTreeSet::new(), None);
    for container in &containers {
        let name = container["Name"].as_str().context("a name")?;
        let name = name.trim_start_matches('/');
        let label = |key: &str| {
            container["Config"]["Labels"][format!("dev.sysndd.{key}")]
                .as_str()
                .unwrap_or("none")
        };
        let (service, release) = (label("service"), label("release"));
        match service {
            "app" => drop(upstreams.insert(name.to_owned())),
            "web" => edge = Some(name),
            _ => {}
        }
        lines.push(line(container, name, release)?);
    }
    let edge = edge.context("no edge runs")?;
    let list = docker(&["exec", edge, "cat", "/etc/nginx/edge/upstream.conf"])?;
    let named: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("server "))
        .filter_map(|server| server.split(':').next())
        .map(str::to_owned)
        .collect();
    let generation = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("default \""))
        .filter_map(|rest| rest.strip_suffix("\";"))
        .next_back()
        .context("the list has no generation")?;
    let ask = "exec 3<>/dev/tcp/127.0.0.1/8081; printf 'GET /generation HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    let in_force = docker(&["exec", edge, "bash", "-c", ask])?;
    let in_force = in_force.lines().next_back().unwrap_or_default().trim();
    lines.push(format!(
        "the edge proxies to the replicas: {}, the list is in force: {}",
        named == upstreams,
        generation == in_force
    ));
    for line in &mut lines {
        *line = line.replace(project.as_str(), "PROJECT");
    }
    lines.sort();
    Ok(Picture(lines))
}

/// A container, without what differs from release to release.
fn line(container: &Value, name: &str, release: &str) -> anyhow::Result<String> {
    let config = &container["Config"];
    let mut environment: Vec<&str> = config["Env"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|variable| !variable.starts_with("VARIANT="))
        .collect();
    environment.sort_unstable();
    let labels: BTreeMap<&String, &Value> = config["Labels"]
        .as_object()
        .context("labels")?
        .iter()
        .filter(|(key, _)| {
            let own = key.strip_prefix("dev.sysndd.");
            !matches!(own, Some("run" | "release" | "config-hash"))
        })
        .collect();
    let mut mounts: Vec<String> = container["Mounts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|mount| format!("{}:{}", mount["Name"], mount["Destination"]))
        .collect();
    mounts.sort();
    let networks: Vec<&String> = container["NetworkSettings"]["Networks"]
        .as_object()
        .into_iter()
        .flat_map(|networks| networks.keys())
        .collect();
    let text = format!(
        "container {name}: {}, restarted {}, policy {}, image {}, {environment:?} {labels:?} {mounts:?} {networks:?}",
        container["State"]["Status"],
        container["RestartCount"],
        container["HostConfig"]["RestartPolicy"]["Name"],
        container["Image"]
    );
    Ok(text.replace(release, "RELEASE"))
}
