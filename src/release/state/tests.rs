use super::*;
use crate::release::fixture;

/// Files as they lie on the volume.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut put = |path: &str, record: &dyn erased::Record| {
        files.insert(path.to_owned(), record.json());
    };
    put("releases/r1.json", &fixture::manifest("r1"));
    put("releases/r2.json", &fixture::manifest("r2"));
    let record = |entries: Vec<JournalEntry>| RunRecord {
        schema: "sysndd-deploy/run-record/1".to_owned(),
        entries,
    };
    let begin = JournalEntry::Begin(Box::new(fixture::begin(0, Some("r2"))));
    let end = fixture::end(super::super::Outcome::Done);
    put("runs/20261120-100000.000/0000.json", &record(vec![begin]));
    put("runs/20261120-100000.000/0001.json", &record(vec![end]));
    put("reports/r1/0001-verify.json", &fixture::verdict(false));
    put("reports/r1/0002-verify.json", &fixture::verdict(true));
    let audit =
        |command: &str| super::super::AuditRecord::now(command, super::super::AuditResult::Done);
    put("audit/000001.json", &audit("up"));
    put(
        "audit/000002-20261120T101500.000001.json",
        &audit("lock release --force"),
    );
    put("audit/000002.json", &audit("rollback"));
    files
}

mod erased {
    pub(super) trait Record {
        fn json(&self) -> Vec<u8>;
    }
    impl<T: serde::Serialize> Record for T {
        fn json(&self) -> Vec<u8> {
            serde_json::to_vec(self).unwrap()
        }
    }
}

#[test]
fn what_is_written_reads_back() {
    let state = State::read(&files());
    assert_eq!(state.damaged, []);
    assert_eq!(state.newest(), Some(&fixture::manifest("r2")));
    assert_eq!(state.releases.len(), 2);
    let run = &state.runs[&RunId::at(fixture::time(0))];
    assert_eq!(run.begin(), Some(&fixture::begin(0, Some("r2"))));
    assert_eq!((run.end().is_some(), run.next), (true, 2));
    assert!(state.verdict(&ReleaseId::new("r1")).unwrap().pass);
    let commands: Vec<&str> = state.audit.iter().map(|one| one.command.as_str()).collect();
    assert_eq!(commands, ["up", "lock release --force", "rollback"]);
    assert_eq!(state.next_audit, 3);
    assert_eq!(state.next_report[&ReleaseId::new("r1")], 3);
}

#[test]
fn a_record_that_ends_anywhere_is_reported_and_spoils_no_other() {
    let whole = files();
    for (path, content) in &whole {
        for length in [0, 1, content.len() / 2, content.len() - 1] {
            let mut files = whole.clone();
            files.insert(path.clone(), content[..length].to_vec());
            let state = State::read(&files);
            let damaged: Vec<&str> = state.damaged.iter().map(|one| one.path.as_str()).collect();
            assert_eq!(damaged, [path.as_str()], "{path} of {length} bytes");
            let entries = state
                .runs
                .values()
                .map(|run| run.entries.len())
                .sum::<usize>();
            let verdicts = state.verdicts.values().map(Vec::len).sum::<usize>();
            let records = state.releases.len() + entries + verdicts + state.audit.len();
            assert_eq!(records, whole.len() - 1, "{path} of {length} bytes");
            // The number of a damaged record is not given away again.
            let next = state.runs.values().map(|run| run.next).max();
            assert_eq!(next, Some(2), "{path} of {length} bytes");
            assert_eq!(state.next_audit, 3, "{path} of {length} bytes");
        }
    }
}

#[test]
fn what_a_newer_version_keeps_is_left_alone() {
    let mut files = files();
    let before = State::read(&files);
    files.insert("plans/1.json".to_owned(), b"?".to_vec());
    assert_eq!(State::read(&files), before);
}

#[test]
fn a_release_that_was_only_begun_is_found_in_its_run() {
    let mut files = files();
    files.remove("releases/r2.json");
    let state = State::read(&files);
    assert_eq!(state.newest().unwrap().id.as_str(), "r1");
    assert_eq!(
        state.manifest(&ReleaseId::new("r2")),
        Some(&fixture::manifest("r2"))
    );
    assert_eq!(state.manifest(&ReleaseId::new("r3")), None);
}

#[test]
fn a_release_that_made_no_container_runs_by_those_of_an_earlier_one() {
    let state = fixture::state([("r1", None), ("r3", None)]);
    let running = |seen: &str| state.running(&ReleaseId::new(seen)).to_string();
    assert_eq!(running("r3"), "r3");
    assert_eq!(running("r1"), "r3");
    assert_eq!(running("r2"), "r2", "it was never brought up to its end");
}
