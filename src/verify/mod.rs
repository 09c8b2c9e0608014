//! `verify`: checks that prove a deployment right, each asked of the replicas themselves.
//!
//! Changes no managed resource. A check may run commands in replicas, send requests, and write
//! temporary data, which it removes.

mod backups;
mod evidence;
mod ledger;
mod logs;
mod nginx;
mod pages;
mod report;
mod secrets;
mod server;
mod timeline;
mod checks {
    //! One file a check, collected by `build.rs`.

    include!(concat!(env!("OUT_DIR"), "/checks.rs"));
}

use std::time::Instant;

use futures::future::{self, BoxFuture};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};

pub(crate) use evidence::{Evidence, ReplicaEvidence};
use ledger::Ledger;
pub(crate) use ledger::read as read_ledger;
pub(crate) use report::{CheckReport, Report};
pub(crate) use timeline::Timeline;

use crate::{
    config::{Edge, Probe, ServiceName, Stack},
    docker::{Engine, EngineError, ExecOutput},
    observe::{Observed, Replica},
    probe::{Prober, Request, Response},
};

/// Checks that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Suite {
    Replicas,
    Startup,
    Migration,
    Data,
    Web,
    Health,
    Database,
    Security,
    Storage,
    Mail,
    Observability,
    Backup,
}

/// One check.
pub(crate) struct Check {
    /// `suite.name`; scripts rely on it.
    pub(crate) id: &'static str,
    pub(crate) suite: Suite,
    /// Requirements that it proves.
    pub(crate) requirements: &'static [&'static str],
    /// What is right.
    pub(crate) expected: &'static str,
    /// Whether it puts more load on the deployment than a visitor does: then it runs when no other
    /// check does, which it could make fail.
    pub(crate) strains: bool,
    pub(crate) run: for<'a> fn(&'a Context<'a>) -> BoxFuture<'a, Outcome>,
}

/// What a check works with.
pub(crate) struct Context<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) engine: &'a Engine,
    pub(crate) prober: &'a Prober,
    pub(crate) evidence: &'a Evidence,
    /// Held by each process that is started inside a replica.
    processes: Semaphore,
    /// What the edge was told, once somebody asked.
    edge_told: OnceCell<Result<nginx::Block, Outcome>>,
}

/// A process inside a replica costs the engine a good tenth of a second of a core, which the replicas
/// need to answer other checks, and their visitors.
const PROCESSES_AT_ONCE: usize = 4;

impl Context<'_> {
    /// Runs a command inside a replica, when it is its turn.
    pub(crate) async fn exec(
        &self,
        replica: &Replica,
        command: &[&str],
    ) -> Result<ExecOutput, EngineError> {
        let _turn = self.processes.acquire().await;
        self.engine.exec(&replica.container, command).await
    }

    /// The migration ledger, or what a check says that needs it and has none.
    pub(crate) fn ledger(&self) -> Result<&Ledger, Outcome> {
        match &self.evidence.ledger {
            Some(Ok(ledger)) => Ok(ledger),
            Some(Err(cause)) => Err(Outcome::fail(format!("the ledger cannot be read: {cause}"))),
            None => Err(Outcome::skip("the stack has no [migrations]")),
        }
    }

    /// Where the replicas of a service answer HTTP, as far as the stack says.
    pub(crate) fn port_of(&self, service: &ServiceName) -> Option<u16> {
        let probe = self.stack.services.get(service)?.healthcheck.probe.as_ref();
        let edge = self.stack.edge.as_ref();
        match probe {
            Some(Probe::Http { port, .. }) => Some(*port),
            _ => edge
                .filter(|edge| edge.upstream == *service)
                .map(|edge| edge.port),
        }
    }

    /// Asks a replica itself, at the port of its service.
    pub(crate) async fn ask(
        &self,
        replica: &Replica,
        request: &Request<'_>,
    ) -> Result<Response, String> {
        let port = self
            .port_of(&replica.service)
            .ok_or_else(|| format!("{} has no HTTP probe that says its port", replica.service))?;
        let answer = self.prober.send(replica, port, request).await;
        answer.map_err(|error| error.to_string())
    }

    /// Replicas behind the edge, whether or not they run; the reason to skip where there is no edge.
    pub(crate) fn upstream(&self) -> Result<Vec<&Replica>, Outcome> {
        let edge = self.stack.edge.as_ref();
        let edge = edge.ok_or_else(|| Outcome::skip("the stack has no [edge]"))?;
        Ok(self.evidence.observed.replicas_of(&edge.upstream).collect())
    }

    /// `GET path` through the edge, the way a browser comes.
    pub(crate) async fn edge_get(&self, path: &str) -> Result<Response, String> {
        self.edge_send(&Request::get(path)).await
    }

    /// Asks through the edge: by the published port, or at the edge's own address where none is
    /// published.
    pub(crate) async fn edge_send(&self, request: &Request<'_>) -> Result<Response, String> {
        let edge = self.open_edge()?;
        let entrance = self.running(edge.entrance())?;
        let answer = if let Some(address) = entrance.published(self.engine.info()) {
            self.prober.send_published(&address, request).await
        } else {
            let replica = self.running(&edge.service)?;
            self.prober
                .send(replica, self.edge_port(edge), request)
                .await
        };
        answer.map_err(|error| error.to_string())
    }

    /// Asks the edge from inside its own container, where no proxy stands in front of it.
    pub(crate) async fn edge_send_inside(&self, request: &Request<'_>) -> Result<Response, String> {
        let edge = self.open_edge()?;
        let replica = self.running(&edge.service)?;
        let port = self.edge_port(edge);
        let answer = self.prober.send_inside(replica, port, request).await;
        answer.map_err(|error| error.to_string())
    }

    /// The edge, unless it is closed to everybody.
    fn open_edge(&self) -> Result<&Edge, String> {
        if let Some(maintenance) = &self.evidence.observed.maintenance {
            return Err(format!(
                "{maintenance}; `sysndd-deploy maintenance off` opens it again"
            ));
        }
        self.stack
            .edge
            .as_ref()
            .ok_or_else(|| "the stack has no [edge]".to_owned())
    }

    /// A replica of the service that runs.
    pub(crate) fn running<'a>(&'a self, service: &'a ServiceName) -> Result<&'a Replica, String> {
        self.evidence
            .observed
            .replicas_of(service)
            .find(|replica| replica.is_running())
            .ok_or_else(|| format!("{service} does not run"))
    }

    /// Where the edge itself answers.
    fn edge_port(&self, edge: &Edge) -> u16 {
        let probe = self.stack.services[&edge.service]
            .healthcheck
            .probe
            .as_ref();
        probe.map_or(edge.generation.port, Probe::port)
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) observed: String,
    pub(crate) evidence: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Pass,
    Fail,
    Skip,
}

