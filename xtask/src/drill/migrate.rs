//! `cargo xtask drill migrate`: however the applier of migrations dies, hangs or loses its
//! database, the others finish, and schema and rows are those of an undisturbed run. Real
//! containers of the API's image on a real MySQL.

mod field;
mod files;
mod picture;
mod plan;
mod round;
mod scenario;
mod starter;
mod table;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use sysndd_protocol::Event;

use self::{
    field::Field,
    plan::{Kind, Set, Task},
    round::Round,
    scenario::{Facts, Terms},
    table::Tally,
};
use super::{
    difference::difference,
    random::{self, Random},
};
use crate::{
    command::{print, say},
    deploy::Deploy,
};

/// Appliers of migrations that die, hang and lose their database, in real containers.
#[derive(clap::Args)]
pub(crate) struct Migrate {
    /// Rounds in which the applier is killed at random moments; the others follow from it
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Repeats the chances of an earlier drill
    #[arg(long)]
    seed: Option<u64>,
    /// Replicas that start at once
    #[arg(long, default_value_t = 4)]
    starters: usize,
    /// Rounds at a time, each with a database of its own
    #[arg(long, default_value_t = 3)]
    jobs: usize,
    /// Only these kinds of rounds
    #[arg(long, value_enum)]
    only: Vec<Kind>,
}

/// What every round is compared with.
struct Undisturbed {
    wide: Vec<String>,
    doubtful: Vec<String>,
    took: Duration,
}

/// How one round ended.
struct Report {
    kind: Kind,
    took: Duration,
    resumed: usize,
    result: anyhow::Result<Facts>,
}

impl Migrate {
    /// The drill of the test command, which has a minute for it.
    pub(crate) fn small() -> Self {
        Self {
            runs: 3,
            seed: Some(2611),
            starters: 4,
            jobs: 3,
            only: Vec::new(),
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<()> {
        let deploy = Deploy::build(false)?;
        let mut field = Field::prepare(&deploy)?;
        let volumes = Volumes {
            wide: field.volume("wide", files::WIDE)?,
            doubtful: field.volume("doubtful", files::DOUBTFUL)?,
        };
        let seed = self.seed.unwrap_or_else(random::any_seed);
        say(format!(
            "seed {seed}; again with: cargo xtask drill migrate --runs {} --starters {} --seed {seed}",
            self.runs, self.starters
        ));
        let drill = Drill {
            field: &field,
            volumes: &volumes,
            seed,
            starters: self.starters,
        };
        let undisturbed = drill.undisturbed()?;
        say(format!(
            "undisturbed, an applier takes {} ms",
            undisturbed.took.as_millis()
        ));
        let (alone, together): (Vec<Task>, Vec<Task>) = plan::tasks(self.runs, &self.only)
            .into_iter()
            .partition(Task::needs_the_server_alone);
        let mut reports = drill.all(&together, self.jobs, &undisturbed);
        reports.extend(drill.all(&alone, 1, &undisturbed));
        print(table::table(&tallies(&reports)));
        let failed = reports.iter().filter(|report| report.result.is_err());
        match failed.count() {
            0 => Ok(()),
            count => bail!("{count} rounds failed; seed {seed}"),
        }
    }
}

struct Volumes {
    wide: String,
    doubtful: String,
}

struct Drill<'a> {
    field: &'a Field<'a>,
    volumes: &'a Volumes,
    seed: u64,
    starters: usize,
}

impl Drill<'_> {
    fn undisturbed(&self) -> anyhow::Result<Undisturbed> {
        let look = |name: &str, volume: &str| -> anyhow::Result<(Vec<String>, Duration)> {
            let mut round = Round::new(self.field, name, volume)?;
            if *volume == self.volumes.doubtful {
                round.gate(true)?;
            }
            scenario::calm(&mut round, &mut self.terms(name, Duration::ZERO))?;
            let took = round.starters.iter().flat_map(|starter| &starter.events);
            let took = took.filter_map(|event| match event.event {
                Event::MigrationComplete { duration_ms, .. } => Some(duration_ms),
                _ => None,
            });
            let took = Duration::from_millis(took.max().context("nobody applied")?);
            Ok((picture::picture(&self.field.database, &round.name)?, took))
        };
        let (wide, took) = look("calm", &self.volumes.wide)?;
        let (doubtful, _) = look("calm-doubtful", &self.volumes.doubtful)?;
        Ok(Undisturbed {
            wide,
            doubtful,
            took,
        })
    }

