//! Which backups are kept. Pure, but for the deleting itself.

use std::collections::BTreeSet;
use std::hash::Hash;

use chrono::{DateTime, Datelike as _, Utc};

use super::{BackupName, Backups, Error, Kind};
use crate::config::Keep;
use crate::storage::Storage;

/// Those that go.
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
    /// Deletes what is not kept any more, and its copies.
    pub(crate) async fn tidy(&self, copies: Option<&Storage>) -> Result<(), Error> {
        let keep = self.keep;
        let gone = self
            .blocking(move |catalogue| {
                let names = catalogue.list()?.into_iter().map(|backup| backup.filename);
                let surplus = surplus(names.collect(), keep);
                for name in &surplus {
                    match catalogue.delete(name) {
                        // Somebody else did.
                        Err(Error::Unknown(_)) => {}
                        deleted => deleted?,
                    }
                    tracing::info!(%name, "a backup is not kept any more");
                }
                Ok(surplus)
            })
            .await?;
        for name in gone {
            if let Some(copies) = copies
                && let Err(error) = copies.delete(&name.to_string()).await
            {
                tracing::warn!(%error, %name, "the copy of a deleted backup could not be deleted");
            }
        }
        Ok(())
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
