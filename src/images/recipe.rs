//! Recipes: how a base image is made where no registry answers.
//!
//! A recipe is a directory with a `recipe.toml`. Reading one does not make anything.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    context::{Context, ContextError},
    dockerignore::Ignore,
};

/// Changed when images made by the same recipe would come out differently.
const FORMAT: &str = "1";

/// A directory below `images/`.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// Name of the directory.
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) method: Method,
}

/// `recipe.toml`.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Method {
    /// A root file system put together from packages by mmdebstrap.
    Rootfs(Rootfs),
    /// A Dockerfile in the same directory, built on other recipes.
    Dockerfile {
        /// Names of other recipes; the image of `debian` is the build-arg `DEBIAN_IMAGE`.
        from: Vec<String>,
        /// Where in the build context the running Rust toolchain goes, if it is wanted.
        #[serde(default)]
        host_toolchain: Option<PathBuf>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Rootfs {
    /// Of Debian: `trixie`, `sid`.
    pub(crate) suite: String,
    /// mmdebstrap's choice of packages to begin with.
    pub(crate) variant: String,
    #[serde(default)]
    pub(crate) packages: Vec<String>,
    /// Settings of apt, now and in the image.
    #[serde(default)]
    pub(crate) apt: BTreeMap<String, String>,
    /// Options of dpkg, now and in the image.
    #[serde(default)]
    pub(crate) dpkg: Vec<String>,
    /// Paths that dpkg does not unpack, now and in the image, and exceptions from them.
    #[serde(default)]
    pub(crate) exclude: Vec<String>,
    #[serde(default)]
    pub(crate) include: Vec<String>,
}

/// A recipe that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecipeError {
    #[error("reading the recipe `{}`: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the recipe `{}` is not valid: {source}", .path.display())]
    Invalid {
        path: PathBuf,
        source: toml::de::Error,
    },
    #[error("the recipe `{name}` is made from itself: {}", .chain.join(" → "))]
    Cycle { name: String, chain: Vec<String> },
    #[error(transparent)]
    Context(#[from] ContextError),
}

impl Recipe {
    /// Reads `directory/recipe.toml`.
    pub(crate) fn load(directory: &Path) -> Result<Self, RecipeError> {
        let path = directory.join("recipe.toml");
        let text = fs::read_to_string(&path).map_err(|source| RecipeError::Unreadable {
            path: path.clone(),
            source,
        })?;
        let method = toml::from_str(&text).map_err(|source| RecipeError::Invalid {
            path: path.clone(),
            source,
        })?;
        let name = directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Ok(Self {
            name,
            directory: directory.to_path_buf(),
            method,
        })
    }

    /// Recipes that must be made first: directories beside this one.
    pub(crate) fn from(&self) -> &[String] {
        match &self.method {
            Method::Rootfs(_) => &[],
            Method::Dockerfile { from, .. } => from,
        }
    }

    /// The hash of everything that goes into the image: the recipe's own files, those of the
    /// recipes that it is made from, and the host's toolchain where it is used. Packages are what
    /// the archive has on the day; they do not count.
    pub(crate) fn hash(
        &self,
        from: &[RecipeHash],
        toolchain: &str,
    ) -> Result<RecipeHash, RecipeError> {
        let files = Context::of_directory(&self.directory, &Ignore::nothing())?.digest()?;
        let mut hash = Sha256::new();
        hash.update(format!("{FORMAT}\n{files}\n{toolchain}\n"));
        for RecipeHash(from) in from {
            hash.update(format!("{from}\n"));
        }
        let mut digits = format!("{:x}", hash.finalize());
        digits.truncate(12);
        Ok(RecipeHash(digits))
    }
}

/// Twelve hex digits that change when the recipe would make another image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecipeHash(String);

impl RecipeHash {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Loads a recipe and all that it is made from, by name; refuses circles.
pub(crate) fn load_with_sources(
    directory: &Path,
    into: &mut BTreeMap<PathBuf, Recipe>,
) -> Result<(), RecipeError> {
    visit(directory, into, &mut Vec::new())
}

fn visit(
    directory: &Path,
    into: &mut BTreeMap<PathBuf, Recipe>,
    chain: &mut Vec<String>,
) -> Result<(), RecipeError> {
    let name = directory
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if chain.contains(&name) {
        chain.push(name.clone());
        return Err(RecipeError::Cycle {
            name,
            chain: std::mem::take(chain),
        });
    }
    if into.contains_key(directory) {
        return Ok(());
    }
    let recipe = Recipe::load(directory)?;
    chain.push(name);
    for from in recipe.from() {
        visit(&directory.with_file_name(from), into, chain)?;
    }
    chain.pop();
    into.insert(directory.to_path_buf(), recipe);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(root: &Path, name: &str, text: &str) -> PathBuf {
        let directory = root.join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("recipe.toml"), text).unwrap();
        directory
    }

    #[test]
    fn a_recipe_brings_the_recipes_that_it_is_made_from() {
        let root = tempfile::tempdir().unwrap();
        recipe(
            root.path(),
            "debian",
            "kind = 'rootfs'\nsuite = 'trixie'\nvariant = 'minbase'",
        );
        let node = recipe(
            root.path(),
            "node",
            "kind = 'dockerfile'\nfrom = ['debian']",
        );
        let mut recipes = BTreeMap::new();
        load_with_sources(&node, &mut recipes).unwrap();
        let names: Vec<_> = recipes
            .values()
            .map(|recipe| recipe.name.as_str())
            .collect();
        assert_eq!(names, ["debian", "node"]);
    }

    #[test]
    fn a_circle_is_refused_with_its_way() {
        let root = tempfile::tempdir().unwrap();
        let a = recipe(root.path(), "a", "kind = 'dockerfile'\nfrom = ['b']");
        recipe(root.path(), "b", "kind = 'dockerfile'\nfrom = ['a']");
        let error = load_with_sources(&a, &mut BTreeMap::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the recipe `a` is made from itself: a → b → a"
        );
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let a = recipe(
            root.path(),
            "a",
            "kind = 'rootfs'\nsuit = 'trixie'\nvariant = 'minbase'",
        );
        let error = Recipe::load(&a).unwrap_err();
        assert!(error.to_string().contains("suit"), "{error}");
    }

    #[test]
    fn the_hash_follows_files_sources_and_toolchain_but_not_times() {
        let root = tempfile::tempdir().unwrap();
        let a = recipe(root.path(), "a", "kind = 'dockerfile'\nfrom = ['b']");
        let loaded = Recipe::load(&a).unwrap();
        let b = [RecipeHash("b".to_owned())];
        let hash = loaded.hash(&b, "rustc 1").unwrap();
        assert_eq!(hash.as_str().len(), 12);

        fs::write(a.join("recipe.toml"), "kind = 'dockerfile'\nfrom = ['b']").unwrap();
        assert_eq!(loaded.hash(&b, "rustc 1").unwrap(), hash, "written again");
        assert_ne!(
            loaded.hash(&b, "rustc 2").unwrap(),
            hash,
            "another toolchain"
        );
        assert_ne!(loaded.hash(&[], "rustc 1").unwrap(), hash, "another source");
        fs::write(a.join("Dockerfile"), "FROM scratch").unwrap();
        assert_ne!(loaded.hash(&b, "rustc 1").unwrap(), hash, "another file");
    }
}
