//! After all that happened: everything is back by itself, the live database is one of two, what the job says is
//! true, every backup is whole, and nothing is left lying about.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::{
    picture,
    plan::Deed,
    round::{Before, End, World},
    site::{LIMIT, Site},
    talk::Job,
};
use crate::drill::{difference::difference, eventually::eventually};

/// Files may be there for a moment.
const MOMENT: Duration = Duration::from_mins(1);

impl World {
    /// All is back, and whole; and what the job says is true.
    pub(super) fn judge(
        &mut self,
        site: &mut Site<'_>,
        before: &Before,
        job: &Job,
    ) -> anyhow::Result<End> {
        site.is_back()?;
        eventually("a fence that is down", LIMIT, || {
            Ok(!site.files()?.iter().any(|file| file == ".restore.json"))
        })?;
        let beside = |schema: &String| schema.starts_with(&format!("{}__", Site::DATABASE));
        let schemas: Vec<String> = site.schemas()?.into_iter().filter(beside).collect();
        ensure!(
            schemas.is_empty(),
            "there are still the schemas {schemas:?}"
        );
        let now = picture::of(site)?;
        let end = if now == before.old {
            End::Old
        } else if before.new.as_ref() == Some(&now) {
            End::New
        } else {
            let from_old = difference(&before.old, &now).unwrap_or_default();
            let from_new = before.new.as_ref().and_then(|new| difference(new, &now));
            bail!(
                "the database is neither what it was:\n{from_old}\nnor what is in the backup:\n{}",
                from_new.unwrap_or_default()
            );
        };
        site.note(format!("the database is {end:?}"));
        let truth = match (before.deed, end) {
            (Deed::Dump, End::Old) | (Deed::Restore | Deed::Exchange, End::New) => "succeeded",
            (Deed::Restore | Deed::Exchange, End::Old) => "failed",
            (Deed::Dump, End::New) => bail!("a backup changed the database"),
        };
        ensure!(
            job.status == truth,
            "the database is {end:?}, and the job says {}: {}",
            job.status,
            job.error
        );
        self.backups_are_whole(site, before, job)?;
        Ok(end)
    }

    /// Every backup that is listed is whole, and nothing else lies beside them.
    fn backups_are_whole(
        &mut self,
        site: &mut Site<'_>,
        before: &Before,
        job: &Job,
    ) -> anyhow::Result<()> {
        let listed = site.talk.backups()?;
        let mut names = Vec::new();
        for backup in &listed {
            let name = backup["filename"].as_str().context("a name")?;
            ensure!(
                backup["fault"].is_null(),
                "{name} is listed with a fault: {backup}"
            );
            site.inside_api(&["sysndd-api", "backup", "verify", name])
                .with_context(|| format!("{name} is listed and not whole"))?;
            names.push(name.to_owned());
        }
        for name in &names {
            // What was made in this round holds what was there before: nothing could be changed since.
            if !self.backups.contains_key(name) {
                site.note(format!("{name} is new"));
                self.backups.insert(name.clone(), before.old.clone());
            }
        }
        for name in self.backups.keys() {
            ensure!(names.contains(name), "{name} is not there any more");
        }
        let made = match before.deed {
            Deed::Dump => &job.result["filename"],
            Deed::Restore | Deed::Exchange => &job.result["pre_restore"],
        };
        if let Value::String(made) = made {
            ensure!(names.contains(made), "{made} was made and is not listed");
        }
        let known = |file: &String| {
            let name = file.strip_suffix(".json").unwrap_or(file);
            file == ".restore-outcome.json" || names.iter().any(|known| known == name)
        };
        let mut other = Vec::new();
        let tidy = eventually("a tidy directory", MOMENT, || {
            other = site.files()?;
            other.retain(|file| !known(file));
            Ok(other.is_empty())
        });
        tidy.with_context(|| format!("beside the backups there is {other:?}"))
    }
}

/// Waits until the storage has a copy of every backup.
pub(super) fn copies_are_there(site: &mut Site<'_>) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    let copied = eventually("a copy of every backup", LIMIT, || {
        let Ok(copies) = site.inside_api(&["sysndd-api", "backup", "fetch"]) else {
            return Ok(false);
        };
        missing = site.talk.backups()?;
        missing.retain(|backup| {
            let (name, bytes) = (backup["filename"].as_str(), &backup["size_bytes"]);
            !copies.lines().any(|copy| {
                let words: Vec<&str> = copy.split_whitespace().collect();
                words.first().copied() == name && words.get(1).copied() == Some(&bytes.to_string())
            })
        });
        Ok(missing.is_empty())
    });
    copied.with_context(|| format!("without one: {missing:?}"))
}
