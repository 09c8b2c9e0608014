//! Base images: found here, pulled, or made by a recipe.
//!
//! What is here already is used as it is, so that a stack does not change its foundations because
//! a registry came or went. Nothing is installed on the host.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, FutureExt, try_join_all};
use tokio::{
    sync::{OnceCell, mpsc::UnboundedSender},
    time::timeout,
};

use super::{
    build::{BuildError, ImageBuild},
    context::Context,
    dockerignore::Ignore,
    progress::BuildEvent,
    recipe::{self, Method, Recipe, RecipeError, RecipeHash, Rootfs},
    rootfs::{self, Tool},
    toolchain::{Toolchain, ToolchainError},
};
use crate::{
    config::{BaseName, BaseSource, Bases, ImageSource, Stack},
    docker::{Engine, EngineError, Image, ImageId},
};

/// Images that a recipe made are called `sysndd-base/‹name›:‹recipe hash›`.
const REPOSITORY: &str = "sysndd-base";
/// Label: the recipe's name.
pub(crate) const BASE_LABEL: &str = "dev.sysndd.base";
/// Label: the recipe's hash.
pub(crate) const RECIPE_HASH_LABEL: &str = "dev.sysndd.recipe-hash";

/// A base image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseRef {
    /// What a Dockerfile or a container may call it.
    pub(crate) reference: String,
    pub(crate) id: ImageId,
    pub(crate) origin: Origin,
    /// Bytes.
    pub(crate) size: u64,
}

/// How a base image came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was here before.
    Present,
    Pulled,
    /// By its recipe, now.
    Made,
}

/// The base images of a stack, by their names in `[bases.images]`.
pub(crate) type BaseRefs = BTreeMap<BaseName, BaseRef>;

/// Something happened on the way to a base image.
#[derive(Debug, Clone)]
pub(crate) enum BaseEvent {
    /// The registry is asked for it, and told to answer within the time-out.
    Asking { base: String, reference: String },
    /// The registry does not have it or does not answer; the recipe is next.
    NotInRegistry { base: String, reason: String },
    Pulling { base: String, line: String },
    /// The recipe is at work.
    Making { base: String },
    /// A line of the tool that puts a root file system together.
    Log { base: String, line: String },
    /// A step of the recipe's Dockerfile.
    Step { base: String, event: BuildEvent },
    /// It is here.
    Ready { base: String, image: BaseRef, took: Duration },
}

/// Why a base image could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    #[error("the base image `{0}` has neither `registry` nor `recipe` in sysndd.toml that `source` allows")]
    NoSource(BaseName),
    #[error("the registry did not answer for `{0}` within {1:?}")]
    NoAnswer(String, Duration),
    #[error("making the base image `{base}` needs `{}`, which is not installed\nhint: apt-get install {}, or set `source = \"registry\"` in [bases]", .tool.program, .tool.packages.join(" "))]
    MissingTool { base: String, tool: Tool },
    #[error("making the base image `{base}`: {source}")]
    Rootfs { base: String, source: std::io::Error },
    #[error("making the base image `{base}`: {source}")]
    Build { base: String, source: Box<BuildError> },
    #[error("making the base image `{base}`: {source}")]
    Toolchain { base: String, source: ToolchainError },
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl BaseError {
    /// The tool whose installation would mend it.
    pub(crate) fn missing_tool(&self) -> Option<Tool> {
        match self {
            Self::MissingTool { tool, .. } => Some(*tool),
            _ => None,
        }
    }
}

/// Programs that recipes need and this machine lacks. In `auto` mode they matter only when the
/// registry does not answer.
pub(crate) fn missing_tools(bases: &Bases) -> Vec<Tool> {
    let wanted = bases.source != BaseSource::Registry
        && bases.images.values().any(|base| base.recipe.is_some());
    let missing = wanted && !rootfs::is_installed(rootfs::TOOL.program);
    missing.then_some(rootfs::TOOL).into_iter().collect()
}

