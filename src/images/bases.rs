//! Base images: found here, pulled, or made by a recipe.
//!
//! What is here already is used as it is, so that a stack does not change its foundations because
//! a registry came or went. Nothing is installed on the host.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use tokio::{
    sync::mpsc::{self, UnboundedSender},
    time::timeout,
};

use super::{
    build::BuildError,
    kitchen::Kitchen,
    progress::BuildEvent,
    recipe::RecipeError,
    rootfs::{self, Tool},
    toolchain::ToolchainError,
};
use crate::{
    config::{BaseName, BaseSource, Bases, ImageSource, Stack},
    docker::{Engine, EngineError, Image, ImageId},
};

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

impl BaseRef {
    pub(super) fn new(reference: &str, image: Image, origin: Origin) -> Self {
        Self {
            reference: reference.to_owned(),
            id: image.id,
            origin,
            size: image.size,
        }
    }
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
    Asking {
        base: String,
        reference: String,
    },
    /// The registry does not have it or does not answer; the recipe is next.
    NotInRegistry {
        base: String,
        reason: String,
    },
    Pulling {
        base: String,
        line: String,
    },
    /// The recipe is at work.
    Making {
        base: String,
    },
    /// A line of the tool that puts a root file system together.
    Log {
        base: String,
        line: String,
    },
    /// A step of the recipe's Dockerfile.
    Step {
        base: String,
        event: BuildEvent,
    },
    /// It is here.
    Ready {
        base: String,
        image: BaseRef,
        took: Duration,
    },
}

/// Why a base image could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    #[error(
        "the base image `{0}` has neither `registry` nor `recipe` in sysndd.toml that `source` allows"
    )]
    NoSource(BaseName),
    #[error("the registry did not answer for `{0}` within {1:?}")]
    NoAnswer(String, Duration),
    #[error(
        "the base image `{base}` could not be had\n  from the registry: {registry}\n  by its recipe: {recipe}"
    )]
    Neither {
        base: BaseName,
        registry: Box<BaseError>,
        recipe: Box<BaseError>,
    },
    #[error("making the base image `{base}` needs `{}`, which is not installed\nhint: apt-get install {}, or set `source = \"registry\"` in [bases]", .tool.program, .tool.packages.join(" "))]
    MissingTool { base: String, tool: Tool },
    #[error("making the base image `{base}`: {source}")]
    Rootfs {
        base: String,
        source: std::io::Error,
    },
    #[error("making the base image `{base}`: {source}")]
    Build {
        base: String,
        source: Box<BuildError>,
    },
    #[error("making the base image `{base}`: {source}")]
    Toolchain {
        base: String,
        source: ToolchainError,
    },
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
            Self::Neither { recipe, .. } => recipe.missing_tool(),
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
    stack
        .services
        .values()
        .flat_map(|service| of_service(&service.image))
        .collect()
}

/// Gets the base images `names`, several at a time. `root` is the directory of `sysndd.toml`.
pub(crate) async fn resolve(
    engine: &Engine,
    bases: &Bases,
    root: &Path,
    names: &BTreeSet<BaseName>,
    events: &UnboundedSender<BaseEvent>,
) -> Result<BaseRefs, BaseError> {
    let (kitchen, searches) = &stocked(engine, bases, root, names, events)?;
    let found = searches.iter().map(|search| async move {
        let began = Instant::now();
        let image = search.run(kitchen).await?;
        let (base, took) = (search.name.to_string(), began.elapsed());
        kitchen.tell(BaseEvent::Ready {
            base,
            image: image.clone(),
            took,
        });
        Ok::<_, BaseError>((search.name.clone(), image))
    });
    Ok(try_join_all(found).await?.into_iter().collect())
}

/// Those of `names` that are here already; nothing is pulled or made.
pub(crate) async fn present(
    engine: &Engine,
    bases: &Bases,
    root: &Path,
    names: &BTreeSet<BaseName>,
) -> Result<BaseRefs, BaseError> {
    let (events, _) = mpsc::unbounded_channel();
    let (kitchen, searches) = stocked(engine, bases, root, names, &events)?;
    let mut found = BaseRefs::new();
    for search in searches {
        if let Some(base) = search.present(&kitchen).await? {
            found.insert(search.name.clone(), base);
        }
    }
    Ok(found)
}

