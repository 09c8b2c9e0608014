//! The deploy lock: one operator at a time changes a project.
//!
//! It is a container with a fixed name, so that the engine itself refuses a second one. It reads from
//! the client that holds it and ends, and is removed by the engine, when it hears nothing: at once
//! when that client dies, after [`PATIENCE_S`] when the link to it is lost. Nothing has to be
//! cleaned up, and no clock is compared.

mod holder;
mod keeper;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

pub(crate) use holder::{Holder, LockStatus, lock_status, release_by_force};
pub(crate) use keeper::Held;

use holder::holder;
use keeper::{Moment, SILENCE, keep};

use super::{
    state::RunId,
    who::{is_gone, own_labels},
};
use crate::{
    config::ProjectName,
    docker::{
        Attached, ContainerState, Engine, EngineError, HelperSpec, InspectedContainer, labels,
    },
};

/// The lock ends when it has heard nothing for so long; seconds.
const PATIENCE_S: u64 = 15;
/// From the start of the lock's container to its first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// How long a lock that was let go, or whose holder died, may take to disappear.
const GOING: Duration = Duration::from_secs(3);
/// The same where it cannot be told whether the holder is alive.
const GOING_AFAR: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A lock that was created and not started for so long belongs to nobody; seconds.
const NEVER_STARTED_S: i64 = 15;

/// Says `held` once, then gives back each line. `bash` can wait with a time-out; where there is none,
/// `timeout` does it for a plain shell.
fn script() -> String {
    format!(
        "echo held; \
         if command -v bash >/dev/null 2>&1; then \
         exec bash -c 'while read -r -t {PATIENCE_S} n; do echo $n; done'; \
         fi; \
         while timeout {PATIENCE_S} sh -c 'read -r n && echo $n'; do :; done"
    )
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("{project} is locked by {holder}")]
    Held {
        project: ProjectName,
        holder: Box<Holder>,
    },
    #[error("a container {0} is there that is no deploy lock")]
    Foreign(String),
    #[error("the deploy lock did not answer: {0}")]
    Silent(String),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Name of the lock's container.
pub(crate) fn lock_name(project: &ProjectName) -> String {
    format!("{project}-lock")
}

/// A held lock. It is let go by [`Lock::release`], and at the latest when the process ends.
pub(crate) struct Lock {
    engine: Engine,
    container: String,
    held: Held,
    /// Tells the keeper to let go.
    let_go: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl Lock {
    /// Takes the lock of `project`, with `image` for its container, or says who has it.
    pub(crate) async fn take(
        engine: &Engine,
        project: &ProjectName,
        image: &str,
        doing: &str,
        run: &RunId,
    ) -> Result<Self, LockError> {
        let container = create(engine, project, image, doing, run).await?;
        let began = Moment::now();
        match start(engine, &container).await {
            Ok(attached) => Ok(Self::keep(engine, container, attached, began)),
            Err(error) => {
                // The cause is what the operator needs; a leftover is dealt with by the next.
                let _ = engine.remove(&container).await;
                Err(error)
            }
        }
    }

    fn keep(engine: &Engine, container: String, attached: Attached, began: Moment) -> Self {
        let (tell, held) = watch::channel(Some(began.plus(SILENCE)));
        let (let_go, gone) = oneshot::channel();
        let keeper = tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = gone => {}
                () = keep(attached, began, &tell) => {}
            }
            let _ = tell.send(None);
        });
        Self {
            engine: engine.clone(),
            container,
            held: Held(held),
            let_go,
            keeper,
        }
    }

    /// Tells whether it is still ours.
    pub(crate) fn held(&self) -> Held {
        self.held.clone()
    }

    /// Lets go, and waits until the next one can have it.
    pub(crate) async fn release(self) -> Result<(), LockError> {
        let _ = self.let_go.send(());
        // A keeper that ended before has nothing more to do.
        let _ = self.keeper.await;
        let began = Instant::now();
        loop {
            match self.engine.inspect(&self.container).await {
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(error.into()),
                Ok(_) if began.elapsed() > GOING => {
                    return Ok(self.engine.remove(&self.container).await?);
                }
                Ok(_) => sleep(LOOK_AGAIN).await,
            }
        }
    }
}

