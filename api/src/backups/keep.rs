//! Which backups are kept when another one was made. Pure, but for the deleting itself.
//!
//! One that is no good keeps no other from being kept. It goes when it would have gone if it were good: until
//! then its copy may bring it back.

use std::collections::BTreeSet;
use std::hash::Hash;

use chrono::{DateTime, Datelike as _, Utc};

use super::{Backup, BackupName, Backups, Error, Kind, forget_copies};
use crate::config::Keep;
use crate::state::App;

/// Those that go.
fn gone(backups: Vec<Backup>, keep: Keep) -> Vec<BackupName> {
    let (good, other): (Vec<_>, Vec<_>) = backups.into_iter().partition(Backup::is_whole);
    let names = |backups: Vec<Backup>| backups.into_iter().map(|backup| backup.filename);
    let (good, other): (Vec<_>, BTreeSet<_>) = (names(good).collect(), names(other).collect());
    let all = good.iter().chain(&other).cloned().collect();
    let mut gone = surplus(good, keep);
    gone.extend(
        surplus(all, keep)
            .into_iter()
            .filter(|name| other.contains(name)),
    );
    gone
}

/// Of these, those that are not kept.
fn surplus(mut names: Vec<BackupName>, keep: Keep) -> Vec<BackupName> {
    names.sort();
    names.reverse();
    let scheduled: Vec<_> = of(&names, Kind::Scheduled);
    let mut kept: BTreeSet<&BackupName> = BTreeSet::new();
    kept.extend(newest_of_each(&scheduled, keep.days, |at| {
        (at.year(), at.ordinal())
    }));
    kept.extend(newest_of_each(&scheduled, keep.weeks, |at| {
        let week = at.iso_week();
        (week.year(), week.week())
    }));
    kept.extend(newest_of_each(&scheduled, keep.months, |at| {
        (at.year(), at.month())
    }));
    for kind in [Kind::PreRestore, Kind::PreDeploy] {
        kept.extend(of(&names, kind).into_iter().take(keep.before));
    }
    kept.extend(of(&names, Kind::Manual));
    names
        .iter()
        .filter(|name| !kept.contains(name))
        .cloned()
        .collect()
}

fn of(names: &[BackupName], kind: Kind) -> Vec<&BackupName> {
    names.iter().filter(|name| name.kind() == kind).collect()
}

/// The newest of each of the last so many stretches of time that have one at all.
fn newest_of_each<'a, T: Hash + Ord>(
    newest_first: &[&'a BackupName],
    how_many: usize,
    stretch: impl Fn(DateTime<Utc>) -> T,
) -> Vec<&'a BackupName> {
    let mut seen = BTreeSet::new();
    newest_first
        .iter()
        .filter(|name| seen.insert(stretch(name.created_at())))
        .take(how_many)
        .copied()
        .collect()
}

impl Backups {
    /// Deletes what is not kept any more; answers what that was.
    pub(super) async fn tidy(&self) -> Result<Vec<BackupName>, Error> {
        let mut deleted = Vec::new();
        for name in gone(self.list().await?, self.keep) {
            match self.delete(&name).await {
                // Somebody else did.
                Err(Error::Unknown(_)) => continue,
                done => done?,
            }
            tracing::info!(%name, "a backup is not kept any more");
            deleted.push(name);
        }
        Ok(deleted)
    }
}

/// Deletes what is not kept any more, and its copies soon. That it does not go well changes nothing about the
/// backup that was made.
pub(super) async fn tidy(app: &App) {
    match app.backups.tidy().await {
        Ok(deleted) => forget_copies(app, deleted).await,
        Err(error) => {
            tracing::warn!(%error, "backups that are not kept any more could not be deleted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Keep = Keep {
        days: 3,
        weeks: 2,
        months: 2,
        before: 1,
    };

    fn names(texts: &[&str]) -> Vec<BackupName> {
        let name = |text: &&str| format!("{text}.sql.zst").parse().expect(text);
        texts.iter().map(name).collect()
    }

    #[test]
    fn days_weeks_and_months_keep_the_newest_of_each_that_has_one() {
        let kept = [
            "scheduled_2026-11-20_02-00-00", // of its day, week and month
            "scheduled_2026-11-18_02-00-00",
            "scheduled_2026-11-17_23-00-00",
            "scheduled_2026-11-15_02-00-00", // a Sunday: of the week before
            "scheduled_2026-10-31_02-00-00", // of the month before
        ];
        let gone = [
            "scheduled_2026-11-17_02-00-00",
            "scheduled_2026-11-16_02-00-00",
            "scheduled_2026-11-14_02-00-00",
            "scheduled_2026-10-30_02-00-00",
            "scheduled_2026-09-30_02-00-00",
        ];
        let mut surplus = surplus(names(&[&kept[..], &gone[..]].concat()), KEEP);
        surplus.reverse();
        let mut expected = names(&gone);
        expected.sort();
        assert_eq!(surplus, expected);
    }

    #[test]
    fn one_that_is_no_good_keeps_no_other_from_being_kept() {
        let backup = |text: &str, fault: Option<&str>, read: bool| {
            let filename: BackupName = format!("{text}.sql.zst").parse().expect(text);
            Backup {
                kind: filename.kind(),
                created_at: filename.created_at(),
                filename,
                size_bytes: 1,
                table_count: None,
                checksum: read.then(String::new),
                migration_head: None,
                release: None,
                tested_at: None,
                fault: fault.map(str::to_owned),
            }
        };
        let cut = Some("is cut off");
        let backups = vec![
            backup("scheduled_2026-11-20_03-00-00", cut, true), // may come back from its copy
            backup("scheduled_2026-11-20_02-30-00", None, false), // nobody knows
            backup("scheduled_2026-11-20_02-00-00", None, true),
            backup("scheduled_2026-11-20_01-00-00", None, true),
            backup("scheduled_2026-11-18_02-00-00", None, true),
            backup("scheduled_2026-11-18_01-00-00", cut, true),
            backup("pre-deploy_2026-11-20_02-00-00", cut, true),
            backup("pre-deploy_2026-11-19_02-00-00", None, true),
            backup("pre-deploy_2026-11-18_02-00-00", None, true),
        ];
        let mut gone = gone(backups, KEEP);
        gone.sort();
        let mut expected = names(&[
            "scheduled_2026-11-20_02-30-00",
            "scheduled_2026-11-20_01-00-00",
            "scheduled_2026-11-18_01-00-00",
            "pre-deploy_2026-11-18_02-00-00",
        ]);
        expected.sort();
        assert_eq!(gone, expected);
    }

    #[test]
    fn what_somebody_wished_for_is_kept_and_of_the_others_the_last_ones() {
        let all = names(&[
            "manual_2020-01-01_00-00-00",
            "manual_2020-01-02_00-00-00",
            "pre-restore_2020-01-01_00-00-00",
            "pre-restore_2020-01-02_00-00-00",
            "pre-deploy_2020-01-01_00-00-00",
        ]);
        assert_eq!(
            surplus(all, KEEP),
            names(&["pre-restore_2020-01-01_00-00-00"])
        );
        assert!(surplus(Vec::new(), KEEP).is_empty());
    }
}