/// Where to look for each of `names`, with the recipes that may be needed for it.
fn stocked<'a>(
    engine: &'a Engine,
    bases: &'a Bases,
    root: &'a Path,
    names: &'a BTreeSet<BaseName>,
    events: &'a UnboundedSender<BaseEvent>,
) -> Result<(Kitchen<'a>, Vec<Search<'a>>), BaseError> {
    let mut kitchen = Kitchen::new(engine, root, events);
    let mut searches = Vec::new();
    for name in names {
        let search = Search::new(bases, root, name)?;
        if let Some(recipe) = &search.recipe {
            kitchen.load(recipe)?;
        }
        searches.push(search);
    }
    Ok((kitchen, searches))
}

/// Where one base image may come from.
struct Search<'a> {
    name: &'a BaseName,
    registry: Option<&'a str>,
    /// Directory of the recipe.
    recipe: Option<PathBuf>,
    registry_timeout: Duration,
}

impl<'a> Search<'a> {
    fn new(bases: &'a Bases, root: &Path, name: &'a BaseName) -> Result<Self, BaseError> {
        let no_source = || BaseError::NoSource(name.clone());
        let base = bases.images.get(name).ok_or_else(no_source)?;
        let registry = base
            .registry
            .as_deref()
            .filter(|_| bases.source != BaseSource::Distro);
        let recipe = base
            .recipe
            .as_ref()
            .filter(|_| bases.source != BaseSource::Registry);
        let recipe = recipe.map(|directory| root.join(directory));
        if registry.is_none() && recipe.is_none() {
            return Err(no_source());
        }
        Ok(Self {
            name,
            registry,
            recipe,
            registry_timeout: bases.registry_timeout,
        })
    }

    async fn run(&self, kitchen: &Kitchen<'_>) -> Result<BaseRef, BaseError> {
        if let Some(present) = self.present(kitchen).await? {
            return Ok(present);
        }
        let Some(reference) = self.registry else {
            return self.make(kitchen).await;
        };
        let error = match self.pull(kitchen, reference).await {
            Ok(image) => return Ok(image),
            Err(error) => error,
        };
        if self.recipe.is_none() {
            return Err(error);
        }
        let (base, reason) = (self.name.to_string(), error.to_string());
        kitchen.tell(BaseEvent::NotInRegistry { base, reason });
        self.make(kitchen)
            .await
            .map_err(|recipe| BaseError::Neither {
                base: self.name.clone(),
                registry: Box::new(error),
                recipe: Box::new(recipe),
            })
    }

    /// What the engine has already.
    async fn present(&self, kitchen: &Kitchen<'_>) -> Result<Option<BaseRef>, BaseError> {
        if let Some(reference) = self.registry
            && let Some(image) = kitchen.engine.find_image(reference).await?
        {
            return Ok(Some(BaseRef::new(reference, image, Origin::Present)));
        }
        match &self.recipe {
            Some(directory) => kitchen.made_before(directory).await,
            None => Ok(None),
        }
    }

    async fn make(&self, kitchen: &Kitchen<'_>) -> Result<BaseRef, BaseError> {
        match &self.recipe {
            Some(directory) => kitchen.make(directory).await,
            None => Err(BaseError::NoSource(self.name.clone())),
        }
    }

    /// Asks first where there is a recipe to fall back on: a pull from a registry that is not
    /// there would try for minutes.
    async fn pull(&self, kitchen: &Kitchen<'_>, reference: &str) -> Result<BaseRef, BaseError> {
        let (base, engine) = (self.name.to_string(), kitchen.engine);
        if self.recipe.is_some() {
            let reference = reference.to_owned();
            kitchen.tell(BaseEvent::Asking {
                base: base.clone(),
                reference: reference.clone(),
            });
            let limit = self.registry_timeout;
            match timeout(limit, engine.ask_registry(&reference)).await {
                Ok(answer) => answer?,
                Err(_) => return Err(BaseError::NoAnswer(reference, limit)),
            }
        }
        let pulling = |line| {
            kitchen.tell(BaseEvent::Pulling {
                base: base.clone(),
                line,
            });
        };
        let image = engine.pull_image(reference, pulling).await?;
        Ok(BaseRef::new(reference, image, Origin::Pulled))
    }
}

/// The build-arg in which a base image is handed to a Dockerfile: `debian-unstable` is
/// `DEBIAN_UNSTABLE_IMAGE`.
pub(crate) fn image_argument(base: &str) -> String {
    format!(
        "{}_IMAGE",
        base.to_ascii_uppercase().replace(['-', '.'], "_")
    )
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
