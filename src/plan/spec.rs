//! From a service of `sysndd.toml` to the container that runs it.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use sysndd_protocol::{ReleaseId, ReplicaName};

use super::action::JobStage;
use crate::{
    config::{
        Job, MountSource, Protocol, Restart, Service, ServiceName, Stack, TLS_VOLUMES, VolumeName,
    },
    docker::{ContainerSpec, HealthcheckSpec, MountSpec, MountSpecSource, PublishedPort, labels},
    observe::Replica,
};

/// The project's one network.
pub(crate) fn network_name(stack: &Stack) -> String {
    format!("{}-net", stack.project)
}

/// The engine's name of a volume.
pub(crate) fn volume_name(stack: &Stack, volume: &VolumeName) -> String {
    format!("{}-{volume}", stack.project)
}

/// The engine's name of the volume with a service's certificates.
pub(crate) fn tls_volume_name(stack: &Stack, service: &ServiceName) -> String {
    format!("{}-{TLS_VOLUMES}{service}", stack.project)
}

/// Repository of a service's own image.
pub(crate) fn image_name(stack: &Stack, service: &ServiceName) -> String {
    format!("{}-{service}", stack.image_prefix)
}

/// A service with its image: containers of any release and number can be made from it.
#[derive(Debug, Clone)]
pub(crate) struct ContainerTemplate<'a> {
    stack: &'a Stack,
    service: &'a Service,
    image: &'a str,
    hash: String,
}

impl<'a> ContainerTemplate<'a> {
    pub(crate) fn new(stack: &'a Stack, service: &'a Service, image: &'a str) -> Self {
        let mut template = Self {
            stack,
            service,
            image,
            hash: String::new(),
        };
        template.hash = template.hash_of_content();
        template
    }

    /// Image ID.
    pub(crate) fn image(&self) -> &str {
        self.image
    }

    /// Hash of all that a container would be created with, but for its release and number.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether a container is as it would be created from this.
    pub(crate) fn is_of(&self, replica: &Replica) -> bool {
        replica.config_hash == self.hash && replica.image == self.image
    }

    /// The container `number` of `release`, created by `run`.
    pub(crate) fn instantiate(&self, release: &ReleaseId, run: &str, number: u32) -> ContainerSpec {
        let name = ReplicaName::new(format!(
            "{}-{}-{release}-{number}",
            self.stack.project, self.service.name
        ));
        let mut spec = self.replica(&|text| text.resolve(release, &name));
        spec.labels.extend([
            (labels::PROJECT.to_owned(), self.stack.project.to_string()),
            (labels::SERVICE.to_owned(), self.service.name.to_string()),
            (labels::REPLICA.to_owned(), number.to_string()),
            (labels::RELEASE.to_owned(), release.to_string()),
            (labels::RUN.to_owned(), run.to_owned()),
            (labels::CONFIG_HASH.to_owned(), self.hash.clone()),
        ]);
        spec.name = name.to_string();
        spec
    }

    /// A container that takes part in nothing: no other finds it, it publishes nothing, and it ends
    /// with its command.
    fn one_off(&self, release: &ReleaseId, name: &ReplicaName) -> ContainerSpec {
        let mut spec = self.spec(&|text| text.resolve(release, name));
        spec.labels.extend([
            (labels::PROJECT.to_owned(), self.stack.project.to_string()),
            (labels::HELPER.to_owned(), labels::HELPER_RUN.to_owned()),
            (labels::RELEASE.to_owned(), release.to_string()),
        ]);
        spec.name = name.to_string();
        spec.ports = Vec::new();
        spec.aliases = Vec::new();
        spec.healthcheck = None;
        "no".clone_into(&mut spec.restart);
        spec
    }

    fn hash_of_content(&self) -> String {
        let spec = self.replica(&crate::config::Text::expose);
        let json = serde_json::to_vec(&spec)
            .unwrap_or_else(|error| unreachable!("a container spec has string keys only: {error}"));
        hex(&Sha256::digest(&json)[..16])
    }

    /// A replica runs the service's own command, which is told where its certificates are.
    fn replica(&self, text: &dyn Fn(&crate::config::Text) -> String) -> ContainerSpec {
        let mut spec = self.spec(text);
        if let Some(tls) = &self.service.tls
            && !tls.arguments.is_empty()
        {
            let command = spec.command.get_or_insert_default();
            command.extend(tls.arguments.iter().cloned());
        }
        spec
    }

