//! The same stack for Docker Compose, as the peer that is measured.

use std::{fs, path::PathBuf, process::Command};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::{command::capture, deploy::Deploy};

/// A Compose project in a directory of its own, taken down with this value.
pub(super) struct Compose {
    directory: PathBuf,
    project: String,
}

impl Compose {
    /// Writes a Compose file with the services of the shipped stack: same images, environment,
    /// mounts and limits. Compose waits by the engine's health checks, every 5 s as its users have
    /// it, and asks the same questions.
    pub(super) fn new(deploy: &Deploy, secrets: &[(&str, &str)]) -> anyhow::Result<Self> {
        let project = format!("sysndd-bench-compose-{}", std::process::id());
        let directory = std::env::temp_dir().join(&project);
        fs::create_dir_all(&directory)?;
        let mut show = deploy.command(&["config", "show", "--format", "json"]);
        let stack: Value = serde_json::from_slice(&capture(show.envs(secrets.iter().copied()))?)?;
        let file = translate(&stack, deploy, secrets)?;
        let text = serde_yaml::to_string(&file).context("writing the Compose file")?;
        fs::write(directory.join("compose.yaml"), text)?;
        Ok(Self { directory, project })
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command
            .current_dir(&self.directory)
            .args(["compose", "-p", &self.project])
            .args(arguments);
        command
    }

    /// Names of the containers of one service.
    pub(super) fn containers(&self, service: &str) -> anyhow::Result<Vec<String>> {
        let ids = capture(&mut self.command(&["ps", "-q", service]))?;
        Ok(String::from_utf8_lossy(&ids)
            .lines()
            .map(str::to_owned)
            .collect())
    }

    pub(super) fn down(&self) -> anyhow::Result<()> {
        capture(&mut self.command(&["down", "--volumes", "--timeout", "0"])).map(drop)
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if let Err(error) = self.down() {
            crate::command::say(format!(
                "the Compose project could not be removed: {error:#}"
            ));
        }
        // A directory that stays in the temporary directory harms nobody.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn translate(stack: &Value, deploy: &Deploy, secrets: &[(&str, &str)]) -> anyhow::Result<Value> {
    let images = images(deploy, secrets)?;
    let mut services = Map::new();
    let mut volumes = Map::new();
    for (name, service) in stack["services"].as_object().context("no services")? {
        let mut out = Map::new();
        out.insert("image".into(), images[name].clone());
        out.insert("environment".into(), environment(service, secrets));
        for key in ["read_only", "tmpfs", "cap_drop"] {
            if let Some(value) = service.get(key).filter(|value| !is_empty(value)) {
                out.insert(key.into(), value.clone());
            }
        }
        let mut mounts = Vec::new();
        for mount in service["volumes"].as_array().into_iter().flatten() {
            let volume = mount["source"]["volume"]
                .as_str()
                .context("only volumes are mounted")?;
            let target = mount["target"].as_str().context("a mount without target")?;
            mounts.push(json!(format!("{volume}:{target}")));
            volumes.insert(volume.to_owned(), json!({}));
        }
        out.insert("volumes".into(), Value::Array(mounts));
        let depends: Map<String, Value> = service["depends_on"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|on| (on.to_owned(), json!({ "condition": "service_healthy" })))
            .collect();
        out.insert("depends_on".into(), Value::Object(depends));
        out.insert("healthcheck".into(), healthcheck(service));
        services.insert(name.clone(), Value::Object(out));
    }
    Ok(json!({ "services": services, "volumes": volumes }))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value == &Value::Bool(false)
}

fn environment(service: &Value, secrets: &[(&str, &str)]) -> Value {
    let text = |value: &Value| {
        let mut text = value.as_str().unwrap_or_default().to_owned();
        for (name, secret) in secrets {
            text = text.replace(&format!("${{{name}}}"), secret);
        }
        text.replace("${deploy.release}", "bench")
            .replace("${deploy.replica}", "")
    };
    let map = service["environment"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    map.iter()
        .map(|(key, value)| (key.clone(), Value::String(text(value))))
        .collect::<Map<_, _>>()
        .into()
}

/// The engine's check where the stack has one, else a connection to the port that is probed.
fn healthcheck(service: &Value) -> Value {
    let check = &service["healthcheck"];
    let test = check["engine"].get("test").cloned().unwrap_or_else(|| {
        let probe = &check["probe"];
        let port = probe["tcp"]["port"]
            .as_u64()
            .or_else(|| probe["http"]["port"].as_u64());
        let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{}", port.unwrap_or_default());
        json!(["CMD", "bash", "-c", connect])
    });
    json!({ "test": test, "interval": "5s", "timeout": "3s", "retries": 20 })
}

/// Image of each service, by the program's own account of a running copy.
fn images(deploy: &Deploy, secrets: &[(&str, &str)]) -> anyhow::Result<Map<String, Value>> {
    let project = format!("sysndd-bench-images-{}", std::process::id());
    let call = |arguments: &[&str]| -> anyhow::Result<Value> {
        let mut command = deploy.command(arguments);
        command.args(["--project", &project, "--format", "json"]);
        command
            .envs(secrets.iter().copied())
            .env("SYSNDD_PORT", "0");
        Ok(serde_json::from_slice(&capture(&mut command)?)?)
    };
    let status = call(&["up"]);
    let down = call(&["down", "--volumes"]);
    let status = status?;
    down?;
    let services = status["services"].as_array().context("no services")?;
    Ok(services
        .iter()
        .filter_map(|service| {
            Some((
                service["name"].as_str()?.to_owned(),
                service["replicas"][0]["image"].clone(),
            ))
        })
        .collect())
}
