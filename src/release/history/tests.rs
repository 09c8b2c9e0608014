use super::*;
use crate::{
    config::JobName,
    plan::JobStage,
    release::fixture::{self, add, begin, end, image, operation, state},
};

fn ids<'a>(entries: &[Entry<'a>]) -> Vec<(&'a str, Status)> {
    entries
        .iter()
        .map(|entry| (entry.manifest.id.as_str(), entry.status))
        .collect()
}

#[test]
fn the_newest_complete_release_is_the_one_that_runs() {
    let state = state([("r1", Some(true)), ("r2", None)]);
    let up = releases(&state, true);
    assert_eq!(
        ids(&up),
        [("r2", Status::Running), ("r1", Status::Previous)]
    );
    assert_eq!((up[0].verified, up[1].verified), (None, Some(true)));
    let down = releases(&state, false);
    assert_eq!(down[0].status, Status::Previous);
}

#[test]
fn releases_that_never_stood_are_known_by_their_runs() {
    let mut state = state([("r1", None)]);
    add(&mut state, begin(1, Some("r2")), vec![end(Outcome::Undone)]);
    add(&mut state, begin(2, Some("r3")), vec![end(Outcome::Failed)]);
    add(&mut state, begin(3, Some("r4")), vec![]);
    add(&mut state, begin(4, Some("r1")), vec![end(Outcome::Done)]);
    let entries = releases(&state, true);
    assert_eq!(
        ids(&entries),
        [
            ("r4", Status::Unfinished),
            ("r3", Status::Failed),
            ("r2", Status::Undone),
            ("r1", Status::Running),
        ]
    );
    assert_eq!(entries[1].cause, Some("it never became ready"));
}

#[test]
fn a_rollback_goes_to_the_newest_earlier_release_that_passed() {
    let state = state([
        ("r1", Some(true)),
        ("r2", Some(true)),
        ("r3", Some(false)),
        ("r4", None),
        ("r5", Some(true)),
    ]);
    let target = |running| {
        rollback_target(&state, &ReleaseId::new(running)).map(|manifest| manifest.id.as_str())
    };
    assert_eq!(target("r5"), Some("r2"));
    assert_eq!(target("r2"), Some("r1"));
    assert_eq!(target("r1"), None);
}

#[test]
fn after_a_deployment_that_was_cut_off_a_rollback_undoes_it_and_after_a_restart_it_does_not() {
    let mut state = state([("r1", None), ("r2", None)]);
    let cut_off = |state: &mut State, second: i64, to: Option<&str>, why: Why| {
        let mut run = begin(second, to);
        run.from = Some(ReleaseId::new("r2"));
        if let Some(manifest) = &mut run.manifest {
            manifest.why = why;
        }
        add(state, run, vec![]);
        let run = interrupted(state, None).unwrap();
        way_back(state, &run).map(|manifest| manifest.id.to_string())
    };
    let target = cut_off(&mut state, 1, Some("r3"), Why::Deploy);
    assert_eq!(target.as_deref(), Some("r2"));
    let to = ReleaseId::new("r1");
    let target = cut_off(&mut state, 2, Some("r4"), Why::Rollback { to });
    assert_eq!(target.as_deref(), Some("r1"));
    // What it ran on runs already.
    assert_eq!(cut_off(&mut state, 3, None, Why::Deploy), None);
}

#[test]
fn a_release_is_named_after_those_that_are_known_also_by_a_clock_that_is_behind() {
    let mut state = state([("r20261120-100000-abcdef", None), ("r1", None)]);
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let now = at("2026-11-20T09:30:00Z");
    assert_eq!(next_release(&State::default(), now), now);
    assert_eq!(next_release(&state, now), at("2026-11-20T10:00:01Z"));
    // One that failed has its name too.
    let tried = begin(1, Some("r20261120-100007-abcdef"));
    add(&mut state, tried, vec![end(Outcome::Undone)]);
    assert_eq!(next_release(&state, now), at("2026-11-20T10:00:08Z"));
    let later = at("2026-11-20T10:30:00Z");
    assert_eq!(next_release(&state, later), later);
}

#[test]
fn a_rollback_does_not_go_to_what_runs_already() {
    let mut state = state([("r1", Some(true)), ("r2", Some(false)), ("r3", Some(true))]);
    // The third is the first again.
    let first = state.releases[&ReleaseId::new("r1")].services.clone();
    let third = state.releases.get_mut(&ReleaseId::new("r3")).unwrap();
    third.services = first;
    assert_eq!(rollback_target(&state, &ReleaseId::new("r3")), None);
}

