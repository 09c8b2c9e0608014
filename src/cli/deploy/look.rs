//! What a deployment is planned from: its images, and what the engine has.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{ImageSource, Order};
use crate::{
    cli::{images, session::Session},
    error::Error,
    exit::Exit,
    observe::Observed,
    plan::{Images, ResolvedImage},
    release::Manifest,
};

/// What was seen longer ago than this may have ended meanwhile: making images takes minutes.
const FRESH: Duration = Duration::from_secs(1);

/// Makes or finds the images, and sees what is there then.
pub(super) async fn look(
    session: &Session,
    order: &Order,
    interrupt: &CancellationToken,
) -> Result<(Images, Observed), Error> {
    let began = Instant::now();
    let (images, observed) =
        tokio::try_join!(find_images(session, order, interrupt), session.observe())?;
    if began.elapsed() > FRESH {
        return Ok((images, session.observe().await?));
    }
    Ok((images, observed))
}

pub(super) async fn images_that_are_there(
    session: &Session,
    order: &Order,
) -> Result<Images, Error> {
    match &order.images {
        ImageSource::Here(_) => images::present(session).await,
        ImageSource::Recorded { manifest, .. } => recorded_images(session, manifest).await,
    }
}

async fn find_images(
    session: &Session,
    order: &Order,
    interrupt: &CancellationToken,
) -> Result<Images, Error> {
    match &order.images {
        ImageSource::Here(mode) => images::resolve(session, *mode, interrupt).await,
        ImageSource::Recorded { manifest, .. } => recorded_images(session, manifest).await,
    }
}

async fn recorded_images(session: &Session, manifest: &Manifest) -> Result<Images, Error> {
    let mut found = Images::new();
    for (service, image) in manifest.images() {
        if session.engine.find_image(&image).await?.is_none() {
            return Err(Error::new(
                Exit::RollbackRefused,
                format!("the image of {service} in {} is gone: {image}", manifest.id),
            )
            .with_hint("`sysndd-deploy releases` lists the others; or check out its revision and run `sysndd-deploy up`"));
        }
        found.insert(service, ResolvedImage::Present(image));
    }
    Ok(found)
}
