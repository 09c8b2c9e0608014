//! `backup.test`: the newest backup is loaded beside the live database, checked as for a restore, and
//! dropped again. A backup that was never restored is a hope.

use std::sync::Arc;

use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::lock::Lock;
use super::super::{Backup, BackupName, Backups, Error, told};
use super::schema::Schemas;
use super::{Errand, PATIENCE, Progress, Run};
use crate::jobs::{Failure, Handler, Turn};
use crate::state::App;

#[derive(Debug, Deserialize)]
pub(crate) struct Test {}

impl Handler for Test {
    const KIND: &'static str = "backup.test";

    async fn run(self, app: Arc<App>, turn: Turn) -> Result<Value, Failure> {
        if !app.backups.can_restore() {
            return Ok(
                json!({ "tested": false, "reason": "SYSNDD_RESTORE_DATABASE_URL is not set" }),
            );
        }
        turn.progress("loading", 0, 1).await?;
        let errand = Errand {
            id: format!("test-{}", turn.job_id),
            tell: watch::Sender::new(Progress::NONE),
            cancel: turn.cancel.clone(),
        };
        let tested = app.backups.test_newest(&errand).await;
        let tested = tested.map(|backup| json!(backup)).map_err(Failure::from);
        told::tell(&app, &turn, &tested).await;
        tested
    }
}

impl Backups {
    async fn test_newest(&self, errand: &Errand) -> Result<Backup, Error> {
        let all = self.list().await?;
        let Some(name) = all.into_iter().map(|backup| backup.filename).max() else {
            return Err(Error::Refused("there is no backup to try".into()));
        };
        self.test(&name, errand).await
    }

    /// Loads a backup beside the live database, checks it as for a restore, and drops it; answers it.
    pub(crate) async fn test(&self, name: &BackupName, errand: &Errand) -> Result<Backup, Error> {
        let means = self.means.as_ref().ok_or(Error::NoRestoreAccount)?;
        let schemas = Schemas::of(&means.opts)?;
        let mut lock = Lock::take(means.opts.clone(), PATIENCE).await?;
        let mut run = Run {
            backups: self,
            means,
            schemas,
            lock: &mut lock,
            errand,
        };
        // What it leaves when it fails may be all that there is of the original: that must stay.
        if let Err(error) = run.recover().await {
            lock.release().await;
            return Err(error);
        }
        let tested = async {
            let found = run.look(name).await?;
            run.load(name, &found).await?;
            run.check(name).await
        }
        .await;
        // Whoever comes next does it otherwise. Without the lock the file may be theirs already.
        let dropped = run.drop_schemas().await;
        if dropped.is_ok() {
            let definitions = self.fence.definitions("new");
            let _ = tokio::fs::remove_file(definitions).await;
        }
        lock.release().await;
        tested?;
        dropped?;
        let noted = name.clone();
        self.blocking(move |catalogue| {
            catalogue.tested(&noted, Utc::now())?;
            catalogue.find(&noted)
        })
        .await
    }
}