#[test]
fn the_last_verdict_counts() {
    let mut state = state([("r1", Some(true)), ("r2", Some(true))]);
    let of_first = state.verdicts.get_mut(&ReleaseId::new("r1")).unwrap();
    of_first.push(fixture::verdict(false));
    assert_eq!(rollback_target(&state, &ReleaseId::new("r2")), None);
}

#[test]
fn what_is_dropped_takes_its_images_with_it() {
    let mut state = state([("r1", None), ("r2", None), ("r3", None), ("r4", None)]);
    // Journals of the newest runs stay, and keep no image of what is dropped.
    for (second, id) in [(1, "r1"), (2, "r2"), (3, "r3"), (4, "r4")] {
        let run = begin(second, Some(id));
        add(&mut state, run, vec![end(Outcome::Done)]);
    }
    let dropped = retention(&state, 2);
    assert_eq!(
        dropped.releases,
        [ReleaseId::new("r1"), ReleaseId::new("r2")]
    );
    assert_eq!(dropped.runs, []);
    assert_eq!(dropped.images, [image("r1"), image("r2")].into());
    assert_eq!(
        dropped.paths(),
        [
            "releases/r1.json",
            "reports/r1",
            "releases/r2.json",
            "reports/r2"
        ]
    );
    for id in &dropped.releases {
        state.releases.remove(id);
    }
    let known = releases(&state, true);
    assert_eq!(
        ids(&known),
        [("r4", Status::Running), ("r3", Status::Previous)],
        "what was dropped did not fail"
    );
}

#[test]
fn what_was_tried_needs_its_images_until_a_newer_release_stands() {
    let mut state = state([("r1", None), ("r3", None)]);
    add(&mut state, begin(2, Some("r2")), vec![end(Outcome::Undone)]);
    add(&mut state, begin(4, Some("r4")), vec![end(Outcome::Failed)]);
    let needed = |state: &State| images_needed(state, &[]);
    assert_eq!(
        needed(&state),
        [image("r1"), image("r3"), image("r4")].into()
    );
    // One that was cut off may be finished yet, whenever that was.
    add(&mut state, begin(5, Some("r0")), vec![]);
    assert!(needed(&state).contains(&image("r0")));
    let state = fixture::state([]);
    assert!(needed(&state).is_empty());
}

#[test]
fn the_images_of_what_was_tried_go_with_its_journal() {
    let mut state = state([("r9", None)]);
    add(&mut state, begin(0, Some("r2")), vec![end(Outcome::Undone)]);
    for second in 100..120 {
        add(&mut state, begin(second, None), vec![end(Outcome::Done)]);
    }
    assert_eq!(retention(&state, 5).images, [image("r2")].into());
}

#[test]
fn an_image_that_a_kept_release_has_too_stays() {
    let mut state = state([("r1", None), ("r2", None)]);
    let shared = state.releases[&ReleaseId::new("r1")].services.clone();
    state
        .releases
        .get_mut(&ReleaseId::new("r2"))
        .unwrap()
        .services = shared;
    let retention = retention(&state, 1);
    assert_eq!(retention.releases, [ReleaseId::new("r1")]);
    assert!(retention.images.is_empty());
}

#[test]
fn the_running_release_and_the_rollback_target_are_never_dropped() {
    let state = state([
        ("r1", Some(true)),
        ("r2", Some(false)),
        ("r3", None),
        ("r4", None),
    ]);
    for keep in [0, 1] {
        let dropped = retention(&state, keep).releases;
        assert_eq!(dropped, [ReleaseId::new("r2"), ReleaseId::new("r3")]);
    }
    assert!(retention(&State::default(), 0).is_empty());
}

#[test]
fn old_journals_go_but_not_those_of_kept_releases_nor_of_runs_without_an_end() {
    let mut state = state([("r9", None)]);
    let of_kept = add(&mut state, begin(0, Some("r9")), vec![end(Outcome::Done)]);
    let open = add(&mut state, begin(1, None), vec![]);
    let mut old = Vec::new();
    for second in 2..=20 {
        old.push(add(
            &mut state,
            begin(second, None),
            vec![end(Outcome::Done)],
        ));
    }
    for second in 100..120 {
        add(&mut state, begin(second, None), vec![end(Outcome::Done)]);
    }
    let dropped = retention(&state, 5).runs;
    assert_eq!(dropped, old);
    assert!(!dropped.contains(&of_kept) && !dropped.contains(&open));
}