/// The base images that the services of `stack` are built on or run from.
pub(crate) fn needed(stack: &Stack) -> BTreeSet<BaseName> {
    let of_service = |image: &ImageSource| match image {
        ImageSource::Build(build) => build.bases.clone(),
        ImageSource::Base(base) => vec![base.clone()],
        ImageSource::Reference(_) => Vec::new(),
    };
    stack.services.values().flat_map(|service| of_service(&service.image)).collect()
}

/// Gets the base images `names`, several at a time. `root` is the directory of `sysndd.toml`.
pub(crate) async fn resolve(
    engine: &Engine,
    bases: &Bases,
    root: &Path,
    names: &BTreeSet<BaseName>,
    events: &UnboundedSender<BaseEvent>,
) -> Result<BaseRefs, BaseError> {
    let kitchen = &Kitchen::stocked(engine, bases, root, names, events)?;
    let found = names.iter().map(|name| async move {
        let began = Instant::now();
        let image = kitchen.resolve(bases, name).await?;
        let (base, took) = (name.to_string(), began.elapsed());
        kitchen.tell(BaseEvent::Ready { base, image: image.clone(), took });
        Ok::<_, BaseError>((name.clone(), image))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

/// Those of `names` that are here already; nothing is pulled or made.
pub(super) async fn present(
    engine: &Engine,
    bases: &Bases,
    root: &Path,
    names: &BTreeSet<BaseName>,
) -> Result<BaseRefs, BaseError> {
    let (events, _) = tokio::sync::mpsc::unbounded_channel();
    let kitchen = Kitchen::stocked(engine, bases, root, names, &events)?;
    let mut found = BaseRefs::new();
    for name in names {
        let recipe = kitchen.directory(bases, name);
        if let Some(base) = kitchen.present(registry(bases, name)?, recipe.as_deref()).await? {
            found.insert(name.clone(), base);
        }
    }
    Ok(found)
}

/// Reference to pull, where registries are allowed.
fn registry<'a>(bases: &'a Bases, name: &BaseName) -> Result<Option<&'a str>, BaseError> {
    let base = bases.images.get(name).ok_or_else(|| BaseError::NoSource(name.clone()))?;
    Ok(match bases.source {
        BaseSource::Distro => None,
        BaseSource::Auto | BaseSource::Registry => base.registry.as_deref(),
    })
}

/// Makes each recipe at most once, however many images are made from it.
struct Kitchen<'a> {
    engine: &'a Engine,
    root: &'a Path,
    events: &'a UnboundedSender<BaseEvent>,
    dishes: BTreeMap<PathBuf, Dish>,
}

struct Dish {
    recipe: Recipe,
    /// What it is and where it stands, once somebody asked.
    hash: OnceCell<RecipeHash>,
    made: OnceCell<BaseRef>,
}

impl<'k> Kitchen<'k> {
    /// With the recipes of `names` and those that they are made from.
    fn stocked(
        engine: &'k Engine,
        bases: &Bases,
        root: &'k Path,
        names: &BTreeSet<BaseName>,
        events: &'k UnboundedSender<BaseEvent>,
    ) -> Result<Self, BaseError> {
        let mut kitchen = Self { engine, root, events, dishes: BTreeMap::new() };
        for name in names {
            if let Some(directory) = kitchen.directory(bases, name) {
                kitchen.load(&directory)?;
            }
        }
        Ok(kitchen)
    }

    /// The recipe's directory, where recipes are allowed and there is one.
    fn directory(&self, bases: &Bases, name: &BaseName) -> Option<PathBuf> {
        let recipe = bases.images.get(name)?.recipe.as_ref()?;
        (bases.source != BaseSource::Registry).then(|| self.root.join(recipe))
    }

    fn load(&mut self, directory: &Path) -> Result<(), BaseError> {
        let mut recipes = BTreeMap::new();
        recipe::load_with_sources(directory, &mut recipes)?;
        for (directory, recipe) in recipes {
            let dish = Dish { recipe, hash: OnceCell::new(), made: OnceCell::new() };
            self.dishes.entry(directory).or_insert(dish);
        }
        Ok(())
    }

