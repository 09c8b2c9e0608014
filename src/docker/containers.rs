//! Containers: list, inspect, create, start, stop, remove.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::Duration,
};

use bollard::{
    models::{
        ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HealthConfig, HostConfig,
        Mount, MountType, NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
        StopContainerOptionsBuilder,
    },
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Engine, EngineError, Result, resources::by_project};

/// Everything that a container is created from. Serializable, because its hash tells whether a
/// running container is still what `sysndd.toml` asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ContainerSpec {
    pub(crate) name: String,
    /// Image ID, so that a moved tag is seen as a change.
    pub(crate) image: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) command: Option<Vec<String>>,
    pub(crate) user: Option<String>,
    pub(crate) mounts: Vec<MountSpec>,
    pub(crate) tmpfs: Vec<String>,
    pub(crate) ports: Vec<PublishedPort>,
    pub(crate) network: String,
    /// DNS names on the network, beside the container's own.
    pub(crate) aliases: Vec<String>,
    pub(crate) healthcheck: Option<HealthcheckSpec>,
    /// As in the engine's API: `no`, `always`, `on-failure`, `unless-stopped`.
    pub(crate) restart: String,
    pub(crate) stop_signal: Option<String>,
    /// Seconds between the stop signal and SIGKILL.
    pub(crate) stop_timeout_s: i64,
    pub(crate) read_only: bool,
    pub(crate) cap_add: Vec<String>,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) no_new_privileges: bool,
    /// Bytes.
    pub(crate) memory: Option<i64>,
    /// Billionths of a core.
    pub(crate) nano_cpus: Option<i64>,
    pub(crate) pids: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MountSpec {
    pub(crate) source: MountSpecSource,
    pub(crate) target: String,
    pub(crate) read_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum MountSpecSource {
    /// The engine's name of the volume.
    Volume(String),
    /// Absolute path on the engine's host.
    Bind(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PublishedPort {
    pub(crate) host_ip: String,
    pub(crate) host: u16,
    pub(crate) container: u16,
    /// `tcp` or `udp`.
    pub(crate) protocol: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HealthcheckSpec {
    pub(crate) test: Vec<String>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) start_period: Duration,
}

/// Life of a container, by the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContainerState {
    Created,
    Running,
    Restarting,
    Paused,
    Exited,
    Removing,
    Dead,
}

/// One container as the engine has it.
#[derive(Debug, Clone)]
pub(crate) struct InspectedContainer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image_id: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) state: ContainerState,
    pub(crate) exit_code: Option<i64>,
    pub(crate) oom_killed: bool,
    pub(crate) restart_count: i64,
    pub(crate) created: Option<DateTime<Utc>>,
    pub(crate) started: Option<DateTime<Utc>>,
    /// End of its last life.
    pub(crate) finished: Option<DateTime<Utc>>,
    /// Address on the project's network; absent unless it runs.
    pub(crate) address: Option<IpAddr>,
    pub(crate) ports: Vec<PublishedPort>,
    pub(crate) user: String,
}

