//! What a plan says beside its operations: what is another in the stack than in the release that
//! runs, and which releases could not be gone back to.

use std::collections::BTreeMap;

use super::{Order, edge_template};
use crate::{
    cli::{releases::without_images, session::Session},
    config,
    error::Error,
    observe::Observed,
    plan::{self, Images, Plan, ResolvedImage},
    release::{self, Said, SaidOfService, State},
};

/// Adds what the record knows.
pub(super) async fn describe(
    session: &Session,
    order: &Order,
    observed: &Observed,
    images: &Images,
    state: &State,
    plan: &mut Plan,
) -> Result<(), Error> {
    let (engine, stack) = (&session.engine, &session.stack);
    for gone in without_images(engine, state).await? {
        plan.notes.push(gone.to_string());
    }
    let running = observed.release().map(|seen| state.running(seen));
    let Some(manifest) = running.and_then(|release| state.releases.get(release)) else {
        return Ok(());
    };
    let mut before = SaidOfService::of(manifest);
    for (name, said) in &mut before {
        // As many as there are: scaling makes no record.
        let numbers = observed.replicas_of(name).map(|replica| replica.number);
        said.replicas = numbers.max().unwrap_or(said.replicas);
    }
    let after: BTreeMap<_, _> = plan::config_hashes(stack, images)
        .map(|(name, config_hash)| {
            let image = match &images[name] {
                ResolvedImage::Present(id) => id.clone(),
                ResolvedImage::Missing { .. } => "to be made".to_owned(),
            };
            let asked = order.wish.replicas.get(name).copied();
            let said = SaidOfService {
                image,
                replicas: asked.unwrap_or(stack.services[name].replicas),
                config_hash,
            };
            (name.clone(), said)
        })
        .collect();
    let template = edge_template(session, order)?;
    let files = stack
        .edge
        .iter()
        .map(|edge| (edge.template.clone(), template.clone()));
    let files = files.collect();
    let text = config::show(stack);
    plan.changes = release::compare(
        &Said {
            stack: &manifest.stack,
            services: &before,
            files: &manifest.files,
            migration_head: None,
        },
        &Said {
            stack: &text,
            services: &after,
            files: &files,
            migration_head: None,
        },
    );
    Ok(())
}
