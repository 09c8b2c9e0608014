//! What `verify` says.

use std::time::Duration;

use console::style;
use serde::Serialize;
use serde_json::Value;
use sysndd_protocol::ReleaseId;

use super::{Check, Evidence, Outcome, Suite, Timeline, Verdict};
use crate::config::{ProjectName, Stack};

/// The whole answer.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    schema: &'static str,
    pub(crate) project: ProjectName,
    pub(crate) release: Option<ReleaseId>,
    pub(crate) verdict: Verdict,
    duration_ms: u128,
    pub(crate) checks: Vec<CheckReport>,
    timeline: Timeline,
}

/// The answer of one check.
#[derive(Debug, Serialize)]
pub(crate) struct CheckReport {
    pub(super) id: &'static str,
    pub(super) suite: Suite,
    pub(super) verdict: Verdict,
    requirements: &'static [&'static str],
    expected: &'static str,
    observed: String,
    evidence: Value,
    duration_ms: u128,
}

impl CheckReport {
    pub(super) fn new(check: &Check, outcome: Outcome, took: Duration) -> Self {
        Self {
            id: check.id,
            suite: check.suite,
            verdict: outcome.verdict,
            requirements: check.requirements,
            expected: check.expected,
            observed: outcome.observed,
            evidence: outcome.evidence,
            duration_ms: took.as_millis(),
        }
    }
}

impl Report {
    pub(super) fn new(
        stack: &Stack,
        evidence: &Evidence,
        checks: Vec<CheckReport>,
        took: Duration,
    ) -> Self {
        let mut report = Self {
            schema: "sysndd-deploy/verify/1",
            project: stack.project.clone(),
            release: evidence.observed.release().cloned(),
            verdict: Verdict::Pass,
            duration_ms: took.as_millis(),
            checks,
            timeline: Timeline::of(evidence),
        };
        report.conclude();
        report
    }

    /// Takes the answers of a later look in place of those given before.
    pub(crate) fn replace(&mut self, later: Self) {
        self.checks
            .retain(|check| later.checks.iter().all(|other| other.id != check.id));
        self.checks.extend(later.checks);
        self.checks.sort_by_key(|check| (check.suite, check.id));
        self.duration_ms += later.duration_ms;
        self.conclude();
    }

    /// One failure fails the whole; so does a report in which nothing passed.
    fn conclude(&mut self) {
        let any = |verdict| self.checks.iter().any(|check| check.verdict == verdict);
        self.verdict = if any(Verdict::Fail) || !any(Verdict::Pass) {
            Verdict::Fail
        } else {
            Verdict::Pass
        };
    }

    pub(crate) fn human(&self) -> String {
        let mut text = String::new();
        let width = self
            .checks
            .iter()
            .map(|check| check.id.len())
            .max()
            .unwrap_or(0);
        for check in &self.checks {
            let verdict = match check.verdict {
                Verdict::Pass => style("pass").green(),
                Verdict::Fail => style("FAIL").red().bold(),
                Verdict::Skip => style("skip").yellow(),
            };
            text.push_str(&format!(
                "{verdict}  {:<width$}  {}\n",
                check.id, check.observed
            ));
            if check.verdict == Verdict::Fail {
                text.push_str(&format!(
                    "      {:<width$}  expected: {}\n",
                    "", check.expected
                ));
            }
        }
        text.push('\n');
        text.push_str(&self.timeline.human());
        let count = |verdict| {
            self.checks
                .iter()
                .filter(|check| check.verdict == verdict)
                .count()
        };
        let release = self.release.as_ref().map_or("", |release| release.as_str());
        text.push_str(&format!(
            "\n{} {release}: {} ({} passed, {} failed, {} skipped)\n",
            self.project,
            if self.verdict == Verdict::Pass {
                style("pass").green()
            } else {
                style("FAIL").red().bold()
            },
            count(Verdict::Pass),
            count(Verdict::Fail),
            count(Verdict::Skip),
        ));
        text
    }
}
