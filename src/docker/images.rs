//! Images: look at, pull, import, build, tag, remove.
//!
//! Callers get types of this module only; nothing of bollard leaves it. It decides nothing: which
//! image to build or pull is the business of `crate::images`.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bollard::{
    body_try_stream,
    errors::Error,
    models::{BuildInfoAux, CreateImageInfo, ImageInspect, ImageSummary},
    query_parameters::{
        BuildImageOptionsBuilder, BuilderVersion, CreateImageOptionsBuilder,
        ListImagesOptionsBuilder, TagImageOptionsBuilder,
    },
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use serde::{Deserialize, Serialize};
use tokio_util::bytes::Bytes;

use super::{Engine, EngineError};

/// Builds, pulls and imports end when they end; this only bounds an engine that died in between.
const LONG: Duration = Duration::from_hours(1);

/// A tar archive on its way to the engine.
pub(crate) type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// The engine's name of an image's content: `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ImageId(String);

impl ImageId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, as people read it.
    pub(crate) fn short(&self) -> &str {
        let digits = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
        digits.get(..12).unwrap_or(digits)
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) id: ImageId,
    /// `repository:tag`.
    pub(crate) tags: Vec<String>,
    /// `repository@sha256:…`; empty when it never came from or went to a registry.
    pub(crate) digests: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// Bytes, shared layers included.
    pub(crate) size: u64,
    /// Seconds since the Unix epoch.
    pub(crate) created: i64,
}

/// What to build; the context comes beside it as a tar archive.
#[derive(Debug, Clone, Default)]
pub(crate) struct BuildRequest {
    /// Path inside the context.
    pub(crate) dockerfile: String,
    pub(crate) target: Option<String>,
    pub(crate) args: BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
    /// Run every step again.
    pub(crate) no_cache: bool,
}

/// One message of BuildKit about a running build.
#[derive(Debug, Clone, Default)]
pub(crate) struct BuildStatus {
    pub(crate) vertices: Vec<Vertex>,
    pub(crate) logs: Vec<VertexLog>,
}

/// The state of one step. Times are since the Unix epoch, by the engine's clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vertex {
    pub(crate) digest: String,
    pub(crate) name: String,
    pub(crate) cached: bool,
    pub(crate) started: Option<Duration>,
    pub(crate) completed: Option<Duration>,
    /// Empty unless it failed.
    pub(crate) error: String,
}

/// A piece of a step's output; not cut at line ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct VertexLog {
    pub(crate) vertex: String,
    pub(crate) bytes: Vec<u8>,
}

/// Why a build gave no image.
#[derive(Debug)]
pub(crate) enum BuildFault {
    /// BuildKit gave up, in its own words.
    Refused(String),
    Engine(EngineError),
}

