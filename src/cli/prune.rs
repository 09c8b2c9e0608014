//! `prune`: what is not needed any more.

use std::collections::BTreeSet;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Global, session::Session, turn::Wait, typed};
use crate::{
    config::{ProjectName, Stack},
    docker::{Image, labels},
    error::Error,
    exit::Exit,
    output::{Printer, Table, human_size},
    release::{self, Outcome, Retention, State, Turn},
};

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy prune --dry-run         what would be removed, and how large it is
  sysndd-deploy prune                   images and records of dropped releases
  sysndd-deploy prune --build-cache     the engine's unused build cache too, that of others as well";

/// Remove images of the stack that no container, no kept release and no next `up` needs, and records
/// beyond `deploy.keep_releases`. What does not bear the stack's label is never touched.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Prune {
    /// Show what would be removed and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The engine's unused build cache too; the engine cannot tell whose it is
    #[arg(long)]
    build_cache: bool,
    #[command(flatten)]
    wait: Wait,
}

/// The answer of `prune --format json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: &'static str,
    project: &'a ProjectName,
    dry_run: bool,
    images: Vec<Pruned>,
    /// Releases and runs whose records go.
    releases: Vec<String>,
    runs: Vec<String>,
    /// Null unless it was asked for; on a dry run also where the engine does not say.
    build_cache_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Pruned {
    id: String,
    service: Option<String>,
    reference: Option<String>,
    /// With the layers that it shares with others.
    size_bytes: u64,
    /// Why it is still there after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

impl Prune {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let mut session = Session::open(global, printer).await?;
        session.wait_until = self.wait.deadline();
        let (engine, stack) = (&session.engine, &session.stack);
        let keep = stack.deploy.keep_releases as usize;
        let (images, retention, build_cache_bytes);
        if self.dry_run {
            let state = release::read_state(engine, stack).await?;
            retention = release::retention(&state, keep);
            let unused = unused_images(&session, &state, &retention).await?;
            images = unused.iter().map(Pruned::new).collect();
            build_cache_bytes = if self.build_cache {
                engine.build_cache_size().await?
            } else {
                None
            };
        } else {
            let image = release::helper_image(engine, stack).await?;
            let mut turn = session
                .turn(&image, &typed(), &CancellationToken::new())
                .await?;
            retention = turn.beyond(keep);
            let removed = remove(&session, &mut turn, &retention).await;
            let (outcome, reason) = match &removed {
                Ok(_) => (Outcome::Done, None),
                Err(error) => (Outcome::Failed, Some(error.message.clone())),
            };
            turn.end(outcome, reason).await?;
            images = removed?;
            build_cache_bytes = if self.build_cache {
                Some(engine.prune_build_cache().await?)
            } else {
                None
            };
        }
        let report = Report {
            schema: "sysndd-deploy/prune/1",
            project: &stack.project,
            dry_run: self.dry_run,
            images,
            releases: retention.releases.iter().map(ToString::to_string).collect(),
            runs: retention.runs.iter().map(ToString::to_string).collect(),
            build_cache_bytes,
        };
        printer.data(&report, || report.human());
        if self.dry_run && self.build_cache && build_cache_bytes.is_none() {
            printer.note("this engine does not say how large its build cache is");
        }
        Ok(Exit::Done)
    }
}

/// Removes what is not needed, records first: an image that is gone must not be a kept release's.
async fn remove(
    session: &Session,
    turn: &mut Turn,
    retention: &Retention,
) -> Result<Vec<Pruned>, Error> {
    let unused = unused_images(session, turn.state(), retention).await?;
    if !retention.is_empty() {
        turn.forget(retention).await?;
    }
    let mut pruned = Vec::new();
    for image in unused {
        let mut told = Pruned::new(&image);
        let names = match image.tags.as_slice() {
            [] => vec![image.id.to_string()],
            tags => tags.to_vec(),
        };
        for name in names {
            // Without force: what someone began to use meanwhile stays.
            if let Err(error) = session.engine.remove_image(&name).await {
                told.kept = Some(error.to_string());
            }
        }
        pruned.push(told);
    }
    Ok(pruned)
}

/// Images of the stack that nothing needs, also no other project of the same stack.
async fn unused_images(
    session: &Session,
    state: &State,
    retention: &Retention,
) -> Result<Vec<Image>, Error> {
    let (engine, stack) = (&session.engine, &session.stack);
    let ours = [format!("{}={}", labels::PROJECT, stack.image_prefix)];
    let images = engine.list_images(&ours).await?;
    let mut needed = engine.images_in_use().await?;
    needed.extend(release::images_needed(state, &retention.releases));
    needed.extend(recorded_elsewhere(session).await?);
    Ok(unused(images, &needed))
}