    fn terms(&self, name: &str, usual: Duration) -> Terms {
        Terms {
            random: Random::of(self.seed, name),
            starters: self.starters,
            usual,
        }
    }

    /// Runs the tasks, so many at a time.
    fn all(&self, tasks: &[Task], jobs: usize, undisturbed: &Undisturbed) -> Vec<Report> {
        let (next, reports) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    while let Some(task) = tasks.get(next.fetch_add(1, Ordering::SeqCst)) {
                        let report = self.one(task, undisturbed);
                        if let Ok(mut reports) = reports.lock() {
                            reports.push(report);
                        }
                    }
                });
            }
        });
        reports.into_inner().unwrap_or_default()
    }

    fn one(&self, task: &Task, undisturbed: &Undisturbed) -> Report {
        let began = Instant::now();
        let mut resumed = 0;
        let result = self.play(task, undisturbed, &mut resumed);
        let took = began.elapsed();
        match &result {
            Ok(facts) => say(format!(
                "{}: {:.1} s, {facts:?}",
                task.name,
                took.as_secs_f64()
            )),
            Err(error) => say(format!("{}: FAILED: {error:#}", task.name)),
        }
        Report {
            kind: task.kind,
            took,
            resumed,
            result,
        }
    }

    fn play(
        &self,
        task: &Task,
        undisturbed: &Undisturbed,
        resumed: &mut usize,
    ) -> anyhow::Result<Facts> {
        let (volume, expected) = match task.set() {
            Set::Wide => (&self.volumes.wide, &undisturbed.wide),
            Set::Doubtful => (&self.volumes.doubtful, &undisturbed.doubtful),
        };
        let mut round = Round::new(self.field, &task.name, volume)?;
        let mut terms = self.terms(&task.name, undisturbed.took);
        let facts = task.play(&mut round, &mut terms).and_then(|facts| {
            let found = picture::picture(&self.field.database, &round.name)?;
            match difference(expected, &found) {
                None => Ok(facts),
                Some(lines) => bail!("the end is not that of an undisturbed run:\n{lines}"),
            }
        });
        *resumed = round.count(|event| matches!(event, Event::MigrationResumed { .. }));
        facts.or_else(|error| {
            let log = round.keep_log()?;
            Err(error.context(format!("seed {}, log {}", self.seed, log.display())))
        })
    }
}

fn tallies(reports: &[Report]) -> Vec<Tally> {
    let mut kinds: Vec<Kind> = reports.iter().map(|report| report.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let tally = |kind| {
        let of_kind: Vec<&Report> = reports
            .iter()
            .filter(|report| report.kind == kind)
            .collect();
        let facts: Vec<Facts> = of_kind
            .iter()
            .filter_map(|report| report.result.as_ref().ok().copied())
            .collect();
        Tally {
            title: kind.title(),
            rounds: of_kind.len(),
            same: facts.len(),
            landed: facts.iter().map(|facts| facts.landed).sum(),
            resumed: of_kind.iter().map(|report| report.resumed).sum(),
            again: facts.iter().map(|facts| facts.again).sum(),
            in_doubt: facts.iter().map(|facts| facts.in_doubt).sum(),
            slowest: of_kind.iter().map(|report| report.took).max(),
            last_ready: facts.iter().filter_map(|facts| facts.last_ready).max(),
        }
    };
    kinds.into_iter().map(tally).collect()
}
