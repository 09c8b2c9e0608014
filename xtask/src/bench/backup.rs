//! Making a backup and bringing it back, beside the same by hand: `mysqldump | zstd` and `zstd -d | mysql`.
//!
//! All run in one container of the API's image with the limits of a replica, against the database of one and
//! the same shipped stack, with the same options. A restore does more than load (it reads the backup, waits,
//! saves what is there, checks, exchanges), so its steps are told apart: loading is compared with loading.

mod arena;
mod memory;
mod steps;

use anyhow::{Context as _, ensure};

use self::{
    arena::{Arena, Done},
    memory::Peak,
};
use crate::{
    command::{print, say},
    deploy::Deploy,
};

/// What memory is compared with.
const SMALL: Size = Size(100_000_000);
/// Memory that is less than so many times as much, with ten times the rows, does not grow with them.
const FLAT: f64 = 1.25;
/// Longer than so many times what the same takes by hand is too long.
const GOAL: f64 = 1.2;
/// The step of a restore that does what is done by hand.
const LOADING: &str = "loading";

/// A backup and its restoration, beside `mysqldump | zstd` and `zstd -d | mysql`.
#[derive(clap::Args)]
pub(super) struct Backup {
    /// How much the table holds
    #[arg(long, default_value = "1G", value_parser = Size::parse)]
    size: Size,
    /// Interleaved runs of each; medians are printed
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// So many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(u64);

impl Size {
    /// Of `1G`, `100M`.
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size: write it like 1G or 100M");
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let factor = match unit.to_ascii_uppercase() {
            'G' => 1_000_000_000,
            'M' => 1_000_000,
            _ => return Err(wrong()),
        };
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }

    fn megabytes(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// One run of all.
struct Sample {
    backup: Done,
    by_hand: f64,
    restore: Done,
    load_by_hand: f64,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<()> {
        // What is measured is in the image; the program that brings it up need not be fast.
        let deploy = Deploy::build(false)?;
        let mut arena = Arena::open(&deploy)?;
        let mut peaks = Vec::new();
        if self.size > SMALL {
            arena.fill(SMALL)?;
            say(format!("memory with {} MB", SMALL.megabytes()));
            let backup = arena.backup()?;
            let restore = arena.restore(&backup.filename)?;
            // Better now than after the large one.
            restore.step(LOADING)?;
            arena.clear()?;
            peaks.push((SMALL, backup.peak, restore.peak));
        }
        arena.fill(self.size)?;
        let mut samples = Vec::new();
        for run in 1..=self.runs {
            let sample = one(&arena, run)?;
            say(format!(
                "run {run}: backup {:.1} s, by hand {:.1} s; restore {:.1} s, of which loading {:.1} s, by hand {:.1} s",
                sample.backup.seconds,
                sample.by_hand,
                sample.restore.seconds,
                sample.restore.step(LOADING)?,
                sample.load_by_hand
            ));
            samples.push(sample);
        }
        let mut of_all = (Peak::default(), Peak::default());
        for Sample {
            backup, restore, ..
        } in &samples
        {
            of_all = (of_all.0.max(backup.peak), of_all.1.max(restore.peak));
        }
        peaks.push((self.size, of_all.0, of_all.1));
        print(format!(
            "{} MB of {}",
            self.size.megabytes(),
            arena.contents()?
        ));
        let ratios = report(&samples)?;
        print(format!(
            "\n{:<34} {:>18} {:>18}",
            "peak of memory (MB)", "process of the API", "with its clients"
        ));
        for &(size, backup, restore) in &peaks {
            for (what, peak) in [("backup", backup), ("restore", restore)] {
                print(format!(
                    "{:<34} {:>18.1} {:>18.1}",
                    format!("{what} of {} MB", size.megabytes()),
                    peak.process,
                    peak.all
                ));
            }
        }
        if let [(_, small_backup, small_restore), (_, backup, restore)] = peaks[..] {
            for (what, small, large) in [
                ("backup", small_backup, backup),
                ("restore", small_restore, restore),
            ] {
                ensure!(
                    large.process < small.process * FLAT,
                    "the memory of a {what} grows with the database"
                );
            }
        }
        for (what, ratio) in ratios {
            ensure!(
                ratio <= GOAL,
                "{what} takes {ratio:.2} times as long as by hand"
            );
        }
        Ok(())
    }
}

/// All once; who goes first changes.
fn one(arena: &Arena<'_>, run: usize) -> anyhow::Result<Sample> {
    let ours_first = !run.is_multiple_of(2);
    let (backup, by_hand) = if ours_first {
        let backup = arena.backup()?;
        (backup, arena.dump_by_hand()?)
    } else {
        let by_hand = arena.dump_by_hand()?;
        (arena.backup()?, by_hand)
    };
    let (restore, load_by_hand) = if ours_first {
        let restore = arena.restore(&backup.filename)?;
        (restore, arena.load_by_hand()?)
    } else {
        let load_by_hand = arena.load_by_hand()?;
        (arena.restore(&backup.filename)?, load_by_hand)
    };
    arena.clear()?;
    Ok(Sample {
        backup,
        by_hand,
        restore,
        load_by_hand,
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Prints medians; answers how many times as long as by hand each took.
fn report(samples: &[Sample]) -> anyhow::Result<[(&'static str, f64); 2]> {
    let of = |value: &dyn Fn(&Sample) -> anyhow::Result<f64>| -> anyhow::Result<f64> {
        let values: Vec<f64> = samples.iter().map(value).collect::<anyhow::Result<_>>()?;
        median(values).context("no run")
    };
    print(format!(
        "{:<34} {:>10} {:>10} {:>7}  goal",
        "median (s)", "sysndd-api", "by hand", "ratio"
    ));
    let dump = of(&|sample| Ok(sample.backup.seconds))?;
    let by_hand = of(&|sample| Ok(sample.by_hand))?;
    let line = |title: &'static str, ours: f64, theirs: f64| {
        let ratio = ours / theirs;
        print(format!(
            "{title:<34} {ours:>10.1} {theirs:>10.1} {ratio:>7.2}  ≤ {GOAL}"
        ));
        (title, ratio)
    };
    let backup = line("backup", dump, by_hand);
    let load = of(&|sample| sample.restore.step(LOADING))?;
    let load_by_hand = of(&|sample| Ok(sample.load_by_hand))?;
    let loading = line("restore: loading", load, load_by_hand);
    let whole = of(&|sample| Ok(sample.restore.seconds))?;
    // What it does by hand is to save what is there, and to load.
    let both_by_hand = by_hand + load_by_hand;
    let ratio = whole / both_by_hand;
    print(format!(
        "{:<34} {whole:>10.1} {both_by_hand:>10.1} {ratio:>7.2}",
        "restore, all in all"
    ));
    let steps = samples
        .first()
        .map(|sample| sample.restore.steps.as_slice());
    for (step, _) in steps.unwrap_or_default() {
        let seconds = of(&|sample| sample.restore.step(step))?;
        print(format!("{:<34} {seconds:>10.1}", format!("  {step}")));
    }
    Ok([backup, loading])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!(Size::parse("1G"), Ok(Size(1_000_000_000)));
        assert_eq!(Size::parse("100m"), Ok(Size(100_000_000)));
        for wrong in ["", "1", "G", "1T", "-1G", "99999999999G"] {
            assert!(Size::parse(wrong).is_err(), "{wrong}");
        }
    }
}
