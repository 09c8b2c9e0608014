//! The engine, looked at and tampered with behind the program's back.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    Docker,
    container::LogOutput,
    exec::StartExecResults,
    models::{
        ContainerConfig, ContainerCreateBody, ContainerInspectResponse, EndpointSettings,
        ExecConfig, NetworkingConfig,
    },
    query_parameters::{
        CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptionsBuilder,
        ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
        ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
        StopContainerOptionsBuilder,
    },
};
use futures::StreamExt as _;

const PROJECT: &str = "dev.sysndd.project";
const RUN: &str = "dev.sysndd.run";

/// A client of the engine.
#[derive(Clone)]
pub(crate) struct Engine(Docker);

impl Engine {
    pub(super) fn connect() -> Self {
        Self(Docker::connect_with_local_defaults().expect("the engine's address is right"))
    }

    pub(super) fn of(client: Docker) -> Self {
        Self(client)
    }

    pub(super) fn api(&self) -> &Docker {
        &self.0
    }

    /// The newest image whose name is this, by its full name.
    pub(super) async fn newest_tag(&self, name: &str) -> String {
        let filters = HashMap::from([("reference".to_owned(), vec![name.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let images = self.0.list_images(Some(options)).await.expect("images");
        let newest = images.into_iter().max_by_key(|image| image.created);
        let tags = newest.map(|image| image.repo_tags).unwrap_or_default();
        tags.into_iter()
            .next()
            .unwrap_or_else(|| panic!("there is no image {name}"))
    }

    /// A name of an image: saved by its ID it would have none.
    pub(super) async fn tag_of(&self, image: &str) -> String {
        let found = self.0.inspect_image(image).await.expect("the image");
        let tags = found.repo_tags.unwrap_or_default();
        tags.into_iter()
            .next()
            .unwrap_or_else(|| panic!("{image} has no name"))
    }

    /// Kind and name of all that bears the label of a project whose name begins so.
    pub(crate) async fn resources(&self, project: &str) -> Vec<String> {
        let filters = HashMap::from([("label", vec![PROJECT])]);
        let ours = |labels: Option<HashMap<String, String>>| {
            labels.is_some_and(|labels| {
                labels
                    .get(PROJECT)
                    .is_some_and(|of| of.starts_with(project))
            })
        };
        let mut found = Vec::new();
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        for container in self
            .0
            .list_containers(Some(options))
            .await
            .expect("containers")
        {
            if ours(container.labels) {
                found.push(format!("container {:?}", container.names));
            }
        }
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        for network in self.0.list_networks(Some(options)).await.expect("networks") {
            if ours(network.labels) {
                found.push(format!("network {:?}", network.name));
            }
        }
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let volumes = self
            .0
            .list_volumes(Some(options))
            .await
            .expect("volumes")
            .volumes;
        for volume in volumes.unwrap_or_default() {
            if ours(Some(volume.labels)) {
                found.push(format!("volume {}", volume.name));
            }
        }
        found.sort();
        found
    }

    /// Names of a project's containers, and the state of each.
    pub(crate) async fn containers(&self, project: &str) -> BTreeMap<String, String> {
        let filters = HashMap::from([("label", vec![format!("{PROJECT}={project}")])]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let containers = self
            .0
            .list_containers(Some(options))
            .await
            .expect("containers");
        let named = containers.into_iter().filter_map(|container| {
            let name = container.names?.first()?.trim_start_matches('/').to_owned();
            Some((name, container.state?.to_string()))
        });
        named.collect()
    }

    /// Identity and time of start of a project's containers: equal means untouched.
    pub(crate) async fn lives(&self, project: &str) -> BTreeMap<String, (String, String)> {
        let mut lives = BTreeMap::new();
        for name in self.containers(project).await.into_keys() {
            let found = self.inspect(&name).await;
            let started = found
                .state
                .and_then(|state| state.started_at)
                .unwrap_or_default();
            lives.insert(name, (found.id.unwrap_or_default(), started));
        }
        lives
    }

    pub(crate) async fn inspect(&self, container: &str) -> ContainerInspectResponse {
        self.0
            .inspect_container(container, None)
            .await
            .expect("the container is there")
    }

    /// Runs a command as the container's own user; the answer is its exit code and output.
    pub(crate) async fn exec(&self, container: &str, command: &[&str]) -> (i64, String) {
        let config = ExecConfig {
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = self
            .0
            .create_exec(container, config)
            .await
            .expect("an exec")
            .id;
        let mut text = String::new();
        let started = self
            .0
            .start_exec(&exec, None)
            .await
            .expect("the exec starts");
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(chunk) = output.next().await {
                if let LogOutput::StdOut { message } | LogOutput::StdErr { message } =
                    chunk.expect("output")
                {
                    text.push_str(&String::from_utf8_lossy(&message));
                }
            }
        }
        let code = self
            .0
            .inspect_exec(&exec)
            .await
            .expect("the exec ended")
            .exit_code;
        (code.unwrap_or(-1), text)
    }

    pub(crate) async fn start(&self, container: &str) {
        self.0
            .start_container(container, None)
            .await
            .expect("it starts");
    }

    pub(crate) async fn stop(&self, container: &str) {
        let options = StopContainerOptionsBuilder::new().t(10).build();
        self.0
            .stop_container(container, Some(options))
            .await
            .expect("it stops");
    }

    pub(crate) async fn pause(&self, container: &str) {
        self.0.pause_container(container).await.expect("it pauses");
    }

    pub(crate) async fn unpause(&self, container: &str) {
        self.0
            .unpause_container(container)
            .await
            .expect("it goes on");
    }

    pub(crate) async fn signal(&self, container: &str, signal: &str) {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        self.0
            .kill_container(container, Some(options))
            .await
            .expect("it can be signalled");
    }

    pub(crate) async fn remove(&self, container: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        self.0
            .remove_container(container, Some(options))
            .await
            .expect("it is removed");
    }

    /// Replaces a container by one with the same name and configuration but for `change`.
    pub(crate) async fn recreate(
        &self,
        container: &str,
        change: impl FnOnce(&mut ContainerCreateBody),
    ) {
        let old = self.inspect(container).await;
        let networks = old
            .network_settings
            .and_then(|settings| settings.networks)
            .unwrap_or_default();
        let config = serde_json::to_value(old.config.expect("its configuration")).expect("JSON");
        let mut body: ContainerCreateBody =
            serde_json::from_value(config).expect("the same fields");
        body.host_config = old.host_config;
        let endpoints = networks.into_iter().map(|(network, endpoint)| {
            let kept = EndpointSettings {
                aliases: endpoint.aliases,
                ..Default::default()
            };
            (network, kept)
        });
        body.networking_config = Some(NetworkingConfig {
            endpoints_config: Some(endpoints.collect()),
        });
        // Not started together with the others: as a later run of `up` would have made it.
        body.labels
            .get_or_insert_default()
            .insert(RUN.to_owned(), "by-hand".to_owned());
        change(&mut body);
        self.remove(container).await;
        self.create(container, body).await;
        self.start(container).await;
    }

    pub(crate) async fn create(&self, name: &str, body: ContainerCreateBody) {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        self.0
            .create_container(Some(options), body)
            .await
            .expect("it is created");
    }

    pub(crate) async fn wait(&self, container: &str) {
        let ended: Vec<_> = self.0.wait_container(container, None).collect().await;
        assert!(
            ended.iter().all(Result::is_ok),
            "{container} ended badly: {ended:?}"
        );
    }

    /// Bytes of the largest image with this label.
    pub(crate) async fn size_of(&self, label: &str) -> u64 {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let images = self.0.list_images(Some(options)).await.expect("images");
        let largest = images.iter().map(|image| image.size).max();
        largest
            .and_then(|size| size.try_into().ok())
            .unwrap_or_else(|| panic!("no image has the label {label}"))
    }

    pub(crate) async fn has_image(&self, id: &str) -> bool {
        self.0.inspect_image(id).await.is_ok()
    }

    /// Removes the images that bear this project's name.
    pub(crate) async fn remove_images(&self, project: &str) {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{PROJECT}={project}")])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        for image in self.0.list_images(Some(options)).await.expect("images") {
            let options = RemoveImageOptionsBuilder::new().force(true).build();
            // One that is the parent of another goes with it.
            let _ = self.0.remove_image(&image.id, Some(options), None).await;
        }
    }

    /// Makes an image of a container as it is; the answer is its ID.
    pub(crate) async fn commit(&self, container: &str, change: &str) -> Image {
        let options = CommitContainerOptionsBuilder::new()
            .container(container)
            .pause(false)
            .changes(change)
            .build();
        let made = self
            .0
            .commit_container(options, ContainerConfig::default())
            .await;
        Image {
            id: made.expect("an image").id,
            engine: self.clone(),
        }
    }
}

/// An image that a test made.
pub(crate) struct Image {
    pub(crate) id: String,
    engine: Engine,
}

impl Image {
    /// To be called when no container is made from it any more.
    pub(crate) async fn remove(self) {
        self.engine.remove_image(&self.id).await;
    }
}

impl Engine {
    /// As somebody does who needs the room.
    pub(crate) async fn remove_image(&self, id: &str) {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        let removed = self.0.remove_image(id, Some(options), None).await;
        removed.expect("the image is removed");
    }
}