/// Images of the releases of other projects: a copy of the stack under another name shares its
/// images, and may roll back to them.
pub(super) async fn recorded_elsewhere(session: &Session) -> Result<BTreeSet<String>, Error> {
    let (engine, stack) = (&session.engine, &session.stack);
    let mut needed = BTreeSet::new();
    for project in engine.projects().await? {
        let project = ProjectName::new(project);
        if project == stack.project {
            continue;
        }
        let other = Stack {
            project,
            ..stack.clone()
        };
        match release::read_state(engine, &other).await {
            Ok(state) => needed.extend(release::images_needed(&state, &[])),
            Err(error) => {
                let volumes = engine.project_volumes(other.project.as_str()).await?;
                if !volumes.is_empty() {
                    return Err(error.into());
                }
                // It was taken away while we looked.
            }
        }
    }
    Ok(needed)
}

/// The newest of each service stays, so that the next `up` need not build what did not change.
fn unused(images: Vec<Image>, needed: &BTreeSet<String>) -> Vec<Image> {
    let service = |image: &Image| image.labels.get(labels::SERVICE).cloned();
    let newest: BTreeSet<String> = images
        .iter()
        .filter(|image| {
            let same = images
                .iter()
                .filter(|other| service(other) == service(image));
            let named = same.filter(|other| !other.tags.is_empty());
            named
                .max_by_key(|other| other.created)
                .map(|other| &other.id)
                == Some(&image.id)
        })
        .map(|image| image.id.to_string())
        .collect();
    images
        .into_iter()
        .filter(|image| {
            let id = image.id.to_string();
            !needed.contains(&id) && !newest.contains(&id)
        })
        .collect()
}

impl Pruned {
    fn new(image: &Image) -> Self {
        Self {
            id: image.id.to_string(),
            service: image.labels.get(labels::SERVICE).cloned(),
            reference: image.tags.first().cloned(),
            size_bytes: image.size,
            kept: None,
        }
    }
}

impl Report<'_> {
    fn human(&self) -> String {
        let mut text = String::new();
        let mut table = Table::new(&["IMAGE", "SERVICE", "SIZE", ""]);
        for image in &self.images {
            table.row([
                image.reference.clone().unwrap_or_else(|| image.id.clone()),
                image.service.clone().unwrap_or_default(),
                human_size(image.size_bytes),
                image.kept.clone().unwrap_or_default(),
            ]);
        }
        if !self.images.is_empty() {
            text.push_str(&table.render());
            text.push('\n');
        }
        let gone: Vec<&Pruned> = self.images.iter().filter(|i| i.kept.is_none()).collect();
        let size = gone.iter().map(|image| image.size_bytes).sum();
        text.push_str(&format!(
            "{}: {} {} images of up to {} (layers that others share stay), {} releases, {} journals",
            self.project,
            if self.dry_run { "would remove" } else { "removed" },
            gone.len(),
            human_size(size),
            self.releases.len(),
            self.runs.len(),
        ));
        if let Some(bytes) = self.build_cache_bytes {
            text.push_str(&format!(", {} of build cache", human_size(bytes)));
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::ImageId;

    fn image(id: &str, service: &str, created: i64, tag: Option<&str>) -> Image {
        Image {
            id: serde_json::from_value::<ImageId>(serde_json::json!(id)).unwrap(),
            tags: tag.map(str::to_owned).into_iter().collect(),
            digests: Vec::new(),
            labels: [(labels::SERVICE.to_owned(), service.to_owned())].into(),
            size: 1,
            created,
        }
    }

    #[test]
    fn what_is_needed_and_the_newest_of_each_service_stays() {
        let images = vec![
            image("used", "api", 1, Some("api:1")),
            image("old", "api", 2, Some("api:2")),
            image("new", "api", 3, Some("api:3")),
            image("nameless", "api", 4, None),
            image("only", "web", 1, Some("web:1")),
        ];
        let needed = ["used".to_owned()].into();
        let gone: Vec<String> = unused(images, &needed)
            .iter()
            .map(|image| image.id.to_string())
            .collect();
        assert_eq!(gone, ["old", "nameless"]);
    }
}
