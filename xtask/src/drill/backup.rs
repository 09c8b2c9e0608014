//! `cargo xtask drill backup`: whoever dies while a backup is made or brought back, all comes back by itself,
//! the live database is either what it was or what is in the backup, and every backup that is listed can be
//! restored. The shipped stack with two replicas; the processes are killed from outside, and nothing is done
//! to help what is left.

mod data;
mod judge;
mod picture;
mod plan;
mod round;
mod site;
mod table;
mod talk;

use std::{fs, path::PathBuf};

use anyhow::bail;

use self::{round::World, site::Site, table::Report};
use super::random::{self, Random};
use crate::{
    command::{print, root, say},
    deploy::Deploy,
};

/// After so many rounds some backup is restored with nobody dying.
const RESTORE_EVERY: usize = 10;

/// Replicas, database and storage that die while a backup is made or brought back.
#[derive(clap::Args)]
pub(crate) struct BackupDrill {
    /// How often somebody dies
    #[arg(long, default_value_t = 50)]
    runs: usize,
    /// Repeats the chances of an earlier drill
    #[arg(long)]
    seed: Option<u64>,
    /// How much the database holds, beside one of everything
    #[arg(long, default_value_t = 32)]
    megabytes: u64,
    /// Without an object storage for copies
    #[arg(long)]
    no_storage: bool,
}

impl BackupDrill {
    /// The drill of the test command, which has a minute and a half for it.
    pub(crate) fn small() -> Self {
        Self {
            runs: 3,
            seed: Some(2611),
            megabytes: 8,
            no_storage: true,
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<()> {
        let deploy = Deploy::build(false)?;
        let seed = self.seed.unwrap_or_else(random::any_seed);
        say(format!(
            "seed {seed}; again with: cargo xtask drill backup --runs {} --megabytes {}{} --seed {seed}",
            self.runs,
            self.megabytes,
            if self.no_storage { " --no-storage" } else { "" }
        ));
        let mut site = Site::open(&deploy, self.megabytes, !self.no_storage)?;
        let victims = site.victims();
        let mut world = World::default();
        let calm = world
            .calm(&mut site)
            .map_err(|error| told(error, &site, 0))?;
        say(format!(
            "undisturbed: a backup {} ms, a restore {} ms, of which {} ms from the exchange on",
            calm.dump.as_millis(),
            calm.restore.as_millis(),
            calm.exchange.as_millis()
        ));
        let mut random = Random::of(seed, "backup");
        let tasks = plan::tasks(self.runs, &victims, calm, &mut random);
        let mut reports = Vec::new();
        let mut restored = 0;
        let mut wrong = 0;
        for (number, task) in (1..).zip(&tasks) {
            site.begin_round();
            let played = world.play(&mut site, task, &mut random);
            let title = format!("{number}/{} {task}", tasks.len());
            let facts = match played {
                Ok(facts) => {
                    say(format!("{title}: {facts}"));
                    Some(facts)
                }
                Err(error) => {
                    let error = told(error, &site, number);
                    say(format!("{title}: WRONG, seed {seed}: {error:#}"));
                    anew(&mut site, &mut world)?;
                    None
                }
            };
            reports.push(Report {
                deed: task.deed,
                victim: task.victim,
                facts,
            });
            if number % RESTORE_EVERY == 0 || number == tasks.len() {
                site.begin_round();
                match world.restore_any(&mut site, &mut random) {
                    Ok(name) => {
                        restored += 1;
                        say(format!("{name} was restored, nobody died"));
                    }
                    Err(error) => {
                        wrong += 1;
                        let error = told(error, &site, number);
                        say(format!("nobody died: WRONG, seed {seed}: {error:#}"));
                        anew(&mut site, &mut world)?;
                    }
                }
            }
        }
        print(table::table(&reports));
        wrong += reports
            .iter()
            .filter(|report| report.facts.is_none())
            .count();
        print(format!(
            "{} rounds, {restored} backups restored in between, {wrong} times something was wrong",
            reports.len()
        ));
        match wrong {
            0 => Ok(()),
            wrong => bail!("{wrong} rounds went wrong; seed {seed}"),
        }
    }
}

/// Keeps what can tell what went wrong; says where.
fn told(error: anyhow::Error, site: &Site<'_>, round: usize) -> anyhow::Error {
    match keep(site, round, &format!("{error:#}")) {
        Ok(path) => error.context(format!("log {}", path.display())),
        Err(lost) => error.context(format!("the log is lost: {lost:#}")),
    }
}

fn keep(site: &Site<'_>, round: usize, error: &str) -> anyhow::Result<PathBuf> {
    let directory = root().join("target/drill");
    fs::create_dir_all(&directory)?;
    let path = directory.join(format!("{}-{round}.log", site.stack.project));
    fs::write(&path, format!("{error}\n\n{}", site.evidence()))?;
    Ok(path)
}

/// The next round shall not suffer for this one.
fn anew(site: &mut Site<'_>, world: &mut World) -> anyhow::Result<()> {
    site.again()?;
    world.forget();
    world.calm(site).map(drop)
}
