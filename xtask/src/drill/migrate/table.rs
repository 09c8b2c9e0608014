//! The table at the end of the drill. Pure.

use std::time::Duration;

/// All rounds of one kind.
pub(super) struct Tally {
    pub(super) title: &'static str,
    pub(super) rounds: usize,
    /// Rounds that ended as they must.
    pub(super) same: usize,
    pub(super) landed: usize,
    pub(super) resumed: usize,
    pub(super) again: usize,
    pub(super) in_doubt: usize,
    pub(super) slowest: Option<Duration>,
    /// From the applier's completion to the last that waited, where nothing was disturbed.
    pub(super) last_ready: Option<Duration>,
}

pub(super) fn table(tallies: &[Tally]) -> String {
    let mut lines = vec![format!(
        "{:<44} {:>6} {:>6} {:>7} {:>8} {:>14} {:>9} {:>9} {:>11}",
        "",
        "rounds",
        "same",
        "hit",
        "resumed",
        "started again",
        "in doubt",
        "slowest",
        "last ready"
    )];
    for tally in tallies {
        lines.push(format!(
            "{:<44} {:>6} {:>6} {:>7} {:>8} {:>14} {:>9} {:>7.1} s {:>11}",
            tally.title,
            tally.rounds,
            tally.same,
            tally.landed,
            tally.resumed,
            tally.again,
            tally.in_doubt,
            tally.slowest.unwrap_or_default().as_secs_f64(),
            match tally.last_ready {
                Some(after) => format!("{} ms", after.as_millis()),
                None => "-".to_owned(),
            }
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_kind() {
        let tally = Tally {
            title: "killed",
            rounds: 100,
            same: 99,
            landed: 150,
            resumed: 140,
            again: 0,
            in_doubt: 0,
            slowest: Some(Duration::from_millis(4200)),
            last_ready: None,
        };
        let lines = table(&[tally]);
        let words: Vec<&str> = lines
            .lines()
            .last()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        assert_eq!(
            words,
            [
                "killed", "100", "99", "150", "140", "0", "0", "4.2", "s", "-"
            ]
        );
    }
}
