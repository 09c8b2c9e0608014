//! All kinds of jobs, in one place.

use super::drill;
use super::handler::Kinds;
use super::purge::Purge;
use crate::mail::Letter;
use crate::{accounts, backups, config};

/// What this process can run. Of a kind that only a newer release knows it leaves the jobs alone.
pub(super) fn kinds(config: &config::Jobs) -> Kinds {
    let kinds = Kinds::default()
        .with::<Letter>()
        .with::<Purge>()
        .with::<accounts::Purge>()
        .with::<backups::Create>()
        .with::<backups::Restore>()
        .with::<backups::Scheduled>()
        .with::<backups::Test>()
        .with::<backups::Mirror>()
        .with::<backups::Forget>();
    if config.drill {
        kinds.with::<drill::Count>()
    } else {
        kinds
    }
}
