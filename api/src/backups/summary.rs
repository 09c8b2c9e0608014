//! How it stands with backups, for those who watch from afar.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as latest;

use super::{Backups, Error};
use crate::state::App;

/// How often the directory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What there is. Faulty ones do not count, nor those that nobody has read yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) bytes: u64,
    /// When the newest was begun, in seconds since 1970; zero when there is none.
    pub(crate) newest_at: i64,
    /// When one was last tried and was good, likewise.
    pub(crate) tested_at: i64,
    /// For how many seconds nothing may be changed; zero while no restore is under way.
    pub(crate) fenced_s: u64,
}

impl Backups {
    pub(crate) fn summary(&self) -> latest::Receiver<Summary> {
        self.summary.subscribe()
    }

    async fn sum_up(&self) -> Result<Summary, Error> {
        let backups = self.list().await?;
        let good: Vec<_> = backups.iter().filter(|backup| backup.is_whole()).collect();
        let newest = good.iter().map(|backup| backup.created_at).max();
        let tested = good.iter().filter_map(|backup| backup.tested_at).max();
        Ok(Summary {
            count: good.len(),
            bytes: good.iter().map(|backup| backup.size_bytes).sum(),
            newest_at: newest.map_or(0, |at| at.timestamp()),
            tested_at: tested.map_or(0, |at| at.timestamp()),
            fenced_s: match self.fence.up_for().await {
                Some(up) => up.as_secs().max(1),
                None => 0,
            },
        })
    }
}

/// Looks now and then, to the end of the process.
pub(crate) async fn watch_directory(app: Arc<App>) {
    loop {
        match app.backups.sum_up().await {
            Ok(summary) => {
                app.backups.summary.send_replace(summary);
            }
            Err(error) => tracing::debug!(%error, "the backups could not be counted"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
