//! What requests share.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use sysndd_migrator::{Gaps, MigrationSet, Mode};
use sysndd_protocol::StartupMigration;

use crate::auth::Hasher;
use crate::backups::{self, Backups};
use crate::config::{Accounts, Config, Identity, Limits};
use crate::data_dir::DataDir;
use crate::db::{self, Db};
use crate::http::StatisticsCache;
use crate::jobs::Jobs;
use crate::lifecycle::Lifecycle;
use crate::mail::Post;
use crate::storage::Storage;
use crate::telemetry::Metrics;

/// The state of the application.
pub(crate) struct App {
    pub(crate) identity: Identity,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) mode: Mode,
    pub(crate) migrations: Migrations,
    /// What the boot sequence did about the schema; unset until it did.
    pub(crate) migrated: OnceLock<StartupMigration>,
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) hasher: Hasher,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) mail: Post,
    pub(crate) backups: Backups,
    /// Absent when copies of backups go nowhere.
    pub(crate) storage: Option<Storage>,
    pub(crate) database: db::Probe,
    pub(crate) data_dir: DataDir,
    /// How many entities there are, counted now and then.
    pub(crate) statistics: StatisticsCache,
}

/// The files of this release, and what to think of numbers that are left out.
pub(crate) struct Migrations {
    pub(crate) set: Arc<MigrationSet>,
    pub(crate) gaps: Option<Gaps>,
}

impl App {
    /// Puts the parts together; opens no connection and touches no file.
    pub(crate) fn new(config: &Config, set: Arc<MigrationSet>) -> anyhow::Result<Arc<Self>> {
        let db = Db::new(&config.database);
        let lifecycle = Arc::new(Lifecycle::new());
        let jobs = Arc::new(Jobs::new(&config.jobs, &config.backups));
        let backups = Backups::new(
            &config.backups,
            &config.database.url,
            config.identity.release.as_ref().map(ToString::to_string),
            config
                .backups
                .restore_url
                .as_ref()
                .map(|url| backups::Means {
                    opts: url.opts(),
                    set: Arc::clone(&set),
                    replica: config.identity.replica.clone(),
                    request_timeout: config.limits.timeout,
                }),
        );
        let storage = config.storage.as_ref().map(Storage::new).transpose();
        let storage = storage.context("setting up the object storage")?;
        let metrics = Metrics::new(
            &config.identity,
            &db,
            &lifecycle,
            &jobs,
            backups.summary(),
            storage.as_ref().map(Storage::missing),
        );
        Ok(Arc::new(Self {
            identity: config.identity.clone(),
            started_at: Utc::now(),
            lifecycle,
            mode: config.migrations.mode,
            migrations: Migrations {
                set: Arc::clone(&set),
                gaps: config.migrations.gaps,
            },
            migrated: OnceLock::new(),
            db,
            limits: config.limits.clone(),
            metrics,
            accounts: config.accounts.clone(),
            hasher: Hasher::new(),
            jobs,
            mail: Post::new(config.smtp.clone(), &config.accounts.public_url)?,
            storage,
            backups,
            database: db::Probe::new(config.database.url.clone(), set),
            data_dir: DataDir::new(config.data_dir.clone(), &config.identity.replica),
            statistics: StatisticsCache::default(),
        }))
    }
}
