//! The boot sequence of `serve` and `worker`, top to bottom.
//!
//! The listener is up before the schema is touched, so that `/health/ready` can tell what is going
//! on; nothing here waits for a fixed time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sysndd_migrator::{EventSink as _, MigrationSet, Settings};
use sysndd_protocol::{Event, Level};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Source};
use crate::jobs::Jobs;
use crate::shutdown::{self, Running, Signals};
use crate::state::App;
use crate::telemetry::{self, Events};
use crate::{backups, db, http, mail, storage};

/// How often the database may be lost in the middle of migrating before a start gives up.
const DATABASE_LOSSES: u32 = 3;

/// What a replica is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Requests and jobs.
    Everything,
    /// Jobs; of requests only those for its health.
    Jobs,
}

/// Runs the replica until it is asked to end.
pub(crate) async fn serve(duty: Duty) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut signals = Signals::install().context("installing the signal handlers")?;
    let config = Config::read(Source::from_process())?;
    telemetry::init(config.telemetry.filter.clone());
    let events = Events::new(config.identity.clone()).dying_at(config.fault);
    events.info(begin());
    for variable in &config.unknown {
        tracing::warn!(variable, "nothing reads this variable; is it misspelt?");
    }

    if config.database.url.is_in_the_clear() {
        let database = config.database.url.to_string();
        tracing::warn!(
            database,
            "nothing between here and the database is encrypted; name the file with its CA in SYSNDD_DB_CA, or add ?require_ssl=true to its address"
        );
    }

    let set = Arc::new(load_migrations(&config, &events)?);
    let app = App::new(&config, Arc::clone(&set))?;
    let running = listen(&config, &app, duty).await?;
    // Runs to the end of the process.
    tokio::spawn(mail::watch(Arc::clone(&app)));
    tokio::spawn(backups::watch(Arc::clone(&app)));
    tokio::spawn(backups::watch_directory(Arc::clone(&app)));
    tokio::spawn(storage::watch(Arc::clone(&app)));

    let boot = boot(&config, &app, &set, &events);
    tokio::pin!(boot);
    let (reason, booted) = tokio::select! {
        outcome = &mut boot => {
            outcome?;
            app.lifecycle.serving();
            Jobs::start(&app);
            let elapsed_ms = milliseconds(began.elapsed());
            events.info(Event::StartupReady { elapsed_ms });
            (signals.next().await, true)
        }
        reason = signals.next() => (reason, false),
    };
    // A wait is simply given up; a schema change under way is finished if time allows.
    let unfinished = async {
        if !booted && events.applying() {
            let _ = boot.await;
        }
    };
    shutdown::drain(
        &app,
        &events,
        &config.server,
        &mut signals,
        running,
        unfinished,
        reason,
    )
    .await
}

/// Everything between the listener and ready.
async fn boot(
    config: &Config,
    app: &App,
    set: &MigrationSet,
    events: &Events,
) -> anyhow::Result<()> {
    app.data_dir.probe().await?;
    events.info(Event::DataDirWritable {
        path: app.data_dir.path().display().to_string(),
    });

    let settings = settings(config);
    let mut lost = 0;
    let outcome = loop {
        let connected = db::await_database(&config.database).await?;
        events.info(Event::DbConnected {
            attempts: connected.attempts,
            elapsed_ms: milliseconds(connected.elapsed),
        });
        app.backups.await_restore(config.migrations.wait).await;
        match sysndd_migrator::migrate(config.database.url.opts(), set, &settings, events).await {
            // It answered and was gone again: some databases restart while they are set up.
            Err(error) if error.is_transient() && lost < DATABASE_LOSSES => {
                tracing::warn!(%error, "the database was lost while migrating; connecting again");
                lost += 1;
            }
            outcome => break outcome?,
        }
    };
    // Set once, here.
    let _ = app.migrated.set(outcome.startup);

    app.db.warm().await;
    Ok(())
}

fn begin() -> Event {
    Event::StartupBegin {
        pid: std::process::id(),
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn load_migrations(config: &Config, events: &Events) -> anyhow::Result<MigrationSet> {
    MigrationSet::load(&config.migrations.dir)
        .inspect_err(|error| {
            let message = error.to_string();
            let failed = Event::MigrationFailed {
                file: None,
                statement: None,
                code: None,
                message,
            };
            events.emit(Level::Error, failed);
        })
        .context("starting")
}

async fn listen(config: &Config, app: &Arc<App>, duty: Duty) -> anyhow::Result<Running> {
    let bind = config.server.bind;
    let listener = TcpListener::bind(bind)
        .await
        .with_context(|| format!("listening on {bind}"))?;
    // The port may have been left to the system.
    let address = listener
        .local_addr()
        .context("reading the listener's address")?;
    tracing::info!(%address, "listening");
    let close = CancellationToken::new();
    let router = match duty {
        Duty::Everything => http::router(app),
        Duty::Jobs => http::health_alone(app),
    };
    let server = tokio::spawn(http::serve(listener, router, close.clone()));
    Ok(Running { server, close })
}

fn settings(config: &Config) -> Settings {
    Settings {
        mode: config.migrations.mode,
        release: config.identity.release.clone(),
        wait_budget: config.migrations.wait,
        gaps: config.migrations.gaps.unwrap_or_default(),
        ..Settings::new(config.identity.replica.clone())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
