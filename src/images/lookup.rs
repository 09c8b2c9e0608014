//! What is there already: for plans that are only shown, and for `--no-build`.

use std::collections::BTreeMap;

use super::{
    bases::{self, BaseError, BaseRefs},
    build::{BuildError, ServiceBuild, find_built},
};
use crate::{
    config::{BaseName, Build, ImageSource, ServiceName, Stack},
    docker::{Engine, EngineError, Image, ImageId, labels},
    plan,
};

/// Why it cannot be said what is there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The image of every service as far as it is there, or why it would have to be made. Changes
/// nothing.
pub(crate) async fn present(
    engine: &Engine,
    stack: &Stack,
) -> Result<BTreeMap<ServiceName, Result<ImageId, String>>, LookupError> {
    let names = bases::needed(stack);
    let here = bases::present(engine, &stack.bases, &stack.root, &names).await?;
    let mut found = BTreeMap::new();
    for (name, service) in &stack.services {
        let image = match &service.image {
            ImageSource::Base(base) => here
                .get(base)
                .map(|base| base.id.clone())
                .ok_or_else(|| missing_base(base)),
            ImageSource::Reference(text) => {
                let reference = text.expose();
                let image = engine.find_image(&reference).await?;
                image
                    .map(|image| image.id)
                    .ok_or(format!("{reference} is not here"))
            }
            ImageSource::Build(build) => match build.bases.iter().find(|b| !here.contains_key(b)) {
                Some(base) => Err(missing_base(base)),
                None => built(engine, stack, name, build, &here).await?,
            },
        };
        found.insert(name.clone(), image);
    }
    Ok(found)
}

/// The newest image that was ever built of `service`.
pub(crate) async fn newest(
    engine: &Engine,
    stack: &Stack,
    service: &ServiceName,
) -> Result<Option<Image>, LookupError> {
    let wanted = [
        format!("{}={}", labels::PROJECT, stack.image_prefix),
        format!("{}={service}", labels::SERVICE),
    ];
    let images = engine.list_images(&wanted).await?;
    let prefix = format!("{}:", plan::image_name(stack, service));
    Ok(images
        .into_iter()
        .filter(|image| image.tags.iter().any(|tag| tag.starts_with(&prefix)))
        .max_by_key(|image| image.created))
}

async fn built(
    engine: &Engine,
    stack: &Stack,
    service: &ServiceName,
    build: &Build,
    bases: &BaseRefs,
) -> Result<Result<ImageId, String>, LookupError> {
    let job = ServiceBuild {
        project: &stack.image_prefix,
        service,
        root: &stack.root,
        build,
        bases,
        no_cache: false,
    };
    if let Some(image) = find_built(engine, job).await? {
        return Ok(Ok(image.id));
    }
    let before = newest(engine, stack, service).await?;
    let cause = if before.is_some() {
        "what goes into it changed"
    } else {
        "it was never built"
    };
    Ok(Err(cause.to_owned()))
}

fn missing_base(base: &BaseName) -> String {
    format!("its base image {base} is not here")
}