/// Creates the lock's container, once nobody has it.
async fn create(
    engine: &Engine,
    project: &ProjectName,
    image: &str,
    doing: &str,
    run: &RunId,
) -> Result<String, LockError> {
    let name = lock_name(project);
    let script = script();
    let mut labels = BTreeMap::from([
        (labels::PROJECT, project.to_string()),
        (labels::HELPER, labels::HELPER_LOCK.to_owned()),
        (labels::RUN, run.to_string()),
        (labels::LOCK_SINCE, Utc::now().to_rfc3339()),
        (labels::LOCK_DOING, doing.to_owned()),
    ]);
    labels.extend(own_labels());
    let spec = HelperSpec {
        name: &name,
        image,
        labels,
        command: &["sh", "-c", &script],
        volume: None,
        stdin: true,
        auto_remove: true,
    };
    let began = Instant::now();
    loop {
        let error = match engine.create_helper(&spec).await {
            Ok(container) => return Ok(container),
            Err(error) => error,
        };
        if !matches!(error, EngineError::Api { status: 409, .. }) {
            return Err(error.into());
        }
        let Some(found) = look(engine, &name).await? else {
            // It went between the two calls; the engine may keep its name a moment longer.
            if began.elapsed() > GOING {
                return Err(error.into());
            }
            sleep(LOOK_AGAIN).await;
            continue;
        };
        let Some(holder) = holder(&found) else {
            return Err(LockError::Foreign(name));
        };
        match found.state {
            ContainerState::Created => {
                let age = found.created.map(|at| engine_age(engine, at));
                let age = match age {
                    Some(age) => age.await?,
                    None => 0,
                };
                if age > NEVER_STARTED_S || is_gone(&found.labels) {
                    // By its ID: by now the name may be that of another's lock.
                    engine.remove(&found.id).await?;
                    continue;
                }
            }
            ContainerState::Exited | ContainerState::Dead | ContainerState::Removing => {
                if began.elapsed() > GOING {
                    engine.remove(&found.id).await?;
                } else {
                    sleep(LOOK_AGAIN).await;
                }
                continue;
            }
            ContainerState::Running | ContainerState::Restarting | ContainerState::Paused => {}
        }
        // A holder that was killed a moment ago is gone in another moment.
        let patience = if is_gone(&found.labels) {
            GOING
        } else {
            GOING_AFAR
        };
        if began.elapsed() < patience {
            sleep(LOOK_AGAIN).await;
            continue;
        }
        return Err(LockError::Held {
            project: project.clone(),
            holder: Box::new(holder),
        });
    }
}

async fn engine_age(engine: &Engine, created: DateTime<Utc>) -> Result<i64, EngineError> {
    Ok((engine.time().await? - created).num_seconds())
}

async fn look(engine: &Engine, name: &str) -> Result<Option<InspectedContainer>, EngineError> {
    match engine.inspect(name).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Attaches, starts, and waits for the first answer: from then on the lock lives by our breath.
async fn start(engine: &Engine, container: &str) -> Result<Attached, LockError> {
    let mut attached = engine.attach(container).await?;
    engine.start(container).await?;
    match timeout(FIRST_ANSWER, attached.output.next()).await {
        Ok(Some(Ok(answer))) if answer.starts_with(b"held") => Ok(attached),
        Ok(Some(Ok(other))) => Err(LockError::Silent(
            String::from_utf8_lossy(&other).trim().to_owned(),
        )),
        Ok(Some(Err(error))) => Err(error.into()),
        Ok(None) => Err(LockError::Silent("it ended at once".to_owned())),
        Err(_) => Err(LockError::Silent(format!(
            "nothing within {FIRST_ANSWER:?}"
        ))),
    }
}
