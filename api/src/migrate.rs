//! `migrate up|status`: the migrations of a folder against a database, without serving.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use mysql_async::Conn;
use sysndd_migrator::{MigrationSet, Settings, Status};

use crate::config::{DatabaseUrl, Fault, Identity, Migrations, Source, Telemetry};
use crate::telemetry::{self, Events};

/// Looking takes a few round trips.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);

/// What to do, with which files, to which database.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Folder of `NNN_name.sql` files, in place of `SYSNDD_MIGRATIONS_DIR`
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// `mysql://user:password@host:port/database`, in place of `SYSNDD_DATABASE_URL`; others on
    /// this machine can see arguments, so prefer the variable
    #[arg(long, global = true)]
    database_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Apply what is pending; events go to standard output
    Up,
    /// Show what is applied, what is pending and who holds the lock
    Status {
        /// How to print it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// Runs the chosen action.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut source = Source::from_process();
    let identity = Identity::read(&mut source);
    let migrations = Migrations::read(&mut source);
    let telemetry = Telemetry::read(&mut source);
    let fault = Fault::read(&mut source);
    let url = match &args.database_url {
        None => DatabaseUrl::read(&mut source),
        Some(text) => DatabaseUrl::parse(text)
            .map_err(|fault| source.fault("--database-url", fault))
            .ok(),
    };
    let url = source.finish(url)?;

    let dir = args.dir.unwrap_or(migrations.dir);
    let set = MigrationSet::load(&dir)?;
    match args.action {
        Action::Up => {
            telemetry::init(telemetry.filter);
            let settings = Settings {
                release: identity.release.clone(),
                wait_budget: migrations.wait,
                ..Settings::new(identity.replica.clone())
            };
            let events = Events::new(identity).dying_at(fault);
            sysndd_migrator::migrate(url.opts(), &set, &settings, &events).await?;
        }
        Action::Status { format } => {
            let status = tokio::time::timeout(STATUS_TIMEOUT, look(&url, &set))
                .await
                .with_context(|| format!("{url} did not answer within {STATUS_TIMEOUT:?}"))??;
            let text = match format {
                Format::Text => describe(&status),
                Format::Json => serde_json::to_string(&status)? + "\n",
            };
            std::io::stdout()
                .write_all(text.as_bytes())
                .context("printing the status")?;
        }
    }
    Ok(())
}

async fn look(url: &DatabaseUrl, set: &MigrationSet) -> anyhow::Result<Status> {
    let connecting = Conn::new(url.opts()).await;
    let mut conn = connecting.with_context(|| format!("connecting to {url}"))?;
    let status = sysndd_migrator::status(&mut conn, set).await?;
    // All is known; a farewell that fails takes nothing away from it.
    let _ = conn.disconnect().await;
    Ok(status)
}

/// The status for a reader.
fn describe(status: &Status) -> String {
    let mut lines = vec![
        format!("head     {}", status.head.as_deref().unwrap_or("-")),
        format!("applied  {}", status.applied),
        format!("pending  {}", status.pending.len()),
    ];
    lines.extend(status.pending.iter().map(|file| format!("         {file}")));
    if !status.ahead.is_empty() {
        lines.push(format!("ahead    {}", status.ahead.len()));
        lines.extend(status.ahead.iter().map(|file| format!("         {file}")));
    }
    lines.extend(
        status
            .problems
            .iter()
            .map(|problem| format!("problem  {problem}")),
    );
    lines.push(match (&status.lock.held, &status.lock.holder) {
        (false, _) => "lock     free".to_owned(),
        (true, Some(holder)) => format!("lock     held by {holder}"),
        (true, None) => "lock     held".to_owned(),
    });
    lines.join("\n") + "\n"
}
