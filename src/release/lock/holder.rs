//! Whose a lock is, as its labels say; and taking it away from them.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{LockError, NEVER_STARTED_S, engine_age, lock_name, look};
use crate::{
    config::ProjectName,
    docker::{ContainerState, Engine, InspectedContainer, labels},
    release::{
        state::RunId,
        who::{Who, is_gone},
    },
};

/// Who holds a lock, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Holder {
    #[serde(flatten)]
    pub(crate) who: Who,
    /// By the holder's clock.
    pub(crate) since: DateTime<Utc>,
    /// The command, as the holder typed it.
    pub(crate) doing: String,
    pub(crate) run: RunId,
    /// ID of the lock's container.
    pub(crate) container: String,
}

/// `ana@laptop, since 10:15:02 UTC, up --replicas 4`
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            who, since, doing, ..
        } = self;
        write!(
            f,
            "{who} (process {}), since {}, for `{doing}`",
            who.pid,
            since.format("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

/// What can be said of a project's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LockStatus {
    Free,
    Held(Holder),
    /// Nobody holds it, but its container is there: it goes by itself, or with the next command.
    Ending(Holder),
}

/// From a lock's labels; `None` when the labels are not those of a lock.
pub(super) fn holder(container: &InspectedContainer) -> Option<Holder> {
    let label = |key: &str| container.labels.get(key);
    if label(labels::HELPER).map(String::as_str) != Some(labels::HELPER_LOCK) {
        return None;
    }
    Some(Holder {
        who: Who::of_labels(&container.labels)?,
        since: DateTime::parse_from_rfc3339(label(labels::LOCK_SINCE)?)
            .ok()?
            .to_utc(),
        doing: label(labels::LOCK_DOING)?.clone(),
        run: RunId::new(label(labels::RUN)?.clone()),
        container: container.id.clone(),
    })
}

/// Who holds the lock of `project` now.
pub(crate) async fn lock_status(
    engine: &Engine,
    project: &ProjectName,
) -> Result<LockStatus, LockError> {
    let name = lock_name(project);
    let Some(found) = look(engine, &name).await? else {
        return Ok(LockStatus::Free);
    };
    let holder = holder(&found).ok_or(LockError::Foreign(name))?;
    if is_gone(&found.labels) {
        return Ok(LockStatus::Ending(holder));
    }
    Ok(match found.state {
        ContainerState::Running | ContainerState::Paused | ContainerState::Restarting => {
            LockStatus::Held(holder)
        }
        ContainerState::Created => {
            let age = match found.created {
                Some(created) => engine_age(engine, created).await?,
                None => 0,
            };
            if age > NEVER_STARTED_S {
                LockStatus::Ending(holder)
            } else {
                LockStatus::Held(holder)
            }
        }
        ContainerState::Exited | ContainerState::Dead | ContainerState::Removing => {
            LockStatus::Ending(holder)
        }
    })
}

/// Takes the lock away from whoever holds it; who that was. Its holder begins no further operation
/// once it notices, which is before its next one.
pub(crate) async fn release_by_force(
    engine: &Engine,
    project: &ProjectName,
) -> Result<Option<Holder>, LockError> {
    match lock_status(engine, project).await? {
        LockStatus::Free => Ok(None),
        LockStatus::Held(holder) | LockStatus::Ending(holder) => {
            engine.remove(&holder.container).await?;
            Ok(Some(holder))
        }
    }
}
