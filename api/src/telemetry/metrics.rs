//! What this replica counts, in the `OpenMetrics` text that Prometheus reads.
//!
//! A registry for each `App`, so that tests do not share one. What can be looked at when it is
//! asked for (the pool, what is in flight) is not counted along.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sysndd_protocol::{DatabaseStatus, HealthReport, SmtpStatus, StorageStatus};
use tokio::sync::watch as latest;

use crate::backups::Summary;
use crate::config::Identity;
use crate::db::Db;
use crate::jobs::Jobs;
use crate::lifecycle::Lifecycle;

const PREFIX: &str = "sysndd";
/// Seconds. The goals (50 ms, 500 ms) are bounds, so that they can be read off.
const BUCKETS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// What is counted as it happens.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Histogram, fn() -> Histogram>,
    sign_ins: Family<SignIn, Counter>,
    jobs: Family<Job, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignIn {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Job {
    kind: String,
    outcome: &'static str,
}

impl Metrics {
    pub(crate) fn new(
        identity: &Identity,
        db: &Db,
        lifecycle: &Arc<Lifecycle>,
        workers: &Arc<Jobs>,
        backups: latest::Receiver<Summary>,
        copies_missing: Option<latest::Receiver<Option<usize>>>,
    ) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let release = identity.release.as_ref().map(ToString::to_string);
        registry.register(
            "build",
            "Version, release and name of this replica",
            Info::new([
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("release", release.unwrap_or_default()),
                ("replica", identity.replica.to_string()),
            ]),
        );
        let requests = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register_with_unit(
            "http_request_duration",
            "From the head of a request to the head of its answer, by route",
            Unit::Seconds,
            requests.clone(),
        );
        let sign_ins = Family::default();
        registry.register(
            "sign_ins",
            "Attempts to sign in, by outcome",
            sign_ins.clone(),
        );
        let jobs = Family::default();
        registry.register(
            "job_attempts",
            "Attempts at jobs by this replica, by kind and how they ended",
            jobs.clone(),
        );
        registry.register_collector(Box::new(Now {
            db: db.clone(),
            lifecycle: Arc::clone(lifecycle),
            workers: Arc::clone(workers),
            backups,
            copies_missing,
        }));
        Self {
            registry,
            requests,
            sign_ins,
            jobs,
        }
    }

    /// An attempt at a job ended. Only kinds that are known here are tried.
    pub(crate) fn job(&self, kind: &str, outcome: &'static str) {
        let kind = kind.to_owned();
        self.jobs.get_or_create(&Job { kind, outcome }).inc();
    }

    /// An answered request. `route` is the pattern, never the path: paths have no end.
    pub(crate) fn request(
        &self,
        method: &Method,
        route: Option<&str>,
        status: u16,
        took: Duration,
    ) {
        let request = Request {
            method: known(method),
            route: route.unwrap_or("none").to_owned(),
            status,
        };
        self.requests
            .get_or_create(&request)
            .observe(took.as_secs_f64());
    }

    pub(crate) fn signed_in(&self) {
        self.sign_in("accepted");
    }

    pub(crate) fn sign_in_refused(&self) {
        self.sign_in("refused");
    }

    fn sign_in(&self, outcome: &'static str) {
        self.sign_ins.get_or_create(&SignIn { outcome }).inc();
    }

    /// All of it, as text.
    pub(crate) fn text(&self, health: &HealthReport) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &of_health(health))?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// What this replica needs, as it was found when somebody asked. What a database that does not
/// answer could not say is left out.
fn of_health(health: &HealthReport) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    let migrations = &health.migrations;
    let is = |yes: bool| Some(usize::from(yes));
    for (name, help, value) in [
        (
            "db_up",
            "Whether the database answers",
            is(health.database.status == DatabaseStatus::Up),
        ),
        (
            "migrations_applied",
            "Migrations of this release that the database has",
            migrations.applied,
        ),
        (
            "migrations_pending",
            "Migrations of this release that the database does not have yet",
            migrations.pending,
        ),
        (
            "smtp_configured",
            "Whether mail is set up",
            is(health.smtp.status != SmtpStatus::Off),
        ),
        (
            "smtp_up",
            "Whether the mail server answered when it was last asked",
            is(health.smtp.status == SmtpStatus::Up),
        ),
        (
            "storage_up",
            "Whether what was last written to where backups go came back",
            is(health.storage.status == StorageStatus::Up),
        ),
    ] {
        if let Some(value) = value {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            registry.register(name, help, ConstGauge::new(value));
        }
    }
    registry
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// Clients may invent methods; each would be a series for ever.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// What is looked at when somebody asks.
#[derive(Debug)]
struct Now {
    db: Db,
    lifecycle: Arc<Lifecycle>,
    workers: Arc<Jobs>,
    backups: latest::Receiver<Summary>,
    /// Absent when copies of backups go nowhere.
    copies_missing: Option<latest::Receiver<Option<usize>>>,
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let usage = self.db.usage();
        let workers = self.workers.report();
        let backups = *self.backups.borrow();
        let seconds = |at| usize::try_from(at).unwrap_or_default();
        for (name, help, value) in [
            (
                "db_pool_connections_max",
                "Connections that requests of this replica may hold at once",
                usage.max,
            ),
            (
                "db_pool_connections_in_use",
                "Connections that are held now",
                usage.in_use,
            ),
            (
                "db_pool_connections_idle",
                "Open connections that nobody holds",
                usage.idle,
            ),
            (
                "http_requests_in_flight",
                "Requests that are being answered now, this one too",
                self.lifecycle.in_flight(),
            ),
            (
                "workers",
                "Jobs that this replica runs at a time at most",
                workers.configured,
            ),
            (
                "workers_busy",
                "Jobs that this replica runs now",
                workers.busy,
            ),
            (
                "jobs_queued",
                "Jobs that wait in the database, for any replica",
                workers.queued,
            ),
            (
                "jobs_oldest_queued_seconds",
                "For how long the job has waited that was due first",
                usize::try_from(workers.oldest_queued_s).unwrap_or(usize::MAX),
            ),
            (
                "backups",
                "Backups that can be restored as far as is known",
                backups.count,
            ),
            (
                "backups_bytes",
                "How much room they take",
                usize::try_from(backups.bytes).unwrap_or(usize::MAX),
            ),
            (
                "backup_newest_timestamp_seconds",
                "When the newest was made; 0 when there is none",
                seconds(backups.newest_at),
            ),
            (
                "backup_tested_timestamp_seconds",
                "When one was last loaded beside the live database and was good; 0 when none was",
                seconds(backups.tested_at),
            ),
            (
                "restore_fence_seconds",
                "For how long a restore has kept everybody from changing anything; 0 when none does",
                usize::try_from(backups.fenced_s).unwrap_or(usize::MAX),
            ),
        ] {
            gauge(&mut encoder, name, help, value)?;
        }
        if let Some(missing) = self
            .copies_missing
            .as_ref()
            .and_then(|missing| *missing.borrow())
        {
            let name = "storage_copies_missing";
            let help = "Backups, but for faulty ones, that had no copy in the object storage when it last answered";
            gauge(&mut encoder, name, help, missing)?;
        }
        let timeouts = self.db.acquire_timeouts();
        let counter = prometheus_client::metrics::counter::ConstCounter::new(timeouts);
        let encoder = encoder.encode_descriptor(
            "db_pool_timeouts",
            "Requests that waited in vain for a connection",
            None,
            counter.metric_type(),
        )?;
        counter.encode(encoder)
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: usize,
) -> Result<(), fmt::Error> {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    let encoder = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(encoder)
}
