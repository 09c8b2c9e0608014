//! `GET /health`: the process lives. `GET /health/ready`: traffic may be sent here.
//!
//! Liveness touches nothing. Readiness looks at everything a request needs, now, and remembers
//! nothing but what the boot sequence did.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use sysndd_migrator::Mode;
use sysndd_protocol as protocol;
use sysndd_protocol::{DatabaseStatus, HealthReport, ReadyStatus, StorageStatus};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::observe::milliseconds;
use crate::data_dir::DataDirError;
use crate::db::{Schema, Seen};
use crate::lifecycle::Phase;
use crate::state::App;
use crate::storage::Storage;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(alive))
        .routes(routes!(ready))
}

/// The answer to "do you live?".
#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, description = "It does", body = Alive)))]
async fn alive() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Whether traffic may be sent here, and if not, why
#[utoipa::path(get, path = "/health/ready", tag = "health", responses(
    (status = 200, description = "Ready", body = serde_json::Value),
    (status = 503, description = "Starting, draining, or something is missing; `reason` says what", body = serde_json::Value),
))]
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<HealthReport>) {
    let report = look(&app).await;
    let code = match report.status {
        ReadyStatus::Ready => StatusCode::OK,
        ReadyStatus::Starting | ReadyStatus::Unavailable | ReadyStatus::Draining => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    (code, Json(report))
}

/// Looks at all of it now.
pub(super) async fn look(app: &App) -> HealthReport {
    let (database, data_dir) = tokio::join!(app.database.look(), app.data_dir.probe());
    report(app, &database, &data_dir)
}

fn report(
    app: &App,
    database: &Result<Seen, String>,
    data_dir: &Result<Duration, DataDirError>,
) -> HealthReport {
    let (status, reason) = judge(app.lifecycle.phase(), app.mode, database, data_dir);
    let seen = database.as_ref().ok();
    let schema = seen.and_then(|seen| seen.schema.as_ref().ok());
    let usage = app.db.usage();
    HealthReport {
        status,
        reason,
        replica: app.identity.replica.clone(),
        release: app.identity.release.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: app.started_at,
        database: protocol::Database {
            status: if seen.is_some() {
                DatabaseStatus::Up
            } else {
                DatabaseStatus::Down
            },
            latency_ms: seen.map(|seen| milliseconds(seen.latency)),
            tls: seen.is_some_and(|seen| seen.tls),
            pool: protocol::Pool {
                max: usage.max,
                in_use: usage.in_use,
                idle: usage.idle,
            },
        },
        migrations: protocol::Migrations {
            head: schema.and_then(|schema| schema.head.clone()),
            applied: schema.map(|schema| schema.applied),
            pending: schema.map(|schema| schema.pending),
            ahead: schema.map(|schema| schema.ahead),
            startup: app.migrated.get().copied(),
            lock: schema.map(|schema| schema.lock.clone()).unwrap_or_default(),
        },
        workers: app.jobs.report(),
        smtp: app.mail.report(),
        storage: storage(app, data_dir),
        data_dir: protocol::DataDir {
            writable: data_dir.is_ok(),
        },
    }
}

/// Where copies of backups go. Without such a place all is in the data directory, and the one probe answers
/// for both.
fn storage(app: &App, data_dir: &Result<Duration, DataDirError>) -> protocol::Storage {
    app.storage.as_ref().map_or_else(
        || protocol::Storage {
            backend: "fs".to_owned(),
            status: if data_dir.is_ok() {
                StorageStatus::Up
            } else {
                StorageStatus::Down
            },
            latency_ms: data_dir.as_ref().ok().copied().map(milliseconds),
            copies_missing: None,
        },
        Storage::report,
    )
}

/// Decides whether traffic may be sent, and if not, why: the first cause in the order in which
/// mending one uncovers the next.
fn judge(
    phase: Phase,
    mode: Mode,
    database: &Result<Seen, String>,
    data_dir: &Result<Duration, DataDirError>,
) -> (ReadyStatus, Option<String>) {
    if phase == Phase::Draining {
        return (
            ReadyStatus::Draining,
            Some("asked to end; finishing the requests in flight".to_owned()),
        );
    }
    let fault = match (database, data_dir) {
        (Err(cause), _) => Some(format!("the database does not answer: {cause}")),
        (_, Err(cause)) => Some(cause.to_string()),
        // The operator said to look away from the schema.
        (Ok(_), Ok(_)) if mode == Mode::Off => None,
        (Ok(seen), Ok(_)) => match &seen.schema {
            Err(cause) => Some(format!("the migration ledger cannot be read: {cause}")),
            Ok(Schema { pending: 0, .. }) => None,
            Ok(Schema { pending, lock, .. }) => {
                let files = if *pending == 1 {
                    "migration"
                } else {
                    "migrations"
                };
                Some(match &lock.holder {
                    Some(holder) => format!("{pending} {files} pending, being applied by {holder}"),
                    None => format!("{pending} {files} pending"),
                })
            }
        },
    };
    match (phase, fault) {
        (Phase::Starting, fault) => (
            ReadyStatus::Starting,
            Some(fault.unwrap_or_else(|| "the boot sequence has not ended".to_owned())),
        ),
        (_, Some(fault)) => (ReadyStatus::Unavailable, Some(fault)),
        (_, None) => (ReadyStatus::Ready, None),
    }
}

#[cfg(test)]
mod tests {
    use sysndd_protocol::Lock;

    use super::*;

    type Database = Result<Seen, String>;

    fn seen(schema: Result<Schema, String>) -> Seen {
        Seen {
            latency: Duration::from_millis(1),
            tls: false,
            schema,
        }
    }

    fn pending(pending: usize, holder: Option<&str>) -> Seen {
        let lock = Lock {
            held: holder.is_some(),
            holder: holder.map(str::to_owned),
        };
        seen(Ok(Schema {
            pending,
            lock,
            ..Schema::default()
        }))
    }

    fn judged(phase: Phase, mode: Mode, database: &Database) -> (ReadyStatus, String) {
        let (status, reason) = judge(phase, mode, database, &Ok(Duration::ZERO));
        (status, reason.unwrap_or_default())
    }

    #[test]
    fn a_serving_replica_is_ready_when_all_it_needs_answers() {
        let (status, reason) = judged(Phase::Serving, Mode::Auto, &Ok(pending(0, None)));
        assert_eq!((status, reason.as_str()), (ReadyStatus::Ready, ""));
    }

    #[test]
    fn whatever_is_missing_makes_a_serving_replica_unavailable() {
        let down = Err("refused".to_owned());
        for (database, reason) in [
            (&down, "the database does not answer: refused"),
            (&Ok(pending(2, None)), "2 migrations pending"),
            (
                &Ok(pending(1, Some("api-2"))),
                "1 migration pending, being applied by api-2",
            ),
            (
                &Ok(seen(Err("odd".to_owned()))),
                "the migration ledger cannot be read: odd",
            ),
        ] {
            let expected = (ReadyStatus::Unavailable, reason.to_owned());
            assert_eq!(judged(Phase::Serving, Mode::Auto, database), expected);
        }
        let refused = DataDirError::Hangs {
            path: "/data".into(),
        };
        let (status, reason) = judge(
            Phase::Serving,
            Mode::Auto,
            &Ok(pending(0, None)),
            &Err(refused),
        );
        assert_eq!(status, ReadyStatus::Unavailable);
        assert!(reason.expect("a reason").contains("/data"));
    }

    #[test]
    fn before_the_boot_sequence_ends_nothing_is_ready_and_the_reason_is_what_it_waits_for() {
        for (database, reason) in [
            (Ok(pending(0, None)), "the boot sequence has not ended"),
            (Ok(pending(3, None)), "3 migrations pending"),
        ] {
            let expected = (ReadyStatus::Starting, reason.to_owned());
            assert_eq!(judged(Phase::Starting, Mode::Auto, &database), expected);
        }
    }

    #[test]
    fn draining_goes_before_everything_else() {
        for database in [Ok(pending(0, None)), Err("refused".to_owned())] {
            assert_eq!(
                judged(Phase::Draining, Mode::Auto, &database).0,
                ReadyStatus::Draining
            );
        }
    }

    #[test]
    fn only_who_was_told_to_look_away_is_ready_with_migrations_pending() {
        for (mode, status) in [
            (Mode::Auto, ReadyStatus::Unavailable),
            (Mode::Check, ReadyStatus::Unavailable),
            (Mode::Off, ReadyStatus::Ready),
        ] {
            assert_eq!(
                judged(Phase::Serving, mode, &Ok(pending(1, None))).0,
                status
            );
        }
    }
}