    async fn resolve(&self, bases: &Bases, name: &BaseName) -> Result<BaseRef, BaseError> {
        let recipe = self.directory(bases, name);
        let registry = registry(bases, name)?;
        if let Some(present) = self.present(registry, recipe.as_deref()).await? {
            return Ok(present);
        }
        match (registry, recipe) {
            (None, None) => Err(BaseError::NoSource(name.clone())),
            (Some(reference), None) => self.pull(name, reference).await,
            (None, Some(recipe)) => self.make(&recipe).await,
            (Some(reference), Some(recipe)) => {
                let pulled = match self.ask(name, reference, bases.registry_timeout).await {
                    Ok(()) => self.pull(name, reference).await,
                    Err(error) => Err(error),
                };
                match pulled {
                    Ok(image) => Ok(image),
                    Err(error) => {
                        let (base, reason) = (name.to_string(), error.to_string());
                        self.tell(BaseEvent::NotInRegistry { base, reason });
                        self.make(&recipe).await
                    }
                }
            }
        }
    }

    /// What the engine has already.
    async fn present(
        &self,
        registry: Option<&str>,
        recipe: Option<&Path>,
    ) -> Result<Option<BaseRef>, BaseError> {
        if let Some(reference) = registry
            && let Some(image) = self.engine.find_image(reference).await?
        {
            return Ok(Some(base_ref(reference, image, Origin::Present)));
        }
        if let Some(directory) = recipe {
            return self.made_before(directory).await;
        }
        Ok(None)
    }

    async fn made_before(&self, directory: &Path) -> Result<Option<BaseRef>, BaseError> {
        let reference = reference(&self.dishes[directory].recipe, &self.hash(directory).await?);
        let image = self.engine.find_image(&reference).await?;
        Ok(image.map(|image| base_ref(&reference, image, Origin::Present)))
    }

    async fn ask(&self, name: &BaseName, reference: &str, limit: Duration) -> Result<(), BaseError> {
        let event = BaseEvent::Asking { base: name.to_string(), reference: reference.to_owned() };
        self.tell(event);
        match timeout(limit, self.engine.ask_registry(reference)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(BaseError::NoAnswer(reference.to_owned(), limit)),
        }
    }

    async fn pull(&self, name: &BaseName, reference: &str) -> Result<BaseRef, BaseError> {
        let pulling = |line| self.tell(BaseEvent::Pulling { base: name.to_string(), line });
        let image = self.engine.pull_image(reference, pulling).await?;
        Ok(base_ref(reference, image, Origin::Pulled))
    }

    /// Makes the recipe in `directory`, and before it those that it is made from.
    fn make<'s>(&'s self, directory: &'s Path) -> BoxFuture<'s, Result<BaseRef, BaseError>> {
        async move {
            let dish = &self.dishes[directory];
            let made = dish.made.get_or_try_init(|| async {
                if let Some(present) = self.made_before(directory).await? {
                    return Ok(present);
                }
                let hash = self.hash(directory).await?;
                match &dish.recipe.method {
                    Method::Rootfs(rootfs) => self.make_rootfs(&dish.recipe, &hash, rootfs).await,
                    Method::Dockerfile { host_toolchain, .. } => {
                        self.make_dockerfile(&dish.recipe, &hash, host_toolchain.as_deref()).await
                    }
                }
            });
            Ok::<_, BaseError>(made.await?.clone())
        }
        .boxed()
    }

    fn hash<'s>(&'s self, directory: &'s Path) -> BoxFuture<'s, Result<RecipeHash, BaseError>> {
        async move {
            let Dish { recipe, hash, .. } = &self.dishes[directory];
            let hash = hash.get_or_try_init(|| async {
                let mut from = Vec::new();
                for name in recipe.from() {
                    from.push(self.hash(&directory.with_file_name(name)).await?);
                }
                let uses_toolchain =
                    matches!(&recipe.method, Method::Dockerfile { host_toolchain: Some(_), .. });
                let toolchain = if uses_toolchain {
                    self.toolchain(recipe).await?.identity
                } else {
                    String::new()
                };
                Ok::<_, BaseError>(recipe.hash(&from, &toolchain)?)
            });
            Ok(hash.await?.clone())
        }
        .boxed()
    }

