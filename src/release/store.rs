//! The state volume: read as a whole, written a file at a time, through the archive of a container
//! that mounts it and is never started. It knows nothing of what the files mean.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use super::{
    audit::{self, AuditRecord},
    state::{RunId, State},
    who,
};
use crate::{
    config::{ImageSource, ProjectName, STATE_VOLUME, Stack},
    docker::{ArchiveEntry, Engine, EngineError, HelperSpec, labels},
    images,
};

/// Where a helper has the volume.
const MOUNT: &str = "/mnt/state";
/// A helper of a command that only looks is left over when it is older; seconds.
const LEFTOVER_AGE: i64 = 60;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the volume {0} does not bear the label of its project: someone else made it")]
    Foreign(String),
    #[error("no image is here that the state of {0} could be read with")]
    NoImage(ProjectName),
    #[error("{path} cannot be written as JSON: {cause}")]
    Json { path: String, cause: String },
    #[error("removing old records ended with exit code {0}")]
    Remove(i64),
}

impl StoreError {
    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::Foreign(volume) => Some(format!(
                "choose another project name, or remove the volume when nobody needs it: docker volume rm {volume}"
            )),
            Self::NoImage(_) => {
                Some("`sysndd-deploy build` gets the base images; then try again".to_owned())
            }
            Self::Json { .. } | Self::Remove(_) => None,
        }
    }
}

/// The engine's name of the state volume.
pub(crate) fn volume_name(project: &ProjectName) -> String {
    format!("{project}-{STATE_VOLUME}")
}

/// A record to be written.
pub(super) struct Record {
    /// Below the volume's root.
    path: String,
    content: Vec<u8>,
}

impl Record {
    pub(super) fn new(path: String, record: &impl Serialize) -> Result<Self, StoreError> {
        match serde_json::to_vec(record) {
            Ok(content) => Ok(Self { path, content }),
            Err(error) => Err(StoreError::Json {
                path,
                cause: error.to_string(),
            }),
        }
    }

    fn entry(&self) -> ArchiveEntry<'_> {
        ArchiveEntry::File {
            path: &self.path,
            content: &self.content,
            mode: 0o600,
            uid: 0,
            gid: 0,
        }
    }
}

/// A way to the state volume. Cheap to clone; whoever opened it closes it.
#[derive(Clone)]
pub(crate) struct Store {
    engine: Engine,
    project: ProjectName,
    image: String,
    /// ID of the container that mounts the volume.
    helper: String,
}

impl Store {
    /// Makes the volume when it is missing, and the helper. `run` is the run that the helper belongs
    /// to; without one it is for a command that only looks.
    pub(crate) async fn open(
        engine: &Engine,
        project: &ProjectName,
        image: &str,
        run: Option<&RunId>,
    ) -> Result<Self, StoreError> {
        let volume = volume_name(project);
        engine.create_volume(&volume, project.as_str()).await?;
        let own = engine.project_volumes(project.as_str()).await?;
        if !own.iter().any(|found| found.name == volume) {
            return Err(StoreError::Foreign(volume));
        }
        let mut labels = own_labels(project);
        if let Some(run) = run {
            labels.insert(labels::RUN, run.to_string());
        }
        let spec = HelperSpec {
            name: &format!("{volume}-{:08x}", rand::random::<u32>()),
            image,
            labels,
            // Never run; but an image without a command of its own cannot be created without one.
            command: &["true"],
            volume: Some((&volume, MOUNT)),
            stdin: false,
            auto_remove: false,
        };
        let helper = engine.create_helper(&spec).await?;
        Ok(Self {
            engine: engine.clone(),
            project: project.clone(),
            image: image.to_owned(),
            helper,
        })
    }

    /// Removes helpers that killed commands left. `run` is the run that holds the deploy lock:
    /// helpers of other such runs are left over, since there is only one lock.
    pub(super) async fn sweep(&self, run: Option<&RunId>) -> Result<(), StoreError> {
        let helpers = helpers(&self.project);
        let helpers = self.engine.containers_with(&helpers).await?;
        // Only the engine's clock is asked: ours may be another.
        let now = helpers
            .iter()
            .find(|helper| helper.id == self.helper)
            .map_or(0, |own| own.created);
        for helper in helpers {
            let left = match (helper.labels.get(labels::RUN), run) {
                (Some(_), None) => false,
                (Some(other), Some(run)) => other != run.as_str(),
                (None, _) => now - helper.created > LEFTOVER_AGE,
            };
            let left = left || who::is_gone(&helper.labels);
            if left && helper.id != self.helper {
                self.engine.remove(&helper.id).await?;
            }
        }
        Ok(())
    }

    /// All that is recorded: one download.
    pub(crate) async fn load(&self) -> Result<State, StoreError> {
        let files = self.engine.read_tree(&self.helper, MOUNT).await?;
        Ok(State::read(&files))
    }

    /// Writes new records. An upload takes the engine tens of milliseconds, however much is in it:
    /// what comes together is best written together.
    pub(super) async fn put(&self, records: &[Record]) -> Result<(), StoreError> {
        let files: Vec<ArchiveEntry> = records.iter().map(Record::entry).collect();
        Ok(self.engine.put_archive(&self.helper, MOUNT, &files).await?)
    }

