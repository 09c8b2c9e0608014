//! What is recorded of a deployment, and what is dropped for it.

use std::collections::BTreeMap;

use chrono::Utc;
use sysndd_protocol::ReleaseId;

use super::{ImageSource, Order};
use crate::{
    cli::{prune::recorded_elsewhere, session::Session},
    docker::labels,
    error::Error,
    plan::{self, Images, ResolvedImage},
    release::{ImageRecord, Manifest, NewManifest, Revision, ServiceRecord, Turn, Who},
};

/// The record of the release that an order makes.
pub(super) async fn manifest(
    session: &Session,
    order: &Order,
    images: &Images,
    edge_template: &str,
    id: ReleaseId,
) -> Result<Manifest, Error> {
    let stack = &session.stack;
    let mut services = BTreeMap::new();
    for (name, config_hash) in plan::config_hashes(stack, images) {
        let ResolvedImage::Present(image) = &images[name] else {
            unreachable!("images are made before a release is");
        };
        let found = session.engine.find_image(image).await?;
        let (reference, digest) = found.map_or((None, None), |image| {
            (
                image.tags.into_iter().next(),
                image.digests.into_iter().next(),
            )
        });
        let asked = order.wish.replicas.get(name).copied();
        let record = ServiceRecord {
            image: ImageRecord {
                id: image.clone(),
                reference,
                digest,
            },
            replicas: asked.unwrap_or(stack.services[name].replicas),
            config_hash,
        };
        services.insert(name.clone(), record);
    }
    let new = NewManifest {
        id,
        created_at: Utc::now(),
        by: Who::of_process(),
        why: order.why.clone(),
        message: order.message.clone(),
        revision: match &order.images {
            ImageSource::Here(_) => Revision::of(&stack.root),
            // Whatever is checked out now.
            ImageSource::Recorded { manifest, .. } => manifest.revision.clone(),
        },
        services,
        migration_head: None,
        restore_point: None,
        edge_template: edge_template.to_owned(),
    };
    Ok(Manifest::new(stack, new))
}

/// Releases beyond `keep_releases`, and the images that only they used.
pub(super) async fn forget_old(session: &Session, turn: &mut Turn) -> Result<(), Error> {
    let keep = session.stack.deploy.keep_releases as usize;
    let beyond = turn.beyond(keep);
    if beyond.is_empty() {
        return Ok(());
    }
    turn.forget(&beyond).await?;
    if beyond.images.is_empty() {
        return Ok(());
    }
    let elsewhere = match recorded_elsewhere(session).await {
        Ok(elsewhere) => elsewhere,
        Err(error) => {
            // Better an image too many than another project's way back gone.
            session.printer.note(format!(
                "images of dropped releases stay, since what other projects need is not known: {error}"
            ));
            return Ok(());
        }
    };
    for id in beyond.images.difference(&elsewhere) {
        let Some(image) = session.engine.find_image(id).await? else {
            continue;
        };
        if !image.labels.contains_key(labels::PROJECT) {
            continue;
        }
        for tag in &image.tags {
            // A container that someone made by hand, or a copy of the stack, may use it.
            if let Err(error) = session.engine.remove_image(tag).await {
                tracing::debug!(tag, %error, "the image of a dropped release stays");
            }
        }
    }
    Ok(())
}
