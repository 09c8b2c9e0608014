//! Builds one image, and builds it only when something that goes into it changed.
//!
//! The tag of a service's image is a hash of its inputs: context, Dockerfile, build-args, base
//! images. If the engine has that tag there is nothing to do. Version and revision are written
//! into the image but are no inputs: a commit that changes nothing in it makes no new image.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::{
    bases::{BaseRefs, image_argument},
    context::{Context, ContextError},
    dockerfile::Dockerfile,
    dockerignore::{Ignore, IgnoreError, Sources},
    failure::{self, FailedBuild},
    progress::{BuildEvent, Progress},
};
use crate::{
    config::{BaseName, Build, ProjectName, ServiceName},
    docker::{BuildFault, BuildRequest, Engine, EngineError, Image, ImageId, labels},
};

/// A Dockerfile that names this file gets the host's certificate authorities there, to be mounted
/// into the steps that need them: `RUN --mount=type=bind,source=.ca-bundle.crt,target=…`.
const CA_BUNDLE: &str = ".ca-bundle.crt";
/// Where distributions keep them.
const CA_BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// Name in the context of a Dockerfile that lies outside it.
const OUTSIDE_DOCKERFILE: &str = ".dockerfile-from-outside";

/// A service's image, built now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuiltImage {
    pub(crate) id: ImageId,
    /// `‹project›-‹service›:‹hash of the inputs›`.
    pub(crate) reference: String,
    pub(crate) outcome: Outcome,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) took: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Built,
    /// Nothing that goes into it changed.
    Unchanged,
}

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("reading `{}`: {source}", .path.display())]
    Dockerfile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the base image `{0}` was not prepared before the build")]
    NoBase(BaseName),
    #[error("reading the build context was aborted: {0}")]
    Aborted(tokio::task::JoinError),
    #[error(transparent)]
    Context(#[from] ContextError),
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    #[error("{0}")]
    Failed(Box<FailedBuild>),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The image of one service, to be built.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceBuild<'a> {
    /// First part of the image's name.
    pub(crate) project: &'a ProjectName,
    pub(crate) service: &'a ServiceName,
    /// The directory of `sysndd.toml`.
    pub(crate) root: &'a Path,
    pub(crate) build: &'a Build,
    /// At least those that `build` names.
    pub(crate) bases: &'a BaseRefs,
    /// Run every step again, even if nothing changed.
    pub(crate) no_cache: bool,
}

impl ServiceBuild<'_> {
    fn repository(&self) -> String {
        format!("{}-{}", self.project, self.service)
    }

    async fn prepare(&self) -> Result<Prepared, BuildError> {
        let (root, build, bases) = (
            self.root.to_path_buf(),
            self.build.clone(),
            self.bases.clone(),
        );
        let prepare = move || Prepared::new(&root, &build, &bases);
        tokio::task::spawn_blocking(prepare)
            .await
            .map_err(BuildError::Aborted)?
    }
}

/// Builds a service's image, or finds that nothing changed. Several may run at a time.
pub(crate) async fn build_service(
    engine: &Engine,
    job: ServiceBuild<'_>,
    on_event: impl FnMut(BuildEvent),
) -> Result<BuiltImage, BuildError> {
    let began = Instant::now();
    let prepared = job.prepare().await?;
    let repository = job.repository();
    let ServiceBuild {
        project,
        service,
        build,
        no_cache,
        ..
    } = job;
    let reference = format!("{repository}:{}", prepared.inputs);
    if !no_cache && let Some(image) = engine.find_image(&reference).await? {
        let Image { id, size, .. } = image;
        let outcome = Outcome::Unchanged;
        return Ok(BuiltImage {
            id,
            reference,
            outcome,
            size,
            took: began.elapsed(),
        });
    }

    let mut args = prepared.args;
    for (name, value) in source_version(&prepared.context_root).await {
        if prepared.dockerfile.declares(name) {
            args.entry(name.to_owned()).or_insert(value);
        }
    }
    let labels = [
        (labels::PROJECT, project.as_str()),
        (labels::SERVICE, service.as_str()),
    ];
    let build = ImageBuild {
        what: format!("`{service}`"),
        context: prepared.context,
        dockerfile: prepared.dockerfile_path,
        sent_as: prepared.sent_as,
        target: build.target.clone(),
        args,
        labels: labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        repository,
        tag: prepared.inputs,
        no_cache,
    };
    let Image { id, size, .. } = build.run(engine, on_event).await?;
    Ok(BuiltImage {
        id,
        reference,
        outcome: Outcome::Built,
        size,
        took: began.elapsed(),
    })
}

/// The image that this build would make, if it was built before.
pub(super) async fn find_built(
    engine: &Engine,
    job: ServiceBuild<'_>,
) -> Result<Option<Image>, BuildError> {
    let reference = format!("{}:{}", job.repository(), job.prepare().await?.inputs);
    Ok(engine.find_image(&reference).await?)
}

/// What is read from disk before the engine is asked anything.
struct Prepared {
    context_root: PathBuf,
    context: Context,
    dockerfile_path: PathBuf,
    dockerfile: Dockerfile,
    sent_as: String,
    args: BTreeMap<String, String>,
    /// Hash of all inputs; the image's tag.
    inputs: String,
}