#[test]
fn a_run_without_an_end_was_cut_off_unless_it_holds_the_lock() {
    let mut state = state([("r1", None)]);
    add(&mut state, begin(1, Some("r1")), vec![end(Outcome::Done)]);
    assert_eq!(interrupted(&state, None), None);

    let rest = vec![
        operation(0, 2, Phase::Started),
        operation(0, 3, Phase::Done { ms: 900 }),
        operation(1, 4, Phase::Started),
    ];
    let cut = add(&mut state, begin(2, Some("r2")), rest);
    assert_eq!(interrupted(&state, Some(&cut)), None);

    let found = interrupted(&state, None).unwrap();
    assert_eq!(found.run, cut);
    let names = |operations: &[PlannedOperation]| -> Vec<String> {
        operations.iter().map(|one| one.action.clone()).collect()
    };
    assert_eq!(names(&found.done), ["create"]);
    assert_eq!(names(&found.under_way), ["start"]);
    assert_eq!(names(&found.not_begun), ["await ready"]);
    assert_eq!(found.manifest.as_ref().unwrap().id.as_str(), "r2");
    insta::assert_snapshot!(found.explain(), @"`up` of ana@laptop was cut off: begun 2026-11-20 10:00:02 UTC, last heard of 10:00:04, 1 of 3 operations done; under way: start app-1");
}

#[test]
fn a_run_is_proven_when_all_is_done_that_comes_before_the_end_of_the_old() {
    let mut state = State::default();
    let done = |id: usize| operation(id, 3, Phase::Done { ms: 1 });
    add(&mut state, begin(1, None), vec![done(0)]);
    assert!(!interrupted(&state, None).unwrap().proven);
    add(&mut state, begin(2, None), vec![done(1), done(0)]);
    assert!(interrupted(&state, None).unwrap().proven);
}

#[test]
fn whoever_looked_while_a_run_went_on_can_tell_that_it_has_ended() {
    let mut state = state([]);
    assert_eq!(state.last_run(), None);
    let run = add(&mut state, begin(1, None), vec![]);
    let seen = state.last_run();
    assert!(seen.is_some());
    assert_eq!(state.last_run(), seen);
    let entries = &mut state.runs.get_mut(&run).unwrap().entries;
    entries.push(end(Outcome::Done));
    assert_ne!(state.last_run(), seen);
}

#[test]
fn the_newest_of_several_runs_that_were_cut_off_speaks_for_all() {
    let mut state = State::default();
    let older = add(&mut state, begin(1, None), vec![]);
    let newer = add(&mut state, begin(2, None), vec![]);
    let found = interrupted(&state, None).unwrap();
    assert_eq!((found.run, found.older), (newer, vec![older]));
}

fn report(job: &str, stage: JobStage, failure: Option<&str>, backup: Option<&str>) -> JournalEntry {
    JournalEntry::Job(Box::new(JobReport {
        job: JobName::new(job),
        stage,
        began: fixture::time(5),
        ms: 7,
        exit_code: Some(0),
        failure: failure.map(str::to_owned),
        backup: backup.map(str::to_owned),
        output: Vec::new(),
        left_out: 0,
    }))
}

#[test]
fn a_job_that_was_done_in_a_run_that_was_cut_off_counts_and_the_first_backup_is_the_one() {
    let mut state = fixture::state([]);
    let release = ReleaseId::new("r2");
    let first = vec![
        report("save", JobStage::Backup, None, Some("first.sql")),
        report("check", JobStage::Pre, Some("it was stopped"), None),
    ];
    fixture::add(&mut state, fixture::begin(10, Some("r2")), first);
    let second = vec![report("save", JobStage::Backup, None, Some("second.sql"))];
    fixture::add(&mut state, fixture::begin(20, Some("r2")), second);
    let other = vec![report("check", JobStage::Pre, None, None)];
    fixture::add(&mut state, fixture::begin(30, Some("r3")), other);

    let done = history(&state).done;
    let has = |release: &str, stage, job: &str| {
        done.contains(&(ReleaseId::new(release), stage, JobName::new(job)))
    };
    assert!(has("r2", JobStage::Backup, "save"));
    assert!(!has("r2", JobStage::Pre, "check"), "it failed");
    assert!(has("r3", JobStage::Pre, "check"));
    let backup = backup_of(&state, &release).unwrap();
    assert_eq!(backup.backup, "first.sql");
    assert_eq!(jobs_of(&state, &release).count(), 3);
}

