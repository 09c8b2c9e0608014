//! One round: something is begun, somebody dies, and then everything must come back by itself, whole.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{
    data,
    judge::copies_are_there,
    picture::{self, Picture},
    plan::{Calm, Deed, Task, Victim},
    site::{LIMIT, Site},
    talk::{Job, LONG, SHORT},
};
use crate::drill::{eventually::eventually, random::Random};

/// The step with which the tables change places, as the job counts.
const EXCHANGE: u64 = 6;
/// So many backups are kept for later rounds.
const KEPT: usize = 6;

/// What is known of the site from earlier rounds.
#[derive(Default)]
pub(super) struct World {
    /// What each backup must bring back.
    pub(super) backups: BTreeMap<String, Picture>,
    marks: usize,
}

/// What the live database was after it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// What it was before.
    Old,
    /// What is in the backup.
    New,
}

/// How a round went that ended as it must.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// What the job said that it did when somebody died.
    pub(super) step: String,
    /// Whether it was still at work.
    pub(super) hit: bool,
    pub(super) end: End,
    /// From the death until all was back.
    pub(super) back: Duration,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hit = if self.hit { "at" } else { "too late to hit:" };
        let end = match self.end {
            End::Old => "as it was before",
            End::New => "as in the backup",
        };
        let back = self.back.as_secs_f64();
        write!(
            f,
            "{hit} `{}`; {end}; all back after {back:.1} s",
            self.step
        )
    }
}

/// How things stood when a deed was begun.
pub(super) struct Before {
    pub(super) old: Picture,
    /// What the backup brings back that is restored, if one is.
    pub(super) new: Option<Picture>,
    pub(super) deed: Deed,
    job_id: u64,
}

impl World {
    /// Nobody dies: a backup of a first state, another state, and back. Answers how long that takes.
    pub(super) fn calm(&mut self, site: &mut Site<'_>) -> anyhow::Result<Calm> {
        self.mark(site)?;
        let began = Instant::now();
        let before = self.begin(site, Deed::Dump, "")?;
        let job = site.end_of(Deed::Dump.job(), before.job_id)?;
        let dump = began.elapsed();
        self.judge(site, &before, &job)?;
        let first = job.result["filename"]
            .as_str()
            .context("a name")?
            .to_owned();
        let copy = if site.containers(Victim::Storage).next().is_some() {
            copies_are_there(site)?;
            began.elapsed()
        } else {
            dump
        };

        self.mark(site)?;
        let began = Instant::now();
        let before = self.begin(site, Deed::Restore, &first)?;
        // When it was seen at work for the last time, if the exchange was over before it was seen.
        let mut exchanging = Instant::now();
        until(site, &before, |job| {
            exchanging = Instant::now();
            job.number >= EXCHANGE
        })?;
        let job = site.end_of(Deed::Restore.job(), before.job_id)?;
        let calm = Calm {
            dump,
            restore: began.elapsed(),
            exchange: exchanging.elapsed(),
            copy,
        };
        let end = self.judge(site, &before, &job)?;
        ensure!(end == End::New, "nobody died, and nothing was restored");
        Ok(calm)
    }

    /// Somebody dies.
    pub(super) fn play(
        &mut self,
        site: &mut Site<'_>,
        task: &Task,
        random: &mut Random,
    ) -> anyhow::Result<Facts> {
        self.mark(site)?;
        let target = self.any_backup(random)?;
        let before = self.begin(site, task.deed, &target)?;
        if task.deed == Deed::Exchange {
            until(site, &before, |job| job.number >= EXCHANGE)?;
        }
        let at = Instant::now() + task.delay;
        let mut last = None;
        while Instant::now() < at {
            last = site.job(task.deed.job(), before.job_id, SHORT).or(last);
            std::thread::sleep(Duration::from_millis(15).min(at - Instant::now().min(at)));
        }
        let (hit, step) = match task.victim {
            Victim::Storage => of_storage(site.talk.is_copying(), last.as_ref()),
            Victim::Api | Victim::Database => of_job(last.as_ref()),
        };
        let who = victim(site, task.victim, last.as_ref(), random)?;
        site.kill(&who)?;
        let died = Instant::now();
        let job = site.end_of(task.deed.job(), before.job_id)?;
        let end = self.judge(site, &before, &job)?;
        let back = died.elapsed();
        if task.victim == Victim::Storage {
            copies_are_there(site)?;
        }
        self.tidy(site, random)?;
        Ok(Facts {
            step,
            hit,
            end,
            back,
        })
    }

