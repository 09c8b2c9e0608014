//! `backup …`: backups from the machine of the site, and as jobs of a deployment. Needs no replica that runs.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use sysndd_migrator::MigrationSet;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::restore::{Errand, Means, Progress};
use super::{Backup, BackupName, Backups, Forget, Kind, Mirror, Page, Sort};
use crate::config::{self, DatabaseUrl, Identity, Limits, Migrations, Source, Telemetry};
use crate::storage::Storage;
use crate::{db, telemetry};

const EXAMPLES: &str = "\
Examples:
  sysndd-api backup create                                    the last line is the backup as JSON
  sysndd-api backup list --format json
  sysndd-api backup verify                                    the newest one
  sysndd-api backup restore --confirm RESTORE manual_2026-11-20_20-01-02.sql.zst

Exit codes: 0 done, 1 failed or a fault was found, 2 usage or configuration";

/// What to do with which backup.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// How lists are printed
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a backup; prints it as one line of JSON
    Create {
        /// Why, as it stands in the name
        #[arg(long, value_enum, default_value = "manual")]
        kind: Kind,
        /// Only where there is none that is whole
        #[arg(long)]
        if_none: bool,
    },
    /// Show all backups, the newest first
    List,
    /// Read a backup whole: it must be what it was when it was made
    Verify {
        /// The newest one unless told
        filename: Option<BackupName>,
        /// Load it as well, beside the live database, check what came of it, and drop that
        #[arg(long)]
        load: bool,
    },
    /// Bring a copy back from the object storage
    Fetch {
        /// Without one, the copies are listed
        filename: Option<BackupName>,
    },
    /// Exchange the live database for a backup; a `pre-restore` backup is made first
    Restore {
        filename: BackupName,
        /// The word RESTORE: what is there now is replaced
        #[arg(long)]
        confirm: String,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// Does it.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut source = Source::from_process();
    let identity = Identity::read(&mut source);
    let migrations = Migrations::read(&mut source);
    let limits = Limits::read(&mut source);
    let database = config::Database::read(&mut source);
    let telemetry = Telemetry::read(&mut source);
    let data_dir = config::data_dir(&mut source);
    let url = database.as_ref().map(|database| &database.url);
    let storage = config::Storage::read(&mut source);
    let config = config::Backups::read(&mut source, &data_dir, url);
    let database = source.finish(database)?;
    telemetry::init_beside(telemetry.filter);
    let means = match &config.restore_url {
        Some(url) => Some(means(url, &identity, &migrations, &limits)?),
        None => None,
    };
    let release = identity.release.as_ref().map(ToString::to_string);
    let backups = Backups::new(&config, &database.url, release, means);
    match args.action {
        Action::Create { kind, if_none } => {
            let newest = if if_none {
                newest_whole(&backups).await?
            } else {
                None
            };
            let backup = if let Some(backup) = newest {
                backup
            } else {
                db::await_database(&database).await?;
                let backup = backups.create(kind).await?;
                tidy(&backups, &database, storage.is_some()).await;
                if storage.is_some() {
                    copy_soon(&database).await;
                }
                backup
            };
            print(&format!("{}\n", json!(backup)))?;
        }
        Action::List => {
            let backups = backups.list().await?;
            print(&list(backups, args.format))?;
        }
        Action::Verify { filename, load } => {
            let name = match filename {
                Some(name) => name,
                None => newest(&backups).await?,
            };
            let mut backup = backups.verify(&name).await?;
            if load {
                db::await_database(&database).await?;
                backup = backups.test(&name, &errand()).await?;
            }
            let text = match args.format {
                Format::Json => format!("{}\n", json!(backup)),
                Format::Text => format!(
                    "{name} is whole{}: {} tables, {} bytes\n",
                    if load { " and can be loaded" } else { "" },
                    backup.table_count.unwrap_or_default(),
                    backup.size_bytes
                ),
            };
            print(&text)?;
        }
        Action::Fetch { filename } => {
            let Some(storage) = &storage else {
                bail!("there are no copies: SYSNDD_STORAGE_URL is not set");
            };
            let storage = Storage::new(storage)?;
            if let Some(name) = filename {
                backups.fetch(&storage, &name).await?;
                print(&format!("{}\n", json!(backups.find(&name).await?)))?;
            } else {
                let mut names = storage.list().await?;
                names.sort();
                for (name, bytes) in names {
                    print(&format!("{name}  {bytes:>12} bytes\n"))?;
                }
            }
        }
        Action::Restore { filename, confirm } => {
            if confirm != "RESTORE" {
                bail!(
                    "give `--confirm RESTORE`: what is in the database now is replaced by {filename}"
                );
            }
            db::await_database(&database).await?;
            let restored = backups.restore(&filename, &errand()).await?;
            tidy(&backups, &database, storage.is_some()).await;
            print(&format!("{}\n", json!(restored)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn means(
    url: &DatabaseUrl,
    identity: &Identity,
    migrations: &Migrations,
    limits: &Limits,
) -> anyhow::Result<Means> {
    Ok(Means {
        opts: url.opts(),
        set: Arc::new(MigrationSet::load(&migrations.dir)?),
        replica: identity.replica.clone(),
        request_timeout: limits.timeout.max(Duration::from_secs(1)),
    })
}

/// Those go that are not kept beside the new one, and a replica takes their copies away.
async fn tidy(backups: &Backups, database: &config::Database, has_copies: bool) {
    let tidied = async {
        let deleted = backups.tidy().await?;
        if has_copies && !deleted.is_empty() {
            let mut conn = mysql_async::Conn::new(database.url.opts()).await?;
            for name in deleted {
                Forget::new(name).enqueue(&mut conn).await?;
            }
            conn.disconnect().await?;
        }
        anyhow::Ok(())
    };
    if let Err(error) = tidied.await {
        tracing::warn!(%error, "not all is deleted that is not kept any more");
    }
}

/// A replica copies it to the storage. When it cannot be told now, it finds it by itself later.
async fn copy_soon(database: &config::Database) {
    let told = async {
        let mut conn = mysql_async::Conn::new(database.url.opts()).await?;
        Mirror::enqueue(&mut conn).await?;
        anyhow::Ok(conn.disconnect().await?)
    };
    if let Err(error) = told.await {
        tracing::warn!(%error, "the backup is copied to the object storage later");
    }
}

/// Of a command that nobody watches.
fn errand() -> Errand {
    Errand {
        id: format!("command-{:016x}", rand::random::<u64>()),
        tell: watch::Sender::new(Progress::NONE),
        cancel: CancellationToken::new(),
    }
}

async fn newest_whole(backups: &Backups) -> anyhow::Result<Option<Backup>> {
    let all = backups.list().await?;
    let whole = all.into_iter().filter(Backup::is_whole);
    Ok(whole.max_by(|a, b| a.filename.cmp(&b.filename)))
}

async fn newest(backups: &Backups) -> anyhow::Result<BackupName> {
    let all = backups.list().await?;
    let newest = all.into_iter().map(|backup| backup.filename).max();
    newest.context("there is no backup; make one with `sysndd-api backup create`")
}

fn list(backups: Vec<Backup>, format: Format) -> String {
    let page = Page::of(backups, Sort::Newest, 1, u32::MAX);
    if format == Format::Json {
        return format!("{}\n", json!(page));
    }
    let rows = page.backups().iter().map(|backup| {
        let tables = backup
            .table_count
            .map_or_else(|| "?".to_owned(), |count| count.to_string());
        let fault = backup.fault.as_deref().unwrap_or_default();
        format!(
            "{}  {:>12} bytes  {tables:>4} tables  {}  {fault}",
            backup.filename,
            backup.size_bytes,
            backup.migration_head.as_deref().unwrap_or("-")
        )
        .trim_end()
        .to_owned()
            + "\n"
    });
    let rows: String = rows.collect();
    if rows.is_empty() {
        "no backups\n".to_owned()
    } else {
        rows
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("printing the answer")
}
