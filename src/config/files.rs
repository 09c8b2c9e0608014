//! The files a stack is made from: which must be there, and whether they are.

use std::path::{Path, PathBuf};

use super::{
    read::{Pass, Place},
    stack::{ImageSource, Stack},
};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    File,
    Directory,
    Nothing,
}

/// Looks at this machine's disk.
pub(super) fn on_disk(path: &Path) -> Found {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Found::Directory,
        Ok(_) => Found::File,
        Err(_) => Found::Nothing,
    }
}

struct Needed {
    what: &'static str,
    path: PathBuf,
    as_written: PathBuf,
    place: Place,
    kind: Found,
}

/// Notes each file that the stack needs and `look` does not find.
pub(super) fn check(stack: &Stack, look: impl Fn(&Path) -> Found, pass: &mut Pass<'_>) {
    for needed in needed(stack) {
        let path = needed.as_written.display();
        let absolute = needed.path.display();
        let (message, hint) = match (look(&needed.path), needed.kind) {
            (found, wanted) if found == wanted => continue,
            (Found::Nothing, _) => (
                format!("{} `{path}` does not exist", needed.what),
                format!("it would be {absolute}"),
            ),
            (Found::Directory, _) => (
                format!("{} `{path}` is a directory", needed.what),
                "name a file".to_owned(),
            ),
            (Found::File, _) => (
                format!("{} `{path}` is not a directory", needed.what),
                "name a directory".to_owned(),
            ),
        };
        pass.fault_at(&needed.place, message, hint);
    }
}

fn needed(stack: &Stack) -> Vec<Needed> {
    let mut all = Vec::new();
    let mut need = |what, path: &Path, place, kind| {
        let as_written = path.to_owned();
        all.push(Needed {
            what,
            path: super::grammar::clean(&stack.root.join(path)),
            as_written,
            place,
            kind,
        });
    };
    for (name, image) in &stack.bases.images {
        if let Some(recipe) = &image.recipe {
            let place = Place::of(["bases", "images", name.as_str(), "recipe"]);
            need("recipe", recipe, place, Found::Directory);
        }
    }
    for (name, service) in &stack.services {
        if let ImageSource::Build(build) = &service.image {
            let place = Place::of(["services", name.as_str(), "build"]);
            let dockerfile = build.context.join(&build.dockerfile);
            need(
                "build context",
                &build.context,
                place.key("context"),
                Found::Directory,
            );
            need(
                "Dockerfile",
                &dockerfile,
                place.key("dockerfile"),
                Found::File,
            );
        }
    }
    if let Some(edge) = &stack.edge {
        need(
            "template",
            &edge.template,
            Place::of(["edge", "template"]),
            Found::File,
        );
    }
    if let Some(migrations) = &stack.migrations {
        let place = Place::of(["migrations", "dir"]);
        need(
            "migrations directory",
            &migrations.dir,
            place,
            Found::Directory,
        );
    }
    all
}