    /// Removes files and directories by their paths below the volume's root. An archive cannot take
    /// anything away, so this starts a container, with the image's shell.
    pub(crate) async fn remove(&self, paths: &[String]) -> Result<(), StoreError> {
        if paths.is_empty() {
            return Ok(());
        }
        let volume = volume_name(&self.project);
        let script = format!("cd {MOUNT} && rm -rf -- \"$@\"");
        let mut command = vec!["sh", "-c", &script, "sh"];
        command.extend(paths.iter().map(String::as_str));
        let spec = HelperSpec {
            name: &format!("{volume}-{:08x}", rand::random::<u32>()),
            image: &self.image,
            labels: own_labels(&self.project),
            command: &command,
            volume: Some((&volume, MOUNT)),
            stdin: false,
            auto_remove: false,
        };
        let id = self.engine.create_helper(&spec).await?;
        let ended = async {
            self.engine.start(&id).await?;
            self.engine.wait(&id).await
        };
        let ended = ended.await;
        self.engine.remove(&id).await?;
        match ended? {
            0 => Ok(()),
            code => Err(StoreError::Remove(code)),
        }
    }

    /// Removes the volume, with whatever mounts it.
    pub(super) async fn erase(&self) -> Result<(), StoreError> {
        erase(&self.engine, &self.project).await
    }

    /// Removes the helper; the volume stays.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        Ok(self.engine.remove(&self.helper).await?)
    }
}

/// The state of a project for a command that only looks: nothing is made when nothing is there.
pub(crate) async fn read_state(engine: &Engine, stack: &Stack) -> Result<State, StoreError> {
    let volumes = engine.project_volumes(stack.project.as_str()).await?;
    let volume = volume_name(&stack.project);
    if !volumes.iter().any(|found| found.name == volume) {
        return Ok(State::default());
    }
    let image = helper_image(engine, stack).await?;
    let store = Store::open(engine, &stack.project, &image, None).await?;
    let state = tokio::try_join!(store.load(), store.sweep(None));
    store.close().await?;
    state.map(|(state, ())| state)
}

/// Adds a record to the audit without the lock.
pub(crate) async fn add_to_audit(
    engine: &Engine,
    stack: &Stack,
    record: &AuditRecord,
) -> Result<(), StoreError> {
    let image = helper_image(engine, stack).await?;
    let store = Store::open(engine, &stack.project, &image, None).await?;
    let added = async {
        let record = audit::unlocked(&store.load().await?, record)?;
        store.put(&[record]).await
    };
    let added = added.await;
    store.close().await?;
    added
}

/// Removes the state of a project for ever, with whatever still mounts it.
pub(crate) async fn erase(engine: &Engine, project: &ProjectName) -> Result<(), StoreError> {
    for helper in engine.containers_with(&helpers(project)).await? {
        engine.remove(&helper.id).await?;
    }
    let volume = volume_name(project);
    let own = engine.project_volumes(project.as_str()).await?;
    if own.iter().any(|found| found.name == volume) {
        engine.remove_volume(&volume).await?;
    }
    Ok(())
}

/// Of a helper of this process.
fn own_labels(project: &ProjectName) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([
        (labels::PROJECT, project.to_string()),
        (labels::HELPER, labels::HELPER_STATE.to_owned()),
    ]);
    labels.extend(who::own_labels());
    labels
}

/// Labels of all that mounts the state volume.
fn helpers(project: &ProjectName) -> [String; 2] {
    [
        format!("{}={project}", labels::PROJECT),
        format!("{}={}", labels::HELPER, labels::HELPER_STATE),
    ]
}

/// An image that is here and has a shell, as far as one can tell: the first of `[bases]`, which is
/// there before anything runs; else that of something that runs; else one that a service names.
pub(crate) async fn helper_image(engine: &Engine, stack: &Stack) -> Result<String, StoreError> {
    if let Some(image) = base_image(engine, stack, &stack.root).await {
        return Ok(image);
    }
    let label = format!("{}={}", labels::PROJECT, stack.project);
    let containers = engine.containers_with(&[label]).await?;
    let of_service = containers
        .into_iter()
        .filter(|container| !container.labels.contains_key(labels::HELPER))
        .max_by_key(|container| container.created);
    if let Some(container) = of_service {
        return Ok(container.image);
    }
    for service in stack.services.values() {
        if let ImageSource::Reference(reference) = &service.image
            && let Some(image) = engine.find_image(&reference.expose()).await?
        {
            return Ok(image.id.to_string());
        }
    }
    Err(StoreError::NoImage(stack.project.clone()))
}

async fn base_image(engine: &Engine, stack: &Stack, root: &Path) -> Option<String> {
    for name in stack.bases.images.keys() {
        let names = std::collections::BTreeSet::from([name.clone()]);
        // A base whose recipe is not here is none; the next may do.
        let found = images::present_bases(engine, &stack.bases, root, &names).await;
        if let Some(base) = found.ok().and_then(|mut found| found.remove(name)) {
            return Some(base.id.to_string());
        }
    }
    None
}
