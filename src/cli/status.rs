//! `status`: what runs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sysndd_protocol::{ReleaseId, ReplicaName};

use super::{
    Global, cut_off,
    session::Session,
    status_watch::{Conditions, watch},
};
use crate::{
    config::{ProjectName, ServiceName},
    docker::{ContainerState, PublishedPort},
    error::Error,
    exit::Exit,
    observe::{Observed, Replica},
    output::{Printer, Table},
    plan::Maintenance,
    probe::Readiness,
};

/// Show each replica: state, readiness asked of the replica itself, image, start.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Status {
    /// Go on until Ctrl-C: redraw on a terminal, elsewhere a line for each change
    #[arg(short, long)]
    watch: bool,
}

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy status
  sysndd-deploy status --watch                  redrawn with every change
  sysndd-deploy status --watch --format json    a document for each change";

/// The answer of `status --format json`.
#[derive(Debug, Serialize)]
pub(super) struct StatusReport {
    pub(super) project: ProjectName,
    pub(super) release: Option<ReleaseId>,
    /// Where the site is reached from here.
    pub(super) url: Option<String>,
    /// Where a browser goes.
    pub(super) public_url: Option<String>,
    /// What users are told while the edge is closed for them.
    pub(super) maintenance: Option<Maintenance>,
    services: Vec<ServiceStatus>,
}

#[derive(Debug, Serialize)]
struct ServiceStatus {
    name: ServiceName,
    wanted: u32,
    ready: usize,
    replicas: Vec<ReplicaStatus>,
}

#[derive(Debug, Serialize)]
struct ReplicaStatus {
    name: ReplicaName,
    number: u32,
    container: String,
    image: String,
    release: ReleaseId,
    state: ContainerState,
    ready: bool,
    reason: Option<String>,
    exit_code: Option<i64>,
    restarts: i64,
    address: Option<std::net::IpAddr>,
    /// What the engine publishes now, with the ports that it picked.
    ports: Vec<PublishedPort>,
    started_at: Option<DateTime<Utc>>,
}

impl Status {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let session = Session::open(global, printer).await?;
        if self.watch {
            return watch(&session).await;
        }
        let observed = session.observe().await?;
        let report = report(&session, &observed);
        printer.data(&report, || report.human());
        cut_off::tell(&session).await;
        Ok(Exit::Done)
    }
}

pub(super) fn report(session: &Session, observed: &Observed) -> StatusReport {
    let services = session.stack.services.values().map(|service| {
        let replicas: Vec<ReplicaStatus> = observed
            .replicas_of(&service.name)
            .map(ReplicaStatus::new)
            .collect();
        ServiceStatus {
            name: service.name.clone(),
            wanted: service.replicas,
            ready: replicas.iter().filter(|replica| replica.ready).count(),
            replicas,
        }
    });
    StatusReport {
        project: session.stack.project.clone(),
        release: observed.release().cloned(),
        url: session.url(observed),
        public_url: session.public_url(observed),
        maintenance: observed.maintenance.clone(),
        services: services.collect(),
    }
}

impl ReplicaStatus {
    fn new(replica: &Replica) -> Self {
        Self {
            name: replica.name.clone(),
            number: replica.number,
            container: replica.container.clone(),
            image: replica.image.clone(),
            release: replica.release.clone(),
            state: replica.state,
            ready: replica.is_ready(),
            reason: match &replica.readiness {
                Readiness::NotReady(reason) => Some(reason.clone()),
                Readiness::Ready | Readiness::Unknown => None,
            },
            exit_code: replica.exit_code,
            restarts: replica.restart_count,
            address: replica.address,
            ports: replica.ports.clone(),
            started_at: replica.started_at,
        }
    }

    fn condition(&self) -> String {
        match (self.ready, self.exit_code, &self.reason) {
            (true, ..) => "ready".into(),
            (false, Some(code), _) => format!("exit code {code}"),
            (false, None, Some(reason)) => format!("not ready: {reason}"),
            (false, None, None) => "not running".into(),
        }
    }
}

impl StatusReport {
    /// `api 4/4 ready, db 1/1 ready`
    pub(super) fn summary(&self) -> String {
        let services: Vec<String> = self
            .services
            .iter()
            .map(|service| {
                format!(
                    "{} {}/{} ready",
                    service.name,
                    service.ready,
                    service.replicas.len()
                )
            })
            .collect();
        services.join(", ")
    }

    /// Each replica with its state and condition.
    pub(super) fn conditions(&self) -> Conditions {
        let replicas = self.services.iter().flat_map(|service| &service.replicas);
        replicas
            .map(|replica| {
                let state = format!("{:?}", replica.state).to_lowercase();
                (replica.name.clone(), (state, replica.condition()))
            })
            .collect()
    }

    pub(super) fn human(&self) -> String {
        let replicas: usize = self
            .services
            .iter()
            .map(|service| service.replicas.len())
            .sum();
        if replicas == 0 {
            return format!("{} is down\n", self.project);
        }
        let release = self.release.as_ref().map_or("", |release| release.as_str());
        let mut text = format!(
            "{} {release}  {}\n\n",
            self.project,
            self.public_url.as_deref().unwrap_or("")
        );
        if let Some(maintenance) = &self.maintenance {
            text.push_str(&format!("{maintenance}\n\n"));
        }
        let mut table = Table::new(&[
            "SERVICE",
            "REPLICA",
            "STATE",
            "CONDITION",
            "RESTARTS",
            "UP SINCE",
        ]);
        for service in &self.services {
            for replica in &service.replicas {
                table.row([
                    service.name.to_string(),
                    replica.name.to_string(),
                    format!("{:?}", replica.state).to_lowercase(),
                    replica.condition(),
                    replica.restarts.to_string(),
                    replica.started_at.map_or_else(String::new, |at| {
                        at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
                    }),
                ]);
            }
        }
        text.push_str(&table.render());
        text
    }
}
