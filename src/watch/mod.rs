//! Keeps the edge's upstream list in step with what is ready, between deployments.
//!
//! [`decide`] says what the list should be; [`Watcher`] asks, and puts it into force. It never empties
//! the list, never takes in a replica of a release that no deployment put there, and leaves all alone while a
//! command holds the deploy lock.
//!
//! It takes no lock itself: a deployment would be refused for the moment of a reload. It looks right
//! before it writes instead. Whoever takes the lock after that look needs longer to its first change
//! of the list than a reload takes, and its own plan decides from then on.

mod decide;

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, future};
use serde::Serialize;
use sysndd_protocol::{ReleaseId, ReplicaName};
use tokio::time::{MissedTickBehavior, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) use decide::{Change, Seen, decide, listed, releases};

use crate::{
    config::{Edge, ProjectName, Stack},
    docker::{Engine, EngineError},
    edge::{self, EdgeError},
    observe::{Observed, Replica, observe},
    plan::Upstream,
    probe::{Prober, Readiness},
    release::{LockError, LockStatus, lock_status},
};

/// Between two looks, when no event comes before.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Silence for so long is not being ready. With the time between two looks and that of a reload a
/// replica is out of the list within two seconds.
const ANSWER_WITHIN: Duration = Duration::from_millis(800);

/// After the release that runs could not be read.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// Why one look came to nothing; the next may do better.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("the release that runs cannot be read: {0}")]
    Release(String),
}

/// What happened, for those who read along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event")]
pub(crate) enum Happened {
    #[serde(rename = "watch.begin")]
    Begin,
    /// The list in force is another one.
    #[serde(rename = "upstream.changed")]
    Changed(Change),
    /// Nobody is ready: the list stays as it is.
    #[serde(rename = "upstream.kept")]
    Kept { servers: BTreeSet<ReplicaName> },
    /// A look failed; told once for every cause.
    #[serde(rename = "watch.failed")]
    Failed { error: String },
    #[serde(rename = "watch.end")]
    End,
}

/// The list as this watch wrote it last, and the releases that belong in it. As long as the list is
/// that one, a release of which nobody is ready is missed there, and not unknown.
struct Written {
    content: String,
    belong: BTreeSet<ReleaseId>,
}

/// What it goes by: the release that runs, not what the file says by now.
pub(crate) struct Followed {
    pub(crate) stack: Stack,
    /// Text of the template of the upstream list.
    pub(crate) template: String,
}

/// What it goes by, as long as nobody deployed since.
struct Known {
    followed: Followed,
    /// The newest that had a container when it was read.
    release: ReleaseId,
    /// The list as it was found or written last.
    content: String,
}

/// One watch over one project.
pub(crate) struct Watcher<'a, R> {
    pub(crate) project: &'a ProjectName,
    pub(crate) engine: &'a Engine,
    pub(crate) prober: &'a Prober,
    /// Reads the release that runs.
    pub(crate) read: R,
}

/// What one look leaves to the next.
#[derive(Default)]
struct Memory {
    known: Option<Known>,
    written: Option<Written>,
}