    async fn make_rootfs(
        &self,
        recipe: &Recipe,
        hash: &RecipeHash,
        rootfs: &Rootfs,
    ) -> Result<BaseRef, BaseError> {
        let base = recipe.name.clone();
        if !rootfs::is_installed(rootfs::TOOL.program) {
            return Err(BaseError::MissingTool { base, tool: rootfs::TOOL });
        }
        self.tell(BaseEvent::Making { base: base.clone() });
        let (events, log_base) = (self.events.clone(), base.clone());
        let log = move |line| {
            // Nobody may be listening; the image is made all the same.
            drop(events.send(BaseEvent::Log { base: log_base.clone(), line }));
        };
        let root = rootfs::make(rootfs, log)
            .map_err(|source| BaseError::Rootfs { base: base.clone(), source })?;
        let changes = vec![
            "CMD [\"bash\"]".to_owned(),
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            format!("LABEL {BASE_LABEL}={base}"),
            format!("LABEL {RECIPE_HASH_LABEL}={}", hash.as_str()),
        ];
        let repository = format!("{REPOSITORY}/{base}");
        let image = self.engine.import_image(root, &repository, hash.as_str(), changes).await?;
        Ok(base_ref(&reference(recipe, hash), image, Origin::Made))
    }

    async fn make_dockerfile(
        &self,
        recipe: &Recipe,
        hash: &RecipeHash,
        toolchain: Option<&Path>,
    ) -> Result<BaseRef, BaseError> {
        let sources = recipe.from().iter().map(|name| async move {
            let directory = recipe.directory.with_file_name(name);
            Ok::<_, BaseError>((image_argument(name), self.make(&directory).await?.reference))
        });
        let args: BTreeMap<String, String> = try_join_all(sources).await?.into_iter().collect();
        let base = recipe.name.clone();
        self.tell(BaseEvent::Making { base: base.clone() });

        let mut context =
            Context::of_directory(&recipe.directory, &Ignore::nothing()).map_err(RecipeError::from)?;
        if let Some(prefix) = toolchain {
            let toolchain = self.toolchain(recipe).await?;
            toolchain
                .add_to(&mut context, prefix)
                .map_err(|source| BaseError::Toolchain { base: base.clone(), source })?;
        }
        let labels = [(BASE_LABEL, base.as_str()), (RECIPE_HASH_LABEL, hash.as_str())];
        let build = ImageBuild {
            what: format!("the base image `{base}`"),
            context,
            dockerfile: recipe.directory.join("Dockerfile"),
            sent_as: "Dockerfile".to_owned(),
            target: None,
            args,
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            repository: format!("{REPOSITORY}/{base}"),
            tag: hash.as_str().to_owned(),
            no_cache: false,
        };
        let step = |event| self.tell(BaseEvent::Step { base: base.clone(), event });
        let image = build.run(self.engine, step).await.map_err(|source| BaseError::Build {
            base: base.clone(),
            source: Box::new(source),
        })?;
        Ok(base_ref(&reference(recipe, hash), image, Origin::Made))
    }

    async fn toolchain(&self, recipe: &Recipe) -> Result<Toolchain, BaseError> {
        Toolchain::running_in(self.root)
            .await
            .map_err(|source| BaseError::Toolchain { base: recipe.name.clone(), source })
    }

    fn tell(&self, event: BaseEvent) {
        // Nobody may be listening; that changes nothing.
        drop(self.events.send(event));
    }
}

/// The build-arg in which a base image is handed to a Dockerfile: `debian-unstable` is
/// `DEBIAN_UNSTABLE_IMAGE`.
pub(crate) fn image_argument(base: &str) -> String {
    format!("{}_IMAGE", base.to_ascii_uppercase().replace(['-', '.'], "_"))
}

fn reference(recipe: &Recipe, hash: &RecipeHash) -> String {
    format!("{REPOSITORY}/{}:{}", recipe.name, hash.as_str())
}

fn base_ref(reference: &str, image: Image, origin: Origin) -> BaseRef {
    BaseRef { reference: reference.to_owned(), id: image.id, origin, size: image.size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_handed_over_under_its_name_in_capitals() {
        assert_eq!(image_argument("rust"), "RUST_IMAGE");
        assert_eq!(image_argument("debian-unstable"), "DEBIAN_UNSTABLE_IMAGE");
    }
}