    fn spec(&self, text: &dyn Fn(&crate::config::Text) -> String) -> ContainerSpec {
        let service = self.service;
        let texts = |map: &BTreeMap<String, crate::config::Text>| {
            map.iter()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect::<BTreeMap<String, String>>()
        };
        let mut environment = texts(&service.environment);
        let mut mounts: Vec<MountSpec> = service
            .volumes
            .iter()
            .map(|mount| MountSpec {
                source: match &mount.source {
                    MountSource::Volume(name) => {
                        MountSpecSource::Volume(volume_name(self.stack, name))
                    }
                    MountSource::Bind(path) => MountSpecSource::Bind(path.display().to_string()),
                },
                target: mount.target.clone(),
                read_only: mount.read_only,
            })
            .collect();
        if let Some(tls) = &service.tls {
            environment.extend(texts(&tls.environment));
            mounts.push(MountSpec {
                source: MountSpecSource::Volume(tls_volume_name(self.stack, &service.name)),
                target: tls.dir.clone(),
                read_only: true,
            });
        }
        ContainerSpec {
            name: String::new(),
            image: self.image.to_owned(),
            labels: texts(&service.labels),
            environment,
            entrypoint: service.entrypoint.clone(),
            command: service.command.clone(),
            user: service.user.clone(),
            mounts,
            tmpfs: service.tmpfs.clone(),
            ports: service
                .ports
                .iter()
                .map(|port| PublishedPort {
                    host_ip: port.host_ip.clone().unwrap_or_default(),
                    host: port.host,
                    container: port.container,
                    protocol: match port.protocol {
                        Protocol::Tcp => "tcp".into(),
                        Protocol::Udp => "udp".into(),
                    },
                })
                .collect(),
            network: network_name(self.stack),
            aliases: vec![service.name.to_string()],
            healthcheck: service
                .healthcheck
                .engine
                .as_ref()
                .map(|check| HealthcheckSpec {
                    test: check.test.clone(),
                    interval: check.interval,
                    timeout: check.timeout,
                    retries: check.retries,
                    start_period: check.start_period,
                }),
            restart: match service.restart {
                Restart::No => "no",
                Restart::Always => "always",
                Restart::OnFailure => "on-failure",
                Restart::UnlessStopped => "unless-stopped",
            }
            .to_owned(),
            stop_signal: service.stop_signal.clone(),
            stop_timeout_s: i64::try_from(service.stop_grace_period.as_secs()).unwrap_or(i64::MAX),
            read_only: service.read_only,
            cap_add: service.cap_add.clone(),
            cap_drop: service.cap_drop.clone(),
            no_new_privileges: service.no_new_privileges,
            memory: service
                .resources
                .memory
                .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            nano_cpus: service.resources.cpus.map(nano_cpus),
            pids: service.resources.pids.map(i64::from),
        }
    }
}

/// A container like those of `service`, for one command.
pub(crate) fn one_off(
    stack: &Stack,
    service: &Service,
    image: &str,
    release: &ReleaseId,
    name: &ReplicaName,
) -> ContainerSpec {
    ContainerTemplate::new(stack, service, image).one_off(release, name)
}

/// The container of a job. `argument` is added to its command; `run` is the run that makes it.
pub(super) fn job(
    stack: &Stack,
    job: &Job,
    image: &str,
    release: &ReleaseId,
    stage: JobStage,
    argument: Option<&str>,
    run: &str,
) -> ContainerSpec {
    let mut like = job.like(&stack.services[&job.service]);
    if let Some(argument) = argument {
        like.command
            .get_or_insert_default()
            .push(argument.to_owned());
    }
    let name = format!("{}-{}-{release}-{}", stack.project, job.name, stage.word());
    let mut spec = one_off(stack, &like, image, release, &ReplicaName::new(name));
    spec.labels.extend([
        (labels::HELPER.to_owned(), labels::HELPER_JOB.to_owned()),
        (labels::RUN.to_owned(), run.to_owned()),
    ]);
    spec
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Cores → billionths of a core, the engine's unit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "validated to be between 0.01 and 1024 cores"
)]
fn nano_cpus(cores: f64) -> i64 {
    (cores * 1e9).round() as i64
}