    /// Any backup that is there can be brought back, and brings back what it must.
    pub(super) fn restore_any(
        &mut self,
        site: &mut Site<'_>,
        random: &mut Random,
    ) -> anyhow::Result<String> {
        self.mark(site)?;
        let name = self.any_backup(random)?;
        let before = self.begin(site, Deed::Restore, &name)?;
        let job = site.end_of(Deed::Restore.job(), before.job_id)?;
        let end = self.judge(site, &before, &job)?;
        ensure!(end == End::New, "{name} was not restored: {}", job.error);
        self.tidy(site, random)?;
        Ok(name)
    }

    /// Forgets everything: the site is another one now.
    pub(super) fn forget(&mut self) {
        self.backups.clear();
    }

    /// A state that never was.
    fn mark(&mut self, site: &mut Site<'_>) -> anyhow::Result<()> {
        self.marks += 1;
        site.note(format!("mark {}", self.marks));
        site.sql(&data::mark(self.marks)).map(drop)
    }

    fn begin(&self, site: &mut Site<'_>, deed: Deed, name: &str) -> anyhow::Result<Before> {
        let old = picture::of(site)?;
        let (path, body, new) = match deed {
            Deed::Dump => ("/api/admin/backups".to_owned(), json!({}), None),
            Deed::Restore | Deed::Exchange => {
                let new = self
                    .backups
                    .get(name)
                    .context("of this backup nothing is known")?;
                let path = format!("/api/admin/backups/{name}/restore");
                (path, json!({ "confirm": "RESTORE" }), Some(new.clone()))
            }
        };
        site.note(format!("{} {name}", deed.title()));
        let job_id = site.begin(deed.job(), &path, &body)?;
        Ok(Before {
            old,
            new,
            deed,
            job_id,
        })
    }

    fn any_backup(&self, random: &mut Random) -> anyhow::Result<String> {
        let count = self.backups.len();
        let at = usize::try_from(random.below(u64::try_from(count)?))?;
        let name = self.backups.keys().nth(at);
        name.cloned().context("there is no backup")
    }

    /// Deletes some, as somebody does who needs room.
    fn tidy(&mut self, site: &mut Site<'_>, random: &mut Random) -> anyhow::Result<()> {
        while self.backups.len() > KEPT {
            let name = self.any_backup(random)?;
            site.talk.delete(&name)?;
            site.note(format!("{name} is deleted"));
            self.backups.remove(&name);
        }
        Ok(())
    }
}

/// Waits until a job that has not ended is seen like this, or has ended.
fn until(
    site: &mut Site<'_>,
    before: &Before,
    mut like: impl FnMut(&Job) -> bool,
) -> anyhow::Result<()> {
    eventually("the job's next step", LIMIT, || {
        let Some(job) = site.job(before.deed.job(), before.job_id, LONG) else {
            return Ok(false);
        };
        Ok(job.has_ended() || like(&job))
    })
}

/// Whether a job was still at work, and what it did.
fn of_job(job: Option<&Job>) -> (bool, String) {
    match job {
        Some(job) if job.status == "running" => (
            true,
            job.step.clone().unwrap_or_else(|| "claimed".to_owned()),
        ),
        Some(job) => (false, job.status.clone()),
        None => (true, "nothing yet".to_owned()),
    }
}

/// Of the storage nothing is wanted but copies.
fn of_storage(copying: bool, job: Option<&Job>) -> (bool, String) {
    if copying {
        (true, "copying".to_owned())
    } else {
        (false, of_job(job).1)
    }
}

/// The container of who dies: of the replicas the one that works.
fn victim(
    site: &Site<'_>,
    victim: Victim,
    job: Option<&Job>,
    random: &mut Random,
) -> anyhow::Result<String> {
    let all: Vec<_> = site.containers(victim).collect();
    let owner = job.and_then(|job| job.owner.as_deref());
    let works = all
        .iter()
        .find(|container| owner.is_some_and(|owner| owner == container.replica));
    let at = usize::try_from(random.below(u64::try_from(all.len())?))?;
    let container = works.or(all.get(at)).context("nobody is there to die")?;
    Ok(container.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_dies_with_nothing_to_do_is_not_hit() {
        let job = |status: &str| Job {
            status: status.to_owned(),
            step: Some("dumping".to_owned()),
            number: 0,
            owner: None,
            attempts: 1,
            result: json!(null),
            error: json!(null),
        };
        let (running, over) = (job("running"), job("succeeded"));
        assert_eq!(of_job(Some(&running)), (true, "dumping".to_owned()));
        assert_eq!(of_job(Some(&over)), (false, "succeeded".to_owned()));
        assert_eq!(
            of_storage(false, Some(&running)),
            (false, "dumping".to_owned())
        );
        assert_eq!(of_storage(true, Some(&over)), (true, "copying".to_owned()));
    }
}