impl Engine {
    /// The image of this reference or ID, if the engine has it.
    pub(crate) async fn find_image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        match self.api.inspect_image(reference).await {
            Ok(image) => Ok(Some(image.into())),
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(EngineError::new(
                format!("looking for the image `{reference}`"),
                error,
            )),
        }
    }

    /// What whoever has the image can read in it without starting it: where it stands, and the text.
    pub(crate) async fn image_words(
        &self,
        image: &str,
    ) -> Result<Vec<(&'static str, String)>, EngineError> {
        let failed = |error| EngineError::new(format!("inspecting the image {image}"), error);
        let inspected = self.api.inspect_image(image).await.map_err(failed)?;
        let history = self.api.image_history(image).await.map_err(failed)?;
        let config = inspected.config.unwrap_or_default();
        let labels = config.labels.unwrap_or_default().into_iter();
        let command = config.cmd.into_iter().chain(config.entrypoint).flatten();
        let mut words: Vec<_> = labels
            .map(|(key, value)| ("a label", format!("{key}={value}")))
            .collect();
        let environment = config.env.unwrap_or_default();
        words.extend(
            environment
                .into_iter()
                .map(|text| ("the environment", text)),
        );
        words.extend(command.map(|text| ("the command", text)));
        words.extend(
            history
                .into_iter()
                .map(|step| ("the history", step.created_by)),
        );
        Ok(words)
    }

    /// Images that carry all of these labels, as `name` or `name=value`.
    pub(crate) async fn list_images(&self, labels: &[String]) -> Result<Vec<Image>, EngineError> {
        let filters = [("label".to_owned(), labels.to_vec())].into();
        let options = ListImagesOptionsBuilder::default()
            .filters(&filters)
            .build();
        let images = self
            .api
            .list_images(Some(options))
            .await
            .map_err(|error| EngineError::new("listing images", error))?;
        Ok(images.into_iter().map(Image::from).collect())
    }

    /// Asks the registry of `reference` whether it has the image, without fetching it.
    pub(crate) async fn ask_registry(&self, reference: &str) -> Result<(), EngineError> {
        match self.api.inspect_registry_image(reference, None).await {
            Ok(_) => Ok(()),
            Err(error) => Err(EngineError::new(
                format!("asking the registry for `{reference}`"),
                error,
            )),
        }
    }

    /// Pulls `reference`; `progress` is told each line of the engine's report.
    pub(crate) async fn pull_image(
        &self,
        reference: &str,
        mut progress: impl FnMut(String),
    ) -> Result<Image, EngineError> {
        let failed = |error| EngineError::new(format!("pulling `{reference}`"), error);
        // Without a tag the engine would fetch every tag of the repository.
        let tag = if has_tag(reference) { "" } else { "latest" };
        let options = CreateImageOptionsBuilder::default()
            .from_image(reference)
            .tag(tag)
            .build();
        let api = self.api.clone().with_timeout(LONG);
        let mut lines = api.create_image(Some(options), None, None);
        while let Some(CreateImageInfo { id, status, .. }) =
            lines.try_next().await.map_err(failed)?
        {
            let status = status.unwrap_or_default();
            progress(id.map_or(status.clone(), |id| format!("{id}: {status}")));
        }
        let image = self.api.inspect_image(reference).await.map_err(failed)?;
        Ok(image.into())
    }

    /// Makes an image of one layer from a root file system. `changes` are Dockerfile instructions.
    /// Nothing is left behind when the stream ends in an error.
    pub(crate) async fn import_image(
        &self,
        root: ByteStream,
        repository: &str,
        tag: &str,
        changes: Vec<String>,
    ) -> Result<Image, EngineError> {
        let reference = format!("{repository}:{tag}");
        let (body, source) = watched(root);
        let failed = |error| source.blame(format!("importing `{reference}`"), error);
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .changes(changes)
            .build();
        let api = self.api.clone().with_timeout(LONG);
        let mut lines = api.create_image(Some(options), Some(body_try_stream(body)), None);
        while lines.try_next().await.map_err(failed)?.is_some() {}
        let image = self.api.inspect_image(&reference).await.map_err(failed)?;
        Ok(image.into())
    }

    /// Builds with BuildKit and returns the image, which has no tag yet. `status` is told
    /// everything that BuildKit says meanwhile.
    pub(crate) async fn build_image(
        &self,
        request: BuildRequest,
        context: ByteStream,
        mut status: impl FnMut(BuildStatus),
    ) -> Result<ImageId, BuildFault> {
        let doing = || format!("building {}", request.dockerfile);
        let (body, source) = watched(context);
        let mut options = BuildImageOptionsBuilder::default()
            .dockerfile(&request.dockerfile)
            .buildargs(&request.args.clone().into_iter().collect())
            .labels(&request.labels.clone().into_iter().collect())
            .nocache(request.no_cache)
            .version(BuilderVersion::BuilderBuildKit)
            .session(&session_id());
        if let Some(target) = &request.target {
            options = options.target(target);
        }
        let api = self.api.clone().with_timeout(LONG);
        let mut messages = api.build_image(options.build(), None, Some(body_try_stream(body)));
        let mut id = None;
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| match error {
                Error::DockerStreamError { error: said }
                | Error::DockerResponseServerError { message: said, .. }
                    if !source.failed() =>
                {
                    BuildFault::Refused(said)
                }
                error => BuildFault::Engine(source.blame(doing(), error)),
            })?;
            match message.aux {
                Some(BuildInfoAux::BuildKit(response)) => status(response.into()),
                Some(BuildInfoAux::Default(image)) => id = image.id.or(id),
                None => {}
            }
        }
        id.map(ImageId).ok_or_else(|| {
            let cause = "the engine ended the build without naming the image".to_owned();
            BuildFault::Engine(EngineError::Other {
                doing: doing(),
                cause,
            })
        })
    }

    /// Gives an image one more name.
    pub(crate) async fn tag_image(
        &self,
        image: &ImageId,
        repository: &str,
        tag: &str,
    ) -> Result<(), EngineError> {
        let options = TagImageOptionsBuilder::default()
            .repo(repository)
            .tag(tag)
            .build();
        self.api
            .tag_image(image.as_str(), Some(options))
            .await
            .map_err(|error| {
                EngineError::new(
                    format!("tagging {} as `{repository}:{tag}`", image.short()),
                    error,
                )
            })
    }

    /// Removes a name of an image, and the image with its last name; an image that is not there
    /// is fine. Containers that use it make this an error.
    pub(crate) async fn remove_image(&self, reference: &str) -> Result<(), EngineError> {
        let options = bollard::query_parameters::RemoveImageOptionsBuilder::default().build();
        match self.api.remove_image(reference, Some(options), None).await {
            Ok(_)
            | Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(()),
            Err(error) => Err(EngineError::new(
                format!("removing the image `{reference}`"),
                error,
            )),
        }
    }
}

