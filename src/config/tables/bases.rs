//! `[bases]`.

use std::{collections::BTreeMap, time::Duration};

use super::{directory, duration, keyed};
use crate::config::{
    grammar,
    read::{Table, choice, map, plain, table},
    stack::{BaseImage, BaseName, BaseSource, Bases},
};

/// How long the registry may take to answer in `auto` mode, when the file does not say.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(3);

/// As they are written.
pub(in crate::config) const SOURCES: &[(&str, BaseSource)] = &[
    ("auto", BaseSource::Auto),
    ("registry", BaseSource::Registry),
    ("distro", BaseSource::Distro),
];

impl Default for Bases {
    fn default() -> Self {
        Self {
            source: BaseSource::Auto,
            registry_timeout: REGISTRY_TIMEOUT,
            images: BTreeMap::new(),
        }
    }
}

pub(super) fn bases(t: &mut Table<'_, '_>) -> Bases {
    let source = t.optional(
        "source",
        "registry pulls them, distro makes them by their recipes, auto asks the registry first. Default: auto.",
        choice(SOURCES),
    );
    let timeout = t.optional(
        "registry_timeout",
        "How long the registry may take to answer in auto mode. Default: 3s.",
        duration(),
    );
    let images = t.optional(
        "images",
        "By name.",
        map(grammar::name, grammar::NAME_PATTERN, table(image)),
    );
    let default = Bases::default();
    Bases {
        source: source.unwrap_or(default.source),
        registry_timeout: timeout.unwrap_or(default.registry_timeout),
        images: keyed(images.unwrap_or_default(), BaseName::new),
    }
}

fn image(t: &mut Table<'_, '_>) -> BaseImage {
    let registry = t.optional("registry", "Reference to pull.", plain());
    let recipe = t.optional(
        "recipe",
        "Directory of the recipe that makes it from distribution packages.",
        directory("recipe"),
    );
    if t.written(["registry", "recipe"]).is_empty() {
        let message = format!("base `{}` can be had from nowhere", t.name());
        t.fault(
            "",
            message,
            "give it a `registry` reference, a `recipe`, or both",
        );
    }
    BaseImage { registry, recipe }
}