impl<R: AsyncFn(&Observed) -> Result<Followed, WatchError>> Watcher<'_, R> {
    /// Watches until `stop`, then puts all replicas that run back into the list: nobody would do so
    /// any more.
    pub(crate) async fn run(&self, stop: &CancellationToken, mut tell: impl FnMut(Happened)) {
        tell(Happened::Begin);
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let project = self.project.as_str();
        let mut events = Box::pin(self.engine.container_events(project));
        let (mut last, mut memory) = (None, Memory::default());
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
                event = events.next() => match event {
                    // Health checks come and go as events too, and mean nothing here.
                    Some(event) if event.action.starts_with("exec_") => continue,
                    Some(_) => {}
                    None => {
                        tokio::select! { () = stop.cancelled() => break, _ = tick.tick() => {} }
                        events = Box::pin(self.engine.container_events(project));
                    }
                }
            }
            let looked = self.look(false, &mut memory).await;
            let unread = matches!(looked, Err(WatchError::Release(_)));
            let happened = looked.unwrap_or_else(|error| {
                let error = error.to_string();
                Some(Happened::Failed { error })
            });
            let again = happened.is_some() && happened == last;
            if let (Some(happened), false) = (&happened, again) {
                tell(happened.clone());
            }
            last = happened;
            if unread {
                // Reading makes events, by which it would be read again at once, and for ever.
                let again = sleep(READ_AGAIN);
                tokio::select! { () = stop.cancelled() => {}, () = again => {} }
            }
        }
        match self.look(true, &mut memory).await {
            Ok(Some(happened)) => tell(happened),
            Ok(None) => {}
            Err(error) => tell(Happened::Failed {
                error: error.to_string(),
            }),
        }
        tell(Happened::End);
    }

    /// Looks once, and changes the list if it has to be. With `all`, as if all that run were ready.
    async fn look(&self, all: bool, memory: &mut Memory) -> Result<Option<Happened>, WatchError> {
        let observed = observe(self.engine, self.project, None).await?;
        let Memory { known, written } = memory;
        let release = observed.release().cloned();
        known.take_if(|known| Some(&known.release) != release.as_ref());
        let Some(Known {
            followed: Followed { stack, template },
            content,
            ..
        }) = self.known(known, &observed).await?
        else {
            return Ok(None);
        };
        let Some(config) = &stack.edge else {
            return Ok(None);
        };
        let edges: Vec<&Replica> = running(&observed, config).collect();
        let Some(first) = edges.first() else {
            return Ok(None);
        };
        let (seen, text, maintenance) = future::join3(
            self.ask(stack, config, &observed, all),
            edge::read(self.engine, stack, config, &first.container),
            edge::read_maintenance(self.engine, stack, config, &first.container),
        )
        .await;
        let maintenance = maintenance?;
        let Some(text) = text? else {
            return Ok(None);
        };
        if text != *content {
            // Somebody else wrote it, who may have deployed: the next look goes by what that was.
            *known = None;
            return Ok(None);
        }
        let in_list = listed(&text, seen.iter().map(|seen| &seen.name));
        let ours = written.as_ref().filter(|it| it.content == text);
        let belong = match ours {
            Some(written) => written.belong.clone(),
            None => releases(&in_list, &seen),
        };
        let Some(change) = decide(&in_list, &belong, &seen) else {
            let nobody = !in_list.is_empty() && !seen.iter().any(|seen| seen.ready);
            return Ok(nobody.then_some(Happened::Kept { servers: in_list }));
        };
        // Until the list is written nothing may take long.
        if !self.is_free().await? {
            return Ok(None);
        }
        let servers = change.servers.iter().cloned().collect();
        let list = Upstream::of(config, template, servers, maintenance.as_ref());
        *content = edge::render(config, template, &list)?;
        for replica in edges {
            edge::reload(
                self.engine,
                self.prober,
                stack,
                config,
                replica,
                content,
                list.generation,
            )
            .await?;
        }
        *written = Some(Written {
            content: content.clone(),
            belong,
        });
        Ok(Some(Happened::Changed(change)))
    }

    async fn is_free(&self) -> Result<bool, WatchError> {
        let status = lock_status(self.engine, self.project).await?;
        Ok(status == LockStatus::Free)
    }

    /// What it goes by; it is read when it is not known, and nobody is about to change it.
    async fn known<'k>(
        &self,
        known: &'k mut Option<Known>,
        observed: &Observed,
    ) -> Result<Option<&'k mut Known>, WatchError> {
        let Some(release) = observed.release().cloned() else {
            return Ok(None);
        };
        if known.is_none() {
            if !self.is_free().await? {
                return Ok(None);
            }
            let followed = (self.read)(observed).await?;
            let Some(config) = &followed.stack.edge else {
                return Ok(None);
            };
            let Some(edge) = running(observed, config).next() else {
                return Ok(None);
            };
            let text = edge::read(self.engine, &followed.stack, config, &edge.container).await?;
            *known = text.map(|content| Known {
                followed,
                release,
                content,
            });
        }
        Ok(known.as_mut())
    }

    async fn ask(&self, stack: &Stack, config: &Edge, observed: &Observed, all: bool) -> Vec<Seen> {
        let Some(service) = stack.services.get(&config.upstream) else {
            return Vec::new();
        };
        let replicas = observed.replicas_of(&config.upstream);
        future::join_all(replicas.map(|replica| async move {
            let ready = if all {
                replica.is_up()
            } else if replica.is_running() {
                let asked = timeout(ANSWER_WITHIN, self.prober.readiness(service, replica)).await;
                matches!(asked, Ok(Readiness::Ready))
            } else {
                false
            };
            Seen {
                name: replica.name.clone(),
                release: replica.release.clone(),
                ready,
            }
        }))
        .await
    }
}

/// The edges that run.
fn running<'a>(observed: &'a Observed, config: &'a Edge) -> impl Iterator<Item = &'a Replica> {
    observed
        .replicas_of(&config.service)
        .filter(|replica| replica.is_running())
}
