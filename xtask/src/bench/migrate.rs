//! `cargo xtask bench migrate`: 50 files of 250 statements on an empty database, against the
//! `mysql` client that is fed the same files and against sqlx's migrator; and the fast path.

mod arena;
mod fast_path;
mod files;

use anyhow::ensure;
use sysndd_protocol::{Event, StartupEvent};

use self::{
    arena::{Arena, Contestant, DATABASE, Run},
    files::{FILES, STATEMENTS},
};
use crate::{
    command::{print, say},
    deploy::{Deploy, TestDatabase},
};

/// Migrating an empty database, and finding nothing to do.
#[derive(clap::Args)]
pub(super) struct Migrate {
    /// Interleaved runs of each; medians are printed
    #[arg(long, default_value_t = 7)]
    runs: usize,
}

/// A line of the table.
struct Entry {
    title: &'static str,
    contestant: Contestant,
    starters: usize,
    runs: Vec<Sample>,
}

/// One run.
struct Sample {
    seconds: f64,
    /// How many of the starters applied, where they tell.
    applied: Option<usize>,
    failures: usize,
    /// From the applier's completion to the last starter's word that all is done, in ms.
    last_ready: Option<f64>,
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let deploy = Deploy::build(false)?;
        let database = TestDatabase::start(&deploy)?;
        let arena = Arena::new(&deploy, &database)?;
        let entry = |title, contestant, starters| Entry {
            title,
            contestant,
            starters,
            runs: Vec::new(),
        };
        let mut entries = [
            entry("mysql client, one process", Contestant::ClientOnce, 1),
            entry(
                "mysql client, a process a file",
                Contestant::ClientPerFile,
                1,
            ),
            entry("sqlx", Contestant::Sqlx, 1),
            entry("sysndd-api", Contestant::Ours, 1),
            entry("sqlx", Contestant::Sqlx, 4),
            entry("sysndd-api", Contestant::Ours, 4),
            entry("sqlx", Contestant::Sqlx, 16),
            entry("sysndd-api", Contestant::Ours, 16),
        ];
        // The first run warms caches, of accounts as well, and is not counted.
        for number in 0..=self.runs {
            for entry in &mut entries {
                let sample = one(&arena, entry)?;
                if number > 0 {
                    entry.runs.push(sample);
                }
            }
            say(format!("run {number} of {} (0 warms up)", self.runs));
        }
        let fast_path = fast_path::measure(&arena)?;
        print(table(&entries));
        print(format!(
            "{} statements in {FILES} files; seconds of {} interleaved runs; every contestant in one and the same container \
             of the database's image, over TCP without TLS; times are of processes, from before the first fork to the last end",
            FILES * STATEMENTS,
            self.runs
        ));
        print(fast_path.describe());
        Ok(())
    }
}

fn one(arena: &Arena<'_>, entry: &Entry) -> anyhow::Result<Sample> {
    arena.clear()?;
    let run = arena.run(entry.contestant, entry.starters)?;
    let query = format!(
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{DATABASE}' AND TABLE_NAME LIKE 'item%'"
    );
    let tables = arena.database.sql("mysql", &query)?;
    ensure!(
        tables.trim() == FILES.to_string(),
        "{} made {} of {FILES} tables",
        entry.title,
        tables.trim()
    );
    Ok(Sample {
        seconds: run.seconds(),
        applied: applied(entry.contestant, &run),
        failures: run.failures(),
        last_ready: (entry.contestant == Contestant::Ours)
            .then(|| last_ready(&run))
            .flatten(),
    })
}

fn applied(contestant: Contestant, run: &Run) -> Option<usize> {
    match contestant {
        Contestant::ClientOnce | Contestant::ClientPerFile | Contestant::Nothing => None,
        Contestant::Sqlx => Some(run.output.lines().filter(|line| *line == "applied").count()),
        Contestant::Ours => {
            let acquired =
                |event: &StartupEvent| matches!(event.event, Event::MigrationLockAcquired { .. });
            Some(events(run).filter(acquired).count())
        }
    }
}

fn events(run: &Run) -> impl Iterator<Item = StartupEvent> + '_ {
    run.output.lines().filter_map(StartupEvent::parse)
}

fn last_ready(run: &Run) -> Option<f64> {
    let complete =
        events(run).find(|event| matches!(event.event, Event::MigrationComplete { .. }))?;
    let last = events(run).map(|event| event.ts).max()?;
    let after = (last - complete.ts).to_std().ok()?;
    Some(after.as_secs_f64() * 1e3)
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn table(entries: &[Entry]) -> String {
    let seconds = |entry: &Entry| {
        entry
            .runs
            .iter()
            .map(|sample| sample.seconds)
            .collect::<Vec<_>>()
    };
    let middle = |entry: &Entry| median(seconds(entry).into_iter()).unwrap_or(f64::NAN);
    let best = |entry: &Entry| seconds(entry).into_iter().fold(f64::NAN, f64::min);
    let client = entries
        .first()
        .map_or((f64::NAN, f64::NAN), |entry| (middle(entry), best(entry)));
    let mut lines = vec![format!(
        "{:<32} {:>8} {:>8} {:>8} {:>8} {:>8} {:>12} {:>9} {:>14}",
        "", "starters", "median", "ratio", "best", "ratio", "applied", "failures", "last ready"
    )];
    for entry in entries {
        let (own_middle, own_best) = (middle(entry), best(entry));
        let mut applied: Vec<String> = entry
            .runs
            .iter()
            .map(|sample| {
                sample
                    .applied
                    .map_or("-".to_owned(), |count| count.to_string())
            })
            .collect();
        applied.sort();
        applied.dedup();
        let last = entry.runs.iter().filter_map(|sample| sample.last_ready);
        let last = last.fold(None, |most: Option<f64>, ms| {
            Some(most.map_or(ms, |most| most.max(ms)))
        });
        lines.push(format!(
            "{:<32} {:>8} {own_middle:>8.3} {:>8.2} {own_best:>8.3} {:>8.2} {:>12} {:>9} {:>14}",
            entry.title,
            entry.starters,
            own_middle / client.0,
            own_best / client.1,
            applied.join(" or "),
            entry
                .runs
                .iter()
                .map(|sample| sample.failures)
                .sum::<usize>(),
            last.map_or("-".to_owned(), |ms| format!("≤ {ms:.0} ms"))
        ));
    }
    lines.join("\n")
}