impl Engine {
    /// IDs of all containers of a project, running or not.
    pub(crate) async fn project_containers(&self, project: &str) -> Result<Vec<String>> {
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&by_project(project))
            .build();
        let containers = self
            .api
            .list_containers(Some(options))
            .await
            .map_err(|error| EngineError::new("listing containers", error))?;
        Ok(containers
            .into_iter()
            .filter_map(|container| container.id)
            .collect())
    }

    /// One container, by name or ID.
    pub(crate) async fn inspect(&self, container: &str) -> Result<InspectedContainer> {
        let answer = self
            .api
            .inspect_container(container, None)
            .await
            .map_err(|error| EngineError::new(format!("inspecting {container}"), error))?;
        Ok(inspected(answer))
    }

    /// Creates a container; the answer is its ID.
    pub(crate) async fn create(&self, spec: &ContainerSpec) -> Result<String> {
        let options = CreateContainerOptionsBuilder::new()
            .name(&spec.name)
            .build();
        self.api
            .create_container(Some(options), body(spec))
            .await
            .map(|created| created.id)
            .map_err(|error| EngineError::new(format!("creating {}", spec.name), error))
    }

    pub(crate) async fn start(&self, container: &str) -> Result<()> {
        self.api
            .start_container(container, None)
            .await
            .map_err(|error| EngineError::new(format!("starting {container}"), error))
    }

    /// Asks a container to end and kills it after `grace`. A container that is gone is stopped.
    pub(crate) async fn stop(&self, container: &str, grace: Duration) -> Result<()> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        // The client's own time-out must outlast the grace period.
        let api = self.api.clone().with_timeout(self.api.timeout() + grace);
        match api.stop_container(container, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = EngineError::new(format!("stopping {container}"), error);
                let stopped = matches!(error, EngineError::Api { status: 304, .. });
                if stopped || error.is_not_found() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Removes a container, killing it when it runs. Its anonymous volumes go with it.
    pub(crate) async fn remove(&self, container: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        match self.api.remove_container(container, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = EngineError::new(format!("removing {container}"), error);
                // 409: someone else is removing it already.
                let going = matches!(&error, EngineError::Api { status: 409, message, .. } if message.contains("already in progress"));
                if going || error.is_not_found() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }
}

pub(super) fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let ports: Vec<String> = spec
        .ports
        .iter()
        .map(|port| format!("{}/{}", port.container, port.protocol))
        .collect();
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in &spec.ports {
        let key = format!("{}/{}", port.container, port.protocol);
        bindings
            .entry(key)
            .or_default()
            .get_or_insert_default()
            .push(PortBinding {
                host_ip: Some(port.host_ip.clone()),
                host_port: Some(if port.host == 0 {
                    String::new()
                } else {
                    port.host.to_string()
                }),
            });
    }
    ContainerCreateBody {
        hostname: Some(spec.name.clone()),
        user: spec.user.clone(),
        image: Some(spec.image.clone()),
        env: Some(
            spec.environment
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
        ),
        entrypoint: spec.entrypoint.clone(),
        cmd: spec.command.clone(),
        labels: Some(spec.labels.clone().into_iter().collect()),
        exposed_ports: Some(ports),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: Some(spec.stop_timeout_s),
        healthcheck: spec.healthcheck.as_ref().map(|check| HealthConfig {
            test: Some(check.test.clone()),
            interval: Some(nanos(check.interval)),
            timeout: Some(nanos(check.timeout)),
            retries: Some(check.retries.into()),
            start_period: Some(nanos(check.start_period)),
            start_interval: None,
        }),
        host_config: Some(HostConfig {
            network_mode: Some(spec.network.clone()),
            port_bindings: Some(bindings),
            mounts: Some(spec.mounts.iter().map(mount).collect()),
            tmpfs: Some(
                spec.tmpfs
                    .iter()
                    .map(|entry| match entry.split_once(':') {
                        Some((path, options)) => (path.to_owned(), options.to_owned()),
                        None => (entry.clone(), String::new()),
                    })
                    .collect(),
            ),
            restart_policy: Some(RestartPolicy {
                name: Some(match spec.restart.as_str() {
                    "always" => RestartPolicyNameEnum::ALWAYS,
                    "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
                    "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
                    _ => RestartPolicyNameEnum::NO,
                }),
                maximum_retry_count: None,
            }),
            readonly_rootfs: Some(spec.read_only),
            cap_add: Some(spec.cap_add.clone()),
            cap_drop: Some(spec.cap_drop.clone()),
            security_opt: spec
                .no_new_privileges
                .then(|| vec!["no-new-privileges:true".to_owned()]),
            memory: spec.memory,
            nano_cpus: spec.nano_cpus,
            pids_limit: spec.pids,
            ..Default::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                spec.network.clone(),
                EndpointSettings {
                    aliases: Some(spec.aliases.clone()),
                    ..Default::default()
                },
            )])),
        }),
        ..Default::default()
    }
}

fn mount(mount: &MountSpec) -> Mount {
    let (typ, source) = match &mount.source {
        MountSpecSource::Volume(name) => (MountType::VOLUME, name.clone()),
        MountSpecSource::Bind(path) => (MountType::BIND, path.clone()),
    };
    Mount {
        typ: Some(typ),
        source: Some(source),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        ..Default::default()
    }
}

fn inspected(answer: ContainerInspectResponse) -> InspectedContainer {
    let state = answer.state.unwrap_or_default();
    let config = answer.config.unwrap_or_default();
    let host = answer.host_config.unwrap_or_default();
    let network = answer.network_settings.unwrap_or_default();
    let networks = network.networks.unwrap_or_default();
    let address = networks.values().find_map(|endpoint| {
        endpoint
            .ip_address
            .as_deref()
            .and_then(|address| address.parse().ok())
    });
    // What is bound now; before a start, what was asked for.
    let bindings = network
        .ports
        .filter(|ports| ports.values().any(Option::is_some));
    let mut ports: Vec<PublishedPort> = bindings
        .or(host.port_bindings)
        .unwrap_or_default()
        .into_iter()
        .flat_map(|(container, bindings)| {
            bindings
                .unwrap_or_default()
                .into_iter()
                .filter_map(move |binding| {
                    let (port, protocol) = container.split_once('/')?;
                    Some(PublishedPort {
                        host_ip: binding.host_ip.unwrap_or_default(),
                        host: binding.host_port?.parse().ok()?,
                        container: port.parse().ok()?,
                        protocol: protocol.to_owned(),
                    })
                })
        })
        .collect();
    ports.sort_by_key(|port| (port.container, port.host));
    let life = match state.status.map(|status| status.to_string()).as_deref() {
        Some("running") => ContainerState::Running,
        Some("restarting") => ContainerState::Restarting,
        Some("paused") => ContainerState::Paused,
        Some("exited") => ContainerState::Exited,
        Some("removing") => ContainerState::Removing,
        Some("dead") => ContainerState::Dead,
        _ => ContainerState::Created,
    };
    InspectedContainer {
        id: answer.id.unwrap_or_default(),
        name: answer
            .name
            .unwrap_or_default()
            .trim_start_matches('/')
            .to_owned(),
        image_id: answer.image.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        state: life,
        // While it waits to be restarted, that of its last life.
        exit_code: matches!(
            life,
            ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting
        )
        .then_some(state.exit_code)
        .flatten(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        restart_count: answer.restart_count.unwrap_or_default(),
        created: answer.created,
        started: time(state.started_at),
        finished: time(state.finished_at),
        address,
        ports,
        user: config.user.unwrap_or_default(),
    }
}

fn time(text: Option<String>) -> Option<DateTime<Utc>> {
    text.and_then(|text| DateTime::parse_from_rfc3339(&text).ok())
        .map(|time| time.to_utc())
        // The engine writes year 1 for "never".
        .filter(|time| time.timestamp() > 0)
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