impl Prepared {
    fn new(root: &Path, build: &Build, bases: &BaseRefs) -> Result<Self, BuildError> {
        let context_root = root.join(&build.context);
        let dockerfile_path = context_root.join(&build.dockerfile);
        let dockerfile = read_dockerfile(&dockerfile_path)?;
        let ignore = Ignore::for_build(&context_root, &dockerfile_path)?;
        let mut context = Context::of_directory(&context_root, &ignore)?;
        // What the Dockerfile does not read cannot change the image: a new page of the frontend
        // makes no new API.
        let sources = dockerfile.context_sources();
        if let Some(sources) = sources.and_then(|sources| Sources::new(&sources)) {
            context.keep_only(&sources);
        }
        // BuildKit needs the Dockerfile even where it is ignored.
        let sent_as = match relative_name(&build.dockerfile) {
            Some(name) => name,
            None => OUTSIDE_DOCKERFILE.to_owned(),
        };
        context.add_file(Path::new(&sent_as), &dockerfile_path)?;

        let mut inputs = Sha256::new();
        inputs.update(format!(
            "{sent_as}\n{:?}\n{}\n",
            build.target,
            context.digest()?
        ));
        let mut args: BTreeMap<String, String> = build
            .args
            .iter()
            .map(|(name, value)| (name.clone(), value.expose()))
            .collect();
        for name in &build.bases {
            let base = bases
                .get(name)
                .ok_or_else(|| BuildError::NoBase(name.clone()))?;
            // The name of a base may stay while its content changes.
            inputs.update(format!("{name} {}\n", base.id));
            args.entry(image_argument(name.as_str()))
                .or_insert_with(|| base.reference.clone());
        }
        for (name, value) in [("UID", build.uid), ("GID", build.gid)] {
            if dockerfile.declares(name) {
                args.entry(name.to_owned())
                    .or_insert_with(|| value.to_string());
            }
        }
        for (name, value) in &args {
            inputs.update(format!("{name} {} {value}\n", value.len()));
        }
        let mut inputs = format!("{:x}", inputs.finalize());
        inputs.truncate(16);
        Ok(Self {
            context_root,
            context,
            dockerfile_path,
            dockerfile,
            sent_as,
            args,
            inputs,
        })
    }
}

/// One build, ready to run.
pub(super) struct ImageBuild {
    /// For people: what is built.
    pub(super) what: String,
    pub(super) context: Context,
    /// Where it lies here.
    pub(super) dockerfile: PathBuf,
    /// Its path in the context.
    pub(super) sent_as: String,
    pub(super) target: Option<String>,
    pub(super) args: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) no_cache: bool,
}

impl ImageBuild {
    /// Sends the context, follows the steps, and tags the image.
    pub(super) async fn run(
        mut self,
        engine: &Engine,
        mut on_event: impl FnMut(BuildEvent),
    ) -> Result<Image, BuildError> {
        let dockerfile = read_dockerfile(&self.dockerfile)?;
        if dockerfile.mentions(CA_BUNDLE) {
            self.context.add_bytes(CA_BUNDLE, ca_bundle());
        }
        let request = BuildRequest {
            dockerfile: self.sent_as,
            target: self.target,
            args: self.args,
            labels: self.labels,
            no_cache: self.no_cache,
        };
        let mut progress = Progress::default();
        let built = engine.build_image(request, self.context.into_stream(), |status| {
            progress.apply(&status).into_iter().for_each(&mut on_event);
        });
        let id = match built.await {
            Ok(id) => id,
            Err(BuildFault::Refused(message)) => {
                let step = progress.failed_step();
                let line = failure::line_of(&dockerfile, step.as_ref(), &message);
                let (what, dockerfile) = (self.what, self.dockerfile);
                let failed = FailedBuild {
                    what,
                    dockerfile,
                    line,
                    step,
                    message,
                };
                return Err(BuildError::Failed(Box::new(failed)));
            }
            Err(BuildFault::Engine(error)) => return Err(error.into()),
        };
        engine.tag_image(&id, &self.repository, &self.tag).await?;
        let reference = format!("{}:{}", self.repository, self.tag);
        let image = engine.find_image(&reference).await?;
        image.ok_or_else(|| {
            let doing = format!("looking for the image `{reference}` that was just built");
            let message = "it is gone; was it removed meanwhile?".to_owned();
            EngineError::Api {
                doing,
                status: 404,
                message,
            }
            .into()
        })
    }
}

fn read_dockerfile(path: &Path) -> Result<Dockerfile, BuildError> {
    let text = fs::read_to_string(path).map_err(|source| BuildError::Dockerfile {
        path: path.to_path_buf(),
        source,
    })?;
    Ok(Dockerfile::parse(&text))
}

/// The path as the context knows it, or `None` when it leads out of the context.
fn relative_name(path: &Path) -> Option<String> {
    use std::path::Component;
    let mut name = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => name.push(part),
            _ => return None,
        }
    }
    Some(name.to_string_lossy().into_owned())
}

/// The host's certificate authorities; empty where it has none.
fn ca_bundle() -> Vec<u8> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let mut places = named.into_iter().chain(CA_BUNDLES.map(PathBuf::from));
    places
        .find_map(|path| fs::read(path).ok())
        .unwrap_or_default()
}

/// `VERSION` and `REVISION` of the sources, as far as git knows them.
async fn source_version(directory: &Path) -> Vec<(&'static str, String)> {
    let describe: [(&str, &[&str]); 2] = [
        ("VERSION", &["describe", "--tags", "--always", "--dirty"]),
        (
            "REVISION",
            &[
                "describe",
                "--always",
                "--dirty",
                "--abbrev=40",
                "--exclude=*",
            ],
        ),
    ];
    let mut known = Vec::new();
    for (name, arguments) in describe {
        let output = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(arguments)
            .output()
            .await;
        if let Ok(output) = output
            && output.status.success()
        {
            known.push((
                name,
                String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            ));
        }
    }
    known
}
