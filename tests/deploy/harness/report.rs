//! What `verify` says.

use serde_json::Value;

use super::Answer;

/// Checks of how quick something is. Under the load of tests on shared cores their answers say
/// nothing about the program, so they count only where they are asked for by name.
const TIMING: [&str; 2] = ["database.concurrency", "health.latency"];

/// The answer of `verify --format json`.
pub(crate) struct Report {
    pub(crate) json: Value,
    answer: Answer,
}

impl Report {
    pub(super) fn of(answer: Answer) -> Self {
        let json = answer.json();
        let report = Self { json, answer };
        let (verdict, code) = (&report.json["verdict"], report.answer.code);
        let right = i32::from(verdict != "pass");
        assert_eq!(code, Some(right), "verdict {verdict}: {}", report.answer);
        report
    }

    /// One check.
    pub(crate) fn check(&self, id: &str) -> &Value {
        self.json["checks"]
            .as_array()
            .and_then(|checks| checks.iter().find(|check| check["id"] == id))
            .unwrap_or_else(|| panic!("no check {id}: {}", self.answer))
    }

    /// Ids of the checks with this verdict, in the order of the report.
    pub(crate) fn ids(&self, verdict: &str) -> Vec<&str> {
        let checks = self.json["checks"].as_array().expect("checks");
        let wanted = checks.iter().filter(|check| check["verdict"] == verdict);
        wanted.filter_map(|check| check["id"].as_str()).collect()
    }

    fn failed(&self) -> Vec<&str> {
        self.ids("fail")
            .into_iter()
            .filter(|id| !TIMING.contains(id))
            .collect()
    }

    pub(crate) fn passes(&self) -> &Self {
        assert_eq!(self.failed(), [""; 0], "{}", self.answer);
        assert!(
            !self.ids("pass").is_empty(),
            "nothing passed: {}",
            self.answer
        );
        self
    }

    /// Fails, and each of these checks is among those that failed.
    pub(crate) fn fails(&self, ids: &[&str]) -> &Self {
        for id in ids {
            assert!(
                self.ids("fail").contains(id),
                "{id} does not fail: {}",
                self.answer
            );
        }
        self
    }

    /// Fails, by these checks and no other.
    pub(crate) fn fails_only(&self, ids: &[&str]) -> &Self {
        assert_eq!(self.failed(), ids, "{}", self.answer);
        self
    }

    /// Asserts that a check's finding names this.
    pub(crate) fn naming(&self, id: &str, part: &str) -> &Self {
        let observed = self.check(id)["observed"].as_str().unwrap_or_default();
        assert!(
            observed.contains(part),
            "{id} does not name {part}: {observed}"
        );
        self
    }
}
