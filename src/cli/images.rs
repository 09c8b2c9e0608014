//! Images for a stack: built where their sources changed, made or pulled where they are bases.

use std::collections::BTreeMap;

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::{
    config::{ServiceName, Stack},
    error::Error,
    plan::{self, Images, Plan, ResolvedImage, UpIntent},
};

/// When to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BuildMode {
    /// Where sources changed since the newest image.
    Changed,
    Always,
    Never,
}

pub(super) async fn resolve(
    session: &Session,
    _mode: BuildMode,
    _interrupt: &CancellationToken,
) -> Result<Images, Error> {
    let mut images = Images::new();
    for name in session.stack.services.keys() {
        let tag = std::env::var(format!("TMP_IMAGE_{name}")).unwrap_or_default();
        let image = session.engine.find_image(&tag).await?.ok_or_else(|| Error::deploy(format!("no image {tag}")))?;
        images.insert(name.clone(), ResolvedImage::Present(image.id.to_string()));
    }
    Ok(images)
}

pub(super) async fn preview(
    session: &Session,
    counts: &BTreeMap<ServiceName, u32>,
    force: bool,
) -> Result<Plan, Error> {
    let images = resolve(session, BuildMode::Never, &CancellationToken::new()).await?;
    let observed = session.observe().await?;
    let intent = UpIntent {
        now: Utc::now(),
        replicas: counts.clone(),
        force,
        edge_template: edge_template(&session.stack)?,
    };
    Ok(plan::up(&session.stack, &images, &observed, &intent))
}

/// Text of the template of the upstream list; empty without an edge.
pub(super) fn edge_template(stack: &Stack) -> Result<String, Error> {
    let Some(edge) = &stack.edge else { return Ok(String::new()) };
    let path = stack.root.join(&edge.template);
    std::fs::read_to_string(&path)
        .map_err(|error| Error::usage(format!("{}: {error}", edge.template.display())))
}