#[test]
fn one_goes_back_to_the_first_backup_after_a_release_unless_the_schema_changed_before() {
    let mut state = fixture::state([("r1", None), ("r2", None), ("r3", None), ("r4", None)]);
    let mut set = |id: &str, head: &str, backup: Option<&str>| {
        let manifest = state.releases.get_mut(&ReleaseId::new(id)).unwrap();
        manifest.migration_head = Some(head.to_owned());
        manifest.restore_point = backup.map(|backup| RestorePoint {
            backup: backup.to_owned(),
            taken_at: fixture::time(0),
        });
    };
    set("r1", "001", None);
    set("r2", "001", None);
    set("r3", "002", Some("before-r3.sql"));
    set("r4", "003", None);
    let point = |id: &str| {
        let target = &state.releases[&ReleaseId::new(id)];
        restore_point(&state, target).map(|point| point.backup)
    };
    assert_eq!(point("r1"), Some("before-r3.sql".to_owned()));
    assert_eq!(point("r2"), Some("before-r3.sql".to_owned()));
    assert_eq!(
        point("r3"),
        None,
        "the next has none, and changed the schema"
    );
    assert_eq!(point("r4"), None, "nothing came after it");
}

/// A replica that finds migrations to apply.
fn pending() -> JournalEntry {
    let event = serde_json::json!({
        "ts": "2026-11-20T10:00:00Z", "level": "info", "replica": "app-1",
        "event": "migration.pending", "count": 1, "files": ["002"],
    });
    JournalEntry::Startup {
        replica: sysndd_protocol::ReplicaName::new("app-1"),
        event: serde_json::from_value(event).unwrap(),
    }
}

/// The first release, a run to the second that failed in the middle of `tried`, and the third, with a
/// backup of its own and this schema.
fn after_a_failure(tried: Vec<JournalEntry>, head: &str) -> State {
    let mut state = fixture::state([("r1", None), ("r3", None)]);
    let mut release = |id: &str, head: &str, backup: Option<&str>| {
        let manifest = state.releases.get_mut(&ReleaseId::new(id)).unwrap();
        manifest.migration_head = Some(head.to_owned());
        manifest.restore_point = backup.map(|backup| RestorePoint {
            backup: backup.to_owned(),
            taken_at: fixture::time(0),
        });
    };
    release("r1", "001", Some("before-r1.sql"));
    release("r3", head, Some("before-r3.sql"));
    let saved = |name: &str| report("save", JobStage::Backup, None, Some(name));
    add(
        &mut state,
        begin(1, Some("r1")),
        vec![saved("before-r1.sql"), end(Outcome::Done)],
    );
    let tried = tried.into_iter().chain([end(Outcome::Undone)]);
    add(&mut state, begin(2, Some("r2")), tried.collect());
    add(
        &mut state,
        begin(3, Some("r3")),
        vec![saved("before-r3.sql"), end(Outcome::Done)],
    );
    state
}

#[test]
fn data_do_not_come_back_with_the_schema_of_a_release_that_failed() {
    let back = |state: &State| {
        let target = &state.releases[&ReleaseId::new("r1")];
        restore_point(state, target).map(|point| point.backup)
    };
    let saved = |failure| {
        let name = "before-r2.sql";
        report("save", JobStage::Backup, failure, Some(name))
    };
    // It migrated, and what was saved after it is on the new schema.
    let state = after_a_failure(vec![saved(None), pending()], "002");
    assert_eq!(back(&state).as_deref(), Some("before-r2.sql"));
    // Nobody migrated: what was saved last has all that was written.
    let state = after_a_failure(vec![saved(None)], "001");
    assert_eq!(back(&state).as_deref(), Some("before-r3.sql"));
    // It migrated without a backup.
    let state = after_a_failure(vec![pending()], "002");
    assert_eq!(back(&state), None);
    // It could not be saved, so nothing was begun.
    let state = after_a_failure(vec![saved(Some("it was stopped"))], "002");
    assert_eq!(back(&state).as_deref(), Some("before-r3.sql"));
}

#[test]
fn the_run_that_saved_the_data_of_a_kept_release_is_kept() {
    let saved = report("save", JobStage::Backup, None, Some("before-r2.sql"));
    let mut state = after_a_failure(vec![saved], "002");
    for second in 100..120 {
        add(&mut state, begin(second, None), vec![end(Outcome::Done)]);
    }
    assert_eq!(retention(&state, 5).runs, []);
    state.releases.remove(&ReleaseId::new("r1"));
    assert_eq!(retention(&state, 5).runs.len(), 2, "nobody goes back there");
}
