//! What the rounds came to. Pure.

use std::collections::BTreeMap;

use super::{
    plan::{Deed, Victim},
    round::{End, Facts},
};

/// How one round ended.
pub(super) struct Report {
    pub(super) deed: Deed,
    pub(super) victim: Victim,
    /// Nothing when something was wrong.
    pub(super) facts: Option<Facts>,
}

pub(super) fn table(reports: &[Report]) -> String {
    let mut text = format!(
        "{:<46} {:>6} {:>6} {:>5} {:>10} {:>10} {:>14} {:>10}\n",
        "who died in the middle of",
        "rounds",
        "right",
        "hit",
        "as before",
        "as backup",
        "back, median",
        "slowest"
    );
    let kinds: BTreeMap<(Deed, Victim), Vec<&Report>> =
        reports.iter().fold(BTreeMap::new(), |mut kinds, report| {
            let of: &mut Vec<&Report> = kinds.entry((report.deed, report.victim)).or_default();
            of.push(report);
            kinds
        });
    for ((deed, victim), reports) in &kinds {
        let right: Vec<&Facts> = reports
            .iter()
            .filter_map(|report| report.facts.as_ref())
            .collect();
        let count =
            |like: &dyn Fn(&Facts) -> bool| right.iter().filter(|facts| like(facts)).count();
        let mut back: Vec<f64> = right.iter().map(|facts| facts.back.as_secs_f64()).collect();
        back.sort_by(f64::total_cmp);
        let seconds =
            |at: Option<&f64>| at.map_or("-".to_owned(), |seconds| format!("{seconds:.1} s"));
        text.push_str(&format!(
            "{:<46} {:>6} {:>6} {:>5} {:>10} {:>10} {:>14} {:>10}\n",
            format!("{} in {}", victim.service(), deed.title()),
            reports.len(),
            right.len(),
            count(&|facts| facts.hit),
            count(&|facts| facts.end == End::Old),
            count(&|facts| facts.end == End::New),
            seconds(back.get(back.len() / 2)),
            seconds(back.last()),
        ));
    }
    text.push_str("\nwhat was being done\n");
    let mut steps: BTreeMap<(&str, &str, End), usize> = BTreeMap::new();
    for report in reports {
        if let Some(facts) = report.facts.as_ref() {
            let key = (facts.step.as_str(), report.victim.service(), facts.end);
            *steps.entry(key).or_default() += 1;
        }
    }
    for ((step, victim, end), rounds) in steps {
        let end = match end {
            End::Old => "as before",
            End::New => "as backup",
        };
        text.push_str(&format!("{step:<46} {victim:<8} {end:<10} {rounds:>3}\n"));
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_kind_has_a_line_and_what_went_wrong_is_missing_in_it() {
        let report = |seconds: Option<u64>, end| Report {
            deed: Deed::Restore,
            victim: Victim::Api,
            facts: seconds.map(|seconds| Facts {
                step: "loading".to_owned(),
                hit: true,
                end,
                back: Duration::from_secs(seconds),
            }),
        };
        let text = table(&[
            report(Some(3), End::Old),
            report(Some(9), End::New),
            report(None, End::Old),
        ]);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1],
            [
                "api", "in", "a", "restore", "3", "2", "2", "1", "1", "9.0", "s", "9.0", "s"
            ]
        );
        assert_eq!(lines[4], ["loading", "api", "as", "before", "1"]);
    }
}
