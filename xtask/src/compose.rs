//! Docker Compose, as the peer of tests and measurements.

use std::{path::PathBuf, process::Command};

use anyhow::Context as _;

use crate::{
    command::{root, run, say},
    deploy::Deploy,
    engine::{PROJECT_LABEL, docker},
};

/// Where the engine's client looks for its plugins.
const PLUGIN: &str = ".docker/cli-plugins/docker-compose";
const STACK: &str = "tests/stacks/compose.toml";

/// Whether `docker compose` can be called.
fn is_there() -> bool {
    let mut command = Command::new("docker");
    command.args(["compose", "version"]).current_dir(root());
    command.output().is_ok_and(|output| output.status.success())
}

/// Puts it where the engine's client finds it, unless it is there already. Debian 12 has none that is new enough.
pub(crate) fn install(deploy: &Deploy) -> anyhow::Result<()> {
    if is_there() {
        return Ok(());
    }
    say("Docker Compose, which the exported stack is tried with");
    let mut build = deploy.command(&["build", "--config", STACK]);
    run("Docker Compose", &mut build)?;
    let answer = deploy.json(&["build", "--config", STACK])?;
    let image = answer["images"][0]["image"].as_str();
    let label = format!("{PROJECT_LABEL}=sysndd-test-compose");
    let create = ["create", "--label", &label, image.context("no image")?];
    let container = docker(&create)?;
    let plugin = PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(PLUGIN);
    let copied = copy(&container, &plugin);
    docker(&["rm", &container])?;
    copied?;
    anyhow::ensure!(is_there(), "{} does not run", plugin.display());
    Ok(())
}

fn copy(container: &str, plugin: &std::path::Path) -> anyhow::Result<()> {
    let dir = plugin.parent().unwrap_or(plugin);
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let from = format!("{container}:/docker-compose");
    docker(&["cp", &from, &plugin.display().to_string()]).map(drop)
}
