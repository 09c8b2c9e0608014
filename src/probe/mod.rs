//! Asking a replica itself: directly at its address, or from inside the container where that
//! address cannot be reached (an engine on another machine, a desktop virtual machine).

mod direct;
mod http;
mod inside;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use serde::Serialize;

pub(crate) use http::{Body, Request, Response};

use crate::{
    config::{Probe, Service},
    docker::{Engine, Location},
    observe::Replica,
};

/// One answer may take this long; a replica that needs longer is not ready.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for questions that are not about time: a busy machine may take longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A host on the same machine connects in microseconds. Longer means: there is no way there.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(750);

/// Whether a replica can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub(crate) enum Readiness {
    Ready,
    NotReady(String),
    /// Nobody asked, or the service has nothing to ask.
    Unknown,
}

/// Asks replicas. Remembers which way worked.
#[derive(Clone)]
pub(crate) struct Prober {
    engine: Engine,
    client: reqwest::Client,
    way: Arc<AtomicU8>,
}

/// How replicas are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    /// Direct first; if there is no way, from inside.
    Undecided = 0,
    Direct = 1,
    Inside = 2,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// The replica has no address: it does not run.
    #[error("it is not running")]
    NotRunning,
    /// No packet comes back: another way may work.
    #[error("its address {0} cannot be reached from here")]
    NoRoute(String),
    #[error("{0}")]
    Failed(String),
}

impl Prober {
    /// `way` other than undecided is for tests and for people who know better.
    pub(crate) fn new(engine: Engine, way: Way) -> Self {
        let way = match (way, engine.info().location) {
            // The containers' network of another machine may exist here too, with other hosts in it.
            (Way::Undecided, Location::Remote) => Way::Inside,
            (way, _) => way,
        };
        Self {
            engine,
            client: direct::client(),
            way: Arc::new(AtomicU8::new(way as u8)),
        }
    }

    /// Whether the replica is ready, by the probe of its service.
    pub(crate) async fn readiness(&self, service: &Service, replica: &Replica) -> Readiness {
        let asked = match &service.healthcheck.probe {
            Some(Probe::Http { port, path }) => self
                .get(replica, *port, path)
                .await
                .map(|response| response.readiness()),
            Some(Probe::Tcp { port }) => self
                .connects(replica, *port)
                .await
                .map(|()| Readiness::Ready),
            None => match &service.healthcheck.engine {
                Some(check) => inside::healthcheck(&self.engine, replica, &check.test).await,
                // Nothing to ask: running is all that can be known.
                None => Ok(Readiness::Ready),
            },
        };
        asked.unwrap_or_else(|error| Readiness::NotReady(error.to_string()))
    }

    /// `GET path` of this very replica.
    pub(crate) async fn get(
        &self,
        replica: &Replica,
        port: u16,
        path: &str,
    ) -> Result<Response, ProbeError> {
        let request = Request::get(path).within(PROBE_TIMEOUT);
        self.send(replica, port, &request).await
    }

    /// Asks this very replica.
    pub(crate) async fn send(
        &self,
        replica: &Replica,
        port: u16,
        request: &Request<'_>,
    ) -> Result<Response, ProbeError> {
        if self.way() != Way::Inside {
            match direct::send(&self.client, replica, port, request).await {
                Err(ProbeError::NoRoute(_)) if self.way() == Way::Undecided => {}
                answer => {
                    self.decide(Way::Direct, answer.is_ok());
                    return answer;
                }
            }
        }
        let answer = inside::send(&self.engine, replica, port, request).await;
        self.decide(Way::Inside, answer.is_ok());
        answer
    }

    /// Asks this very replica from inside its container, whatever way there is.
    pub(crate) async fn send_inside(
        &self,
        replica: &Replica,
        port: u16,
        request: &Request<'_>,
    ) -> Result<Response, ProbeError> {
        inside::send(&self.engine, replica, port, request).await
    }

    /// Asks at a published `host:port`, the way a client comes.
    pub(crate) async fn send_published(
        &self,
        address: &str,
        request: &Request<'_>,
    ) -> Result<Response, ProbeError> {
        direct::send_to(&self.client, address, request).await
    }

    async fn connects(&self, replica: &Replica, port: u16) -> Result<(), ProbeError> {
        if self.way() != Way::Inside {
            match direct::connects(replica, port).await {
                Err(ProbeError::NoRoute(_)) if self.way() == Way::Undecided => {}
                answer => {
                    self.decide(Way::Direct, answer.is_ok());
                    return answer;
                }
            }
        }
        let answer = inside::connects(&self.engine, replica, port).await;
        self.decide(Way::Inside, answer.is_ok());
        answer
    }

    /// Whether addresses of containers can be reached from here, as far as it is known.
    pub(crate) fn way(&self) -> Way {
        match self.way.load(Ordering::Relaxed) {
            1 => Way::Direct,
            2 => Way::Inside,
            _ => Way::Undecided,
        }
    }

    fn decide(&self, way: Way, worked: bool) {
        if worked && self.way() == Way::Undecided {
            self.way.store(way as u8, Ordering::Relaxed);
        }
    }
}
