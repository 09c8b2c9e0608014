//! `cargo xtask drill deploy`: wherever the program is killed in the middle of a deployment, a way
//! back or a rollback, nobody who asks the edge notices, the next command says what it found, and
//! the end is that of an undisturbed run. Real containers, a light stack.

mod picture;
mod plan;
mod round;
mod stage;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::bail;

use self::{
    plan::{Kind, Task, When},
    round::Facts,
    stage::Stage,
};
use super::random::{self, Random};
use crate::{
    command::{print, say},
    deploy::Deploy,
};

/// Kill the program while it deploys, at random moments and at each named point.
#[derive(clap::Args)]
pub(crate) struct DeployDrill {
    /// Kills at random moments
    #[arg(long, default_value_t = 50)]
    runs: usize,
    /// Repeats the chances of an earlier drill
    #[arg(long)]
    seed: Option<u64>,
    /// So many of the named points, by chance; all of them unless told
    #[arg(long)]
    points: Option<usize>,
    /// Rounds at a time, each with a stack of its own
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Only these kinds of runs are killed
    #[arg(long, value_enum)]
    only: Vec<Kind>,
}

impl DeployDrill {
    /// The drill of the test command, which has a minute for it.
    pub(crate) fn small() -> Self {
        Self {
            runs: 3,
            seed: Some(2611),
            points: Some(5),
            jobs: 2,
            only: Vec::new(),
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<()> {
        // Only debug builds have named points.
        let deploy = Deploy::build(false)?;
        let seed = self.seed.unwrap_or_else(random::any_seed);
        say(format!(
            "seed {seed}; again with: cargo xtask drill deploy --runs {} --seed {seed}{}",
            self.runs,
            self.points
                .map_or_else(String::new, |points| format!(" --points {points}"))
        ));
        let mut stage = Stage::open(&deploy, 1, None)?;
        let kinds = if self.only.is_empty() {
            Kind::ALL.to_vec()
        } else {
            self.only.clone()
        };
        let mut tasks = Vec::new();
        for kind in &kinds {
            let calm = stage.undisturbed(*kind)?;
            say(format!(
                "{kind:?}, undisturbed: {:.1} s, {} points",
                calm.took.as_secs_f64(),
                calm.points.len()
            ));
            tasks.extend(plan::named(*kind, &calm.points));
            tasks.extend(plan::random(
                *kind,
                self.runs.div_ceil(kinds.len()),
                calm.took,
                seed,
            ));
        }
        plan::thin(
            &mut tasks,
            self.runs,
            self.points,
            &mut Random::of(seed, "choice"),
        );
        let mut stages = vec![stage];
        for number in 2..=self.jobs {
            let expected = stages[0].expected()?.clone();
            stages.push(Stage::open(&deploy, number, Some(expected))?);
        }
        let reports = all(stages, &tasks, seed)?;
        print(table(&reports));
        match reports
            .iter()
            .filter(|report| report.result.is_err())
            .count()
        {
            0 => Ok(()),
            failed => bail!("{failed} rounds failed; seed {seed}"),
        }
    }
}

/// Plays the tasks, one at a time on each stage.
fn all(stages: Vec<Stage<'_>>, tasks: &[Task], seed: u64) -> anyhow::Result<Vec<Report>> {
    let (next, reports) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let on = |mut stage: Stage<'_>| {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            let Some(task) = tasks.get(number) else {
                return stage.close();
            };
            let report = play(&mut stage, task, number, tasks.len(), seed);
            if let Ok(mut reports) = reports.lock() {
                reports.push(report);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = stages
            .into_iter()
            .map(|stage| scope.spawn(|| on(stage)))
            .collect();
        for thread in threads {
            let Ok(ended) = thread.join() else {
                bail!("a thread of the drill broke down");
            };
            ended?;
        }
        Ok(())
    })?;
    Ok(reports.into_inner().unwrap_or_default())
}

/// How one round ended.
struct Report {
    kind: Kind,
    named: bool,
    took: Duration,
    result: anyhow::Result<Facts>,
}

fn play(stage: &mut Stage<'_>, task: &Task, number: usize, of: usize, seed: u64) -> Report {
    let began = Instant::now();
    let result = round::play(stage, task, number);
    let took = began.elapsed();
    let title = format!("{}/{of} {task}", number + 1);
    let result = match result {
        Ok(facts) => {
            say(format!("{title}: {:.1} s, {facts}", took.as_secs_f64()));
            Ok(facts)
        }
        Err(error) => {
            let kept = match stage.keep_evidence(number) {
                Ok(path) => path.display().to_string(),
                Err(lost) => format!("lost: {lost:#}"),
            };
            say(format!(
                "{title}: FAILED, seed {seed}, log {kept}: {error:#}"
            ));
            // The next round shall not suffer for this one.
            if let Err(error) = stage.again() {
                say(format!("the stack could not be set up again: {error:#}"));
            }
            Err(error)
        }
    };
    Report {
        kind: task.kind,
        named: matches!(task.when, When::At(_)),
        took,
        result,
    }
}

fn table(reports: &[Report]) -> String {
    let mut text = format!(
        "{:<34} {:>6} {:>6} {:>7} {:>10} {:>9} {:>9} {:>9}\n",
        "killed", "rounds", "right", "killed", "cut off", "requests", "median s", "slowest s"
    );
    for kind in Kind::ALL {
        for (named, at) in [(false, "at a random moment"), (true, "at a named point")] {
            let of: Vec<&Report> = reports
                .iter()
                .filter(|report| report.kind == kind && report.named == named)
                .collect();
            let mut times: Vec<f64> = of.iter().map(|report| report.took.as_secs_f64()).collect();
            times.sort_by(f64::total_cmp);
            let (Some(median), Some(slowest)) = (times.get(times.len() / 2), times.last()) else {
                continue;
            };
            let right: Vec<&Facts> = of
                .iter()
                .filter_map(|report| report.result.as_ref().ok())
                .collect();
            text.push_str(&format!(
                "{:<34} {:>6} {:>6} {:>7} {:>10} {:>9} {median:>9.1} {slowest:>9.1}\n",
                format!("{} {at}", kind.title()),
                of.len(),
                right.len(),
                right.iter().filter(|facts| facts.killed).count(),
                right.iter().filter(|facts| facts.cut_off).count(),
                right.iter().map(|facts| facts.answered).sum::<usize>(),
            ));
        }
    }
    text.push_str("\"cut off\": a run was left without an end, and the next command explained it");
    text
}
