//! Makes base images by their recipes: each at most once, independent ones at the same time.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use futures::future::{BoxFuture, FutureExt, try_join_all};
use tokio::sync::{OnceCell, mpsc::UnboundedSender};

use super::{
    bases::{BaseError, BaseEvent, BaseRef, Origin, image_argument},
    build::ImageBuild,
    context::Context,
    dockerignore::Ignore,
    recipe::{self, Method, Recipe, RecipeError, RecipeHash, Rootfs},
    rootfs,
    toolchain::Toolchain,
};
use crate::docker::Engine;

/// Images that a recipe made are called `sysndd-base/‹name›:‹recipe hash›`.
const REPOSITORY: &str = "sysndd-base";
/// Label: the recipe's name.
const BASE_LABEL: &str = "dev.sysndd.base";
/// Label: the recipe's hash.
const RECIPE_HASH_LABEL: &str = "dev.sysndd.recipe-hash";

/// The recipes of one run, and what became of them.
pub(super) struct Kitchen<'a> {
    pub(super) engine: &'a Engine,
    /// The directory of `sysndd.toml`.
    root: &'a Path,
    events: &'a UnboundedSender<BaseEvent>,
    dishes: BTreeMap<PathBuf, Dish>,
}

struct Dish {
    recipe: Recipe,
    hash: OnceCell<RecipeHash>,
    made: OnceCell<BaseRef>,
}

impl<'a> Kitchen<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        root: &'a Path,
        events: &'a UnboundedSender<BaseEvent>,
    ) -> Self {
        Self {
            engine,
            root,
            events,
            dishes: BTreeMap::new(),
        }
    }

    /// Reads the recipe in `directory` and those that it is made from.
    pub(super) fn load(&mut self, directory: &Path) -> Result<(), BaseError> {
        let mut recipes = BTreeMap::new();
        recipe::load_with_sources(directory, &mut recipes)?;
        for (directory, recipe) in recipes {
            let dish = Dish {
                recipe,
                hash: OnceCell::new(),
                made: OnceCell::new(),
            };
            self.dishes.entry(directory).or_insert(dish);
        }
        Ok(())
    }

    /// What the engine has of this recipe, which must have been loaded.
    pub(super) async fn made_before(&self, directory: &Path) -> Result<Option<BaseRef>, BaseError> {
        let reference = reference(&self.dishes[directory].recipe, &self.hash(directory).await?);
        let image = self.engine.find_image(&reference).await?;
        Ok(image.map(|image| BaseRef::new(&reference, image, Origin::Present)))
    }

    /// Makes the recipe in `directory`, and before it those that it is made from.
    pub(super) fn make<'s>(
        &'s self,
        directory: &'s Path,
    ) -> BoxFuture<'s, Result<BaseRef, BaseError>> {
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
                        self.make_dockerfile(&dish.recipe, &hash, host_toolchain.as_deref())
                            .await
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
                let uses_toolchain = matches!(
                    &recipe.method,
                    Method::Dockerfile {
                        host_toolchain: Some(_),
                        ..
                    }
                );
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
            return Err(BaseError::MissingTool {
                base,
                tool: rootfs::TOOL,
            });
        }
        self.tell(BaseEvent::Making { base: base.clone() });
        let (events, log_base) = (self.events.clone(), base.clone());
        let log = move |line| {
            // Nobody may be listening; the image is made all the same.
            drop(events.send(BaseEvent::Log {
                base: log_base.clone(),
                line,
            }));
        };
        let root = rootfs::make(rootfs, log).map_err(|source| BaseError::Rootfs {
            base: base.clone(),
            source,
        })?;
        let changes = vec![
            "CMD [\"bash\"]".to_owned(),
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            format!("LABEL {BASE_LABEL}={base}"),
            format!("LABEL {RECIPE_HASH_LABEL}={}", hash.as_str()),
        ];
        let repository = format!("{REPOSITORY}/{base}");
        let image = self
            .engine
            .import_image(root, &repository, hash.as_str(), changes)
            .await?;
        Ok(BaseRef::new(&reference(recipe, hash), image, Origin::Made))
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

        let mut context = Context::of_directory(&recipe.directory, &Ignore::nothing())
            .map_err(RecipeError::from)?;
        if let Some(prefix) = toolchain {
            let toolchain = self.toolchain(recipe).await?;
            toolchain
                .add_to(&mut context, prefix)
                .map_err(|source| BaseError::Toolchain {
                    base: base.clone(),
                    source,
                })?;
        }
        let labels = [
            (BASE_LABEL, base.as_str()),
            (RECIPE_HASH_LABEL, hash.as_str()),
        ];
        let build = ImageBuild {
            what: format!("the base image `{base}`"),
            context,
            dockerfile: recipe.directory.join("Dockerfile"),
            sent_as: "Dockerfile".to_owned(),
            target: None,
            args,
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            repository: format!("{REPOSITORY}/{base}"),
            tag: hash.as_str().to_owned(),
            no_cache: false,
        };
        let step = |event| {
            self.tell(BaseEvent::Step {
                base: base.clone(),
                event,
            });
        };
        let image = build
            .run(self.engine, step)
            .await
            .map_err(|source| BaseError::Build {
                base: base.clone(),
                source: Box::new(source),
            })?;
        Ok(BaseRef::new(&reference(recipe, hash), image, Origin::Made))
    }

    async fn toolchain(&self, recipe: &Recipe) -> Result<Toolchain, BaseError> {
        Toolchain::running_in(self.root)
            .await
            .map_err(|source| BaseError::Toolchain {
                base: recipe.name.clone(),
                source,
            })
    }

    pub(super) fn tell(&self, event: BaseEvent) {
        // Nobody may be listening; that changes nothing.
        drop(self.events.send(event));
    }
}

fn reference(recipe: &Recipe, hash: &RecipeHash) -> String {
    format!("{REPOSITORY}/{}:{}", recipe.name, hash.as_str())
}