impl Outcome {
    pub(crate) fn pass(observed: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Pass,
            observed: observed.into(),
            evidence: Value::Null,
        }
    }

    pub(crate) fn fail(observed: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            observed: observed.into(),
            evidence: Value::Null,
        }
    }

    /// The check cannot be made here; the reason says why.
    pub(crate) fn skip(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skip,
            observed: reason.into(),
            evidence: Value::Null,
        }
    }

    /// Passes when there is no fault; otherwise all of them are told.
    pub(crate) fn judge(faults: &[String], right: impl Into<String>) -> Self {
        if faults.is_empty() {
            Self::pass(right)
        } else {
            Self::fail(faults.join("; "))
        }
    }

    pub(crate) fn with(mut self, evidence: impl Serialize) -> Self {
        self.evidence = serde_json::to_value(evidence).unwrap_or(Value::Null);
        self
    }
}

/// Which checks are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub(crate) suites: Vec<Suite>,
    /// Check ids; a skipped check that was asked for by name is a failure.
    pub(crate) ids: Vec<String>,
}

impl Selection {
    fn contains(&self, check: &Check) -> bool {
        (self.suites.is_empty() && self.ids.is_empty())
            || self.suites.contains(&check.suite)
            || self.ids.iter().any(|id| id == check.id)
    }

    /// Ids that no check has.
    pub(crate) fn unknown(&self) -> Vec<&str> {
        let known = |id: &&String| checks::ALL.iter().any(|check| check.id == id.as_str());
        self.ids
            .iter()
            .filter(|id| !known(id))
            .map(String::as_str)
            .collect()
    }
}

/// Whether a selection holds the check of this id.
pub(crate) fn wanted(selection: &Selection, id: &str) -> bool {
    checks::ALL
        .iter()
        .any(|check| check.id == id && selection.contains(check))
}

/// Ids of all checks.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    checks::ALL.iter().map(|check| check.id)
}

/// Gathers the evidence once, then runs the selected checks on it: all at the same time, and then
/// those that strain the deployment, one after another.
pub(crate) async fn verify(
    stack: &Stack,
    engine: &Engine,
    prober: &Prober,
    observed: Observed,
    selection: &Selection,
) -> Report {
    let began = Instant::now();
    let evidence = evidence::gather(stack, engine, prober, observed).await;
    let context = Context {
        stack,
        engine,
        prober,
        evidence: &evidence,
        processes: Semaphore::new(PROCESSES_AT_ONCE),
        edge_told: OnceCell::new(),
    };
    let selected = checks::ALL.iter().filter(|check| selection.contains(check));
    let (straining, quiet): (Vec<&Check>, Vec<&Check>) = selected.partition(|check| check.strains);
    let quiet = quiet.iter().map(|check| run(check, &context, selection));
    let mut checks = future::join_all(quiet).await;
    for check in straining {
        checks.push(run(check, &context, selection).await);
    }
    checks.sort_by_key(|check| (check.suite, check.id));
    Report::new(stack, &evidence, checks, began.elapsed())
}

async fn run(check: &Check, context: &Context<'_>, selection: &Selection) -> CheckReport {
    let began = Instant::now();
    let mut outcome = (check.run)(context).await;
    if outcome.verdict == Verdict::Skip && selection.ids.iter().any(|id| id == check.id) {
        outcome.verdict = Verdict::Fail;
        outcome.observed = format!(
            "asked for by name, but it cannot be checked: {}",
            outcome.observed
        );
    }
    CheckReport::new(check, outcome, began.elapsed())
}