/// What went wrong with the bytes that we send. The engine's client only says that sending failed.
#[derive(Clone, Default)]
struct SourceFault(Arc<OnceLock<String>>);

impl SourceFault {
    fn failed(&self) -> bool {
        self.0.get().is_some()
    }

    /// The fault of our own bytes if there was one, else what the client says.
    fn blame(&self, doing: String, error: Error) -> EngineError {
        match self.0.get() {
            Some(cause) => EngineError::Other {
                doing,
                cause: cause.clone(),
            },
            None => EngineError::new(doing, error),
        }
    }
}

fn watched(stream: ByteStream) -> (ByteStream, SourceFault) {
    let fault = SourceFault::default();
    let watch = fault.clone();
    let stream = stream.inspect_err(move |error| {
        watch.0.get_or_init(|| error.to_string());
    });
    (stream.boxed(), fault)
}

/// Sessions of builds that run at the same time must differ; nothing else depends on it.
fn session_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn has_tag(reference: &str) -> bool {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    name.contains([':', '@'])
}

impl From<ImageInspect> for Image {
    fn from(image: ImageInspect) -> Self {
        let labels = image
            .config
            .and_then(|config| config.labels)
            .unwrap_or_default();
        Self {
            id: ImageId(image.id.unwrap_or_default()),
            tags: image.repo_tags.unwrap_or_default(),
            digests: image.repo_digests.unwrap_or_default(),
            labels: labels.into_iter().collect(),
            size: image
                .size
                .and_then(|size| size.try_into().ok())
                .unwrap_or_default(),
            created: image.created.map(|at| at.timestamp()).unwrap_or_default(),
        }
    }
}

impl From<ImageSummary> for Image {
    fn from(image: ImageSummary) -> Self {
        Self {
            id: ImageId(image.id),
            tags: image.repo_tags,
            digests: image.repo_digests,
            labels: image.labels.into_iter().collect(),
            size: image.size.try_into().unwrap_or_default(),
            created: image.created,
        }
    }
}

impl From<bollard::moby::buildkit::v1::StatusResponse> for BuildStatus {
    fn from(status: bollard::moby::buildkit::v1::StatusResponse) -> Self {
        let vertices = status.vertexes.into_iter().map(|vertex| Vertex {
            digest: vertex.digest,
            name: vertex.name,
            cached: vertex.cached,
            started: vertex.started.map(|at| since_epoch(at.seconds, at.nanos)),
            completed: vertex.completed.map(|at| since_epoch(at.seconds, at.nanos)),
            error: vertex.error,
        });
        let logs = status.logs.into_iter().map(|log| VertexLog {
            vertex: log.vertex,
            bytes: log.msg,
        });
        Self {
            vertices: vertices.collect(),
            logs: logs.collect(),
        }
    }
}

fn since_epoch(seconds: i64, nanos: i32) -> Duration {
    Duration::new(
        seconds.try_into().unwrap_or_default(),
        nanos.try_into().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_a_reference_is_no_tag() {
        for (reference, expected) in [
            ("debian", false),
            ("debian:trixie", true),
            ("registry.test:5000/team/app", false),
            ("registry.test:5000/team/app:1", true),
            ("debian@sha256:00", true),
        ] {
            assert_eq!(has_tag(reference), expected, "{reference}");
        }
    }

    #[test]
    fn an_image_id_is_shown_short() {
        assert_eq!(
            ImageId("sha256:0123456789abcdef".to_owned()).short(),
            "0123456789ab"
        );
        assert_eq!(ImageId("0123".to_owned()).short(), "0123");
    }
}
