//! Short-lived containers of our own: they are part of no service, bear our labels, have no network
//! and may do nothing.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    models::{ContainerCreateBody, HostConfig, Mount, MountType, SystemInfo},
    query_parameters::{
        CreateContainerOptionsBuilder, ListContainersOptionsBuilder, WaitContainerOptionsBuilder,
    },
};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;

use super::{Engine, EngineError, Result};

/// What a helper is created from.
#[derive(Debug, Clone)]
pub(crate) struct HelperSpec<'a> {
    pub(crate) name: &'a str,
    pub(crate) image: &'a str,
    pub(crate) labels: BTreeMap<&'a str, String>,
    pub(crate) command: &'a [&'a str],
    /// The engine's name of a volume, and where it is mounted.
    pub(crate) volume: Option<(&'a str, &'a str)>,
    /// Whether it reads from the one client that is attached to it, and only as long as that is.
    pub(crate) stdin: bool,
    /// Whether the engine removes it when it ends; it never removes one that was not started.
    pub(crate) auto_remove: bool,
}

/// A container as a list shows it.
#[derive(Debug, Clone)]
pub(crate) struct ListedContainer {
    pub(crate) id: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// Image ID.
    pub(crate) image: String,
    /// By the engine's clock, in whole seconds.
    pub(crate) created: i64,
}

impl Engine {
    /// Creates a helper; the answer is its ID.
    pub(crate) async fn create_helper(&self, spec: &HelperSpec<'_>) -> Result<String> {
        let options = CreateContainerOptionsBuilder::new().name(spec.name).build();
        let mount = spec.volume.map(|(volume, target)| Mount {
            typ: Some(MountType::VOLUME),
            source: Some(volume.to_owned()),
            target: Some(target.to_owned()),
            ..Default::default()
        });
        let body = ContainerCreateBody {
            image: Some(spec.image.to_owned()),
            user: Some("0:0".to_owned()),
            // How the engine's API says: none, not even the image's own.
            entrypoint: Some(vec![String::new()]),
            cmd: Some(spec.command.iter().map(|&word| word.to_owned()).collect()),
            labels: Some(
                spec.labels
                    .iter()
                    .map(|(&key, value)| (key.to_owned(), value.clone()))
                    .collect(),
            ),
            attach_stdin: Some(spec.stdin),
            attach_stdout: Some(spec.stdin),
            attach_stderr: Some(spec.stdin),
            open_stdin: Some(spec.stdin),
            stdin_once: Some(spec.stdin),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                auto_remove: Some(spec.auto_remove),
                mounts: mount.map(|mount| vec![mount]),
                cap_drop: Some(vec!["ALL".to_owned()]),
                security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.api
            .create_container(Some(options), body)
            .await
            .map(|created| created.id)
            .map_err(|error| EngineError::new(format!("creating {}", spec.name), error))
    }

    /// Containers that bear all of these labels (`key=value`), running or not.
    pub(crate) async fn containers_with(&self, labels: &[String]) -> Result<Vec<ListedContainer>> {
        let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let containers = self
            .api
            .list_containers(Some(options))
            .await
            .map_err(|error| EngineError::new("listing containers", error))?;
        let listed = containers.into_iter().filter_map(|container| {
            Some(ListedContainer {
                id: container.id?,
                labels: container.labels.unwrap_or_default().into_iter().collect(),
                image: container.image_id.unwrap_or_default(),
                created: container.created.unwrap_or_default(),
            })
        });
        Ok(listed.collect())
    }

    /// Waits for the end of a container; the answer is its exit code.
    pub(crate) async fn wait(&self, container: &str) -> Result<i64> {
        let options = WaitContainerOptionsBuilder::new().build();
        let ended: std::result::Result<Vec<_>, _> = self
            .api
            .wait_container(container, Some(options))
            .try_collect()
            .await;
        match ended {
            Ok(ends) => Ok(ends.first().map_or(0, |end| end.status_code)),
            // How the client library tells an exit code other than 0.
            Err(bollard::errors::Error::DockerContainerWaitError { code, .. }) => Ok(code),
            Err(error) => Err(EngineError::new(format!("waiting for {container}"), error)),
        }
    }

    /// What it tells of itself and its machine.
    async fn told(&self, why: &str) -> Result<SystemInfo> {
        let told = self.api.info().await;
        told.map_err(|error| EngineError::new(why, error))
    }

    /// Where it keeps images, containers and volumes, on its own machine.
    pub(crate) async fn data_root(&self) -> Result<Option<String>> {
        let told = self.told("asking where its data are").await?;
        Ok(told.docker_root_dir)
    }

    /// The time by the engine's clock; by ours when it does not say.
    pub(crate) async fn time(&self) -> Result<DateTime<Utc>> {
        let told = self.told("asking for the time").await?;
        let time = told
            .system_time
            .as_deref()
            .map(DateTime::parse_from_rfc3339);
        Ok(match time {
            Some(Ok(time)) => time.to_utc(),
            _ => Utc::now(),
        })
    }
}
