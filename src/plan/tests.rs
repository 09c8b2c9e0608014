//! Plans as text: what `up` and `down` would do from a given situation.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use sysndd_protocol::{ReleaseId, ReplicaName};

use super::{spec::ContainerTemplate, *};
use crate::{
    config::{self, Environment, ServiceName, Stack},
    docker::ContainerState,
    observe::{Directory, Observed, Replica},
    probe::Readiness,
};

const STACK: &str = r#"
project = "demo"

[volumes.data]
[volumes.edge]

[services.db]
image = "db:1"

[services.api]
image = "api:1"
user = "1000:1000"
replicas = 2
depends_on = ["db"]
volumes = ["data:/data"]
environment = { RELEASE = "${deploy.release}" }

[services.web]
image = "web:1"
depends_on = ["api"]
ports = ["8080:8080"]
volumes = ["edge:/edge"]

[edge]
service = "web"
upstream = "api"
port = 8080
template = "upstream.tera"
volume = "edge"
file = "upstream.conf"
test = ["true"]
reload_signal = "SIGHUP"
generation = { port = 8081, path = "/generation" }
"#;

/// A stack and what is there of it, changed step by step by each test.
struct Situation {
    stack: Stack,
    images: Images,
    observed: Observed,
    intent: UpIntent,
    _directory: tempfile::TempDir,
}

impl Situation {
    /// Nothing is there yet.
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("sysndd.toml"), text).unwrap();
        std::fs::write(directory.path().join("upstream.tera"), "").unwrap();
        let environment = Environment {
            variables: BTreeMap::new(),
            caller: config::Caller { uid: 0, gid: 0 },
            directory: directory.path().to_path_buf(),
        };
        let stack = config::load(&directory.path().join("sysndd.toml"), &environment)
            .unwrap_or_else(|errors| panic!("{errors}"));
        let images = stack
            .services
            .keys()
            .map(|name| {
                (
                    name.clone(),
                    ResolvedImage::Present(format!("sha256:{name}")),
                )
            })
            .collect();
        let intent = UpIntent {
            now: DateTime::parse_from_rfc3339("2026-11-20T10:00:00Z")
                .unwrap()
                .to_utc(),
            run: "run".to_owned(),
            wish: Wish::default(),
            edge_template: String::new(),
            old_edge: None,
            resume: None,
            history: History::default(),
        };
        Self {
            stack,
            images,
            observed: Observed::default(),
            intent,
            _directory: directory,
        }
    }

    fn plan(&self) -> Plan {
        up(&self.stack, &self.images, &self.observed, &self.intent)
    }

    /// The plan was carried out, and everything is ready.
    fn carry_out(&mut self) {
        let plan = self.plan();
        if let Some(release) = &plan.release {
            let hashes = config_hashes(&self.stack, &self.images);
            let hashes = hashes.map(|(name, hash)| (name.clone(), hash));
            self.intent.history.newest = Some((release.clone(), hashes.collect()));
        }
        self.intent.history.recorded.extend(plan.release);
        for operation in plan.operations {
            match operation.action {
                Action::CreateNetwork { name } => drop(self.observed.networks.insert(name)),
                Action::CreateVolume { name } => drop(self.observed.volumes.insert(name)),
                Action::CreateContainer(spec) => self.observed.replicas.push(replica(&spec)),
                Action::RemoveContainer { replica } => {
                    self.observed.replicas.retain(|other| other.name != replica);
                }
                Action::WriteUpstream { list, .. } | Action::ReloadEdge { list, .. } => {
                    self.observed.edge_generation = Some(list.generation);
                }
                _ => {}
            }
        }
        self.intent.now += chrono::TimeDelta::minutes(1);
    }

    /// The plan's text without IDs that depend on hashes.
    fn text(&self) -> String {
        let plan = self.plan();
        let mut text = plan.to_string();
        let releases: BTreeSet<ReleaseId> = plan
            .release
            .into_iter()
            .chain(
                self.observed
                    .replicas
                    .iter()
                    .map(|replica| replica.release.clone()),
            )
            .collect();
        for (index, release) in releases.iter().enumerate() {
            text = text.replace(release.as_str(), &format!("r{}", index + 1));
        }
        text
    }
}

fn replica(spec: &crate::docker::ContainerSpec) -> Replica {
    let label = |key: &str| spec.labels[key].clone();
    Replica {
        name: ReplicaName::new(spec.name.as_str()),
        container: spec.name.clone(),
        service: ServiceName::new(label(crate::docker::labels::SERVICE)),
        number: label(crate::docker::labels::REPLICA).parse().unwrap(),
        release: ReleaseId::new(label(crate::docker::labels::RELEASE)),
        run: label(crate::docker::labels::RUN),
        config_hash: label(crate::docker::labels::CONFIG_HASH),
        image: spec.image.clone(),
        state: ContainerState::Running,
        exit_code: None,
        oom_killed: false,
        restart_count: 0,
        readiness: Readiness::Ready,
        created_at: None,
        started_at: None,
        finished_at: None,
        address: None,
        ports: Vec::new(),
        user: String::new(),
    }
}

#[test]
fn from_nothing_all_replicas_are_created_before_any_starts() {
    insta::assert_snapshot!(Situation::new(STACK).text());
}

const JOBS: &str = r#"
[jobs.save]
service = "api"
command = ["backup"]

[jobs.check]
service = "web"
entrypoint = ["sh", "-c", "check"]

[hooks]
pre_deploy = ["check"]
post_deploy = ["check"]

[deploy]
pre_deploy_backup = "save"
restore_backup = "save"
"#;

fn with_jobs() -> Situation {
    Situation::new(&format!("{STACK}{JOBS}"))
}

fn changed(situation: &mut Situation, service: &str) {
    let image = ResolvedImage::Present("sha256:new".into());
    situation.images.insert(ServiceName::new(service), image);
}

#[test]
fn what_a_hook_needs_is_brought_up_before_it_on_a_fresh_stack() {
    insta::assert_snapshot!(with_jobs().text());
}

#[test]
fn nothing_is_replaced_before_the_backup_and_the_hooks_nor_ended_before_those_after() {
    let mut situation = with_jobs();
    situation.carry_out();
    assert!(situation.plan().is_empty(), "{}", situation.plan());
    changed(&mut situation, "api");
    insta::assert_snapshot!(situation.text());
    situation.intent.wish.no_backup = true;
    let without = situation.text();
    assert!(
        !without.contains(" backup: ") && without.contains(" pre: "),
        "{without}"
    );
    situation.intent.wish.no_backup = false;
    // Nothing was ever right here: there is nothing to save.
    let mut never = with_jobs();
    never.carry_out();
    never.intent.history.recorded.clear();
    for replica in &mut never.observed.replicas {
        replica.readiness = Readiness::NotReady("it refuses connections".to_owned());
    }
    changed(&mut never, "api");
    assert!(!never.text().contains(" backup: "), "{}", never.text());
    changed(&mut situation, "db");
    let plan = situation.plan();
    let hook = |operation: &&Operation| {
        matches!(
            operation.action,
            Action::RunJob {
                stage: JobStage::Pre,
                ..
            }
        )
    };
    let hook = plan.operations.iter().find(hook).unwrap().id;
    // In whichever order they may run: a stop has the hook among all that comes before it.
    let mut before: Vec<BTreeSet<OpId>> = Vec::new();
    for operation in &plan.operations {
        let mut all: BTreeSet<OpId> = operation.after.iter().copied().collect();
        all.extend(operation.after.iter().flat_map(|id| &before[id.0]));
        let gated = all.contains(&hook);
        before.push(all);
        let changes = matches!(
            operation.action,
            Action::CreateContainer(_)
                | Action::StartContainer { .. }
                | Action::StopContainer { .. }
                | Action::RemoveContainer { .. }
                | Action::ReloadEdge { .. }
        );
        assert!(!changes || gated, "{plan}");
    }
}

#[test]
fn the_same_release_again_runs_no_job_and_one_that_was_cut_off_only_those_that_are_left() {
    let mut situation = with_jobs();
    situation.carry_out();
    let jobs = |situation: &Situation| {
        let plan = situation.plan();
        let job = |operation: &Operation| match &operation.action {
            Action::RunJob { stage, .. } => Some(*stage),
            _ => None,
        };
        plan.operations.iter().filter_map(job).collect::<Vec<_>>()
    };
    let api = ServiceName::new("api");
    situation.intent.wish.replicas.insert(api, 3);
    assert_eq!(jobs(&situation), []);
    // As if the run had ended before its release was recorded.
    situation.intent.history.recorded.clear();
    let release = situation.observed.release().cloned().unwrap();
    let check = crate::config::JobName::new("check");
    let done = (release, JobStage::Pre, check);
    situation.intent.history.done.insert(done);
    assert_eq!(jobs(&situation), [JobStage::Post]);
}

#[test]
fn a_backup_comes_back_while_nobody_writes() {
    let mut situation = with_jobs();
    situation.carry_out();
    situation.intent.wish.restore = Some("a.sql".to_owned());
    insta::assert_snapshot!(situation.text());
}

#[test]
fn maintenance_stays_on_through_a_replacement() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    situation.observed.maintenance = Some(Maintenance {
        message: "soon".to_owned(),
        retry_after: 60,
        since: situation.intent.now,
        by: "ana@laptop".to_owned(),
    });
    changed(&mut situation, "api");
    let plan = situation.plan();
    let lists: Vec<Option<u32>> = plan
        .operations
        .iter()
        .filter_map(|operation| match &operation.action {
            Action::ReloadEdge { list, .. } => Some(list.maintenance),
            _ => None,
        })
        .collect();
    assert_eq!(lists, [Some(60)]);
    assert!(plan.notes[0].contains("maintenance is on since"), "{plan}");
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    assert!(situation.plan().is_empty(), "{}", situation.plan());
}

#[test]
fn a_changed_service_is_recreated_and_the_edge_follows() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let api = ServiceName::new("api");
    situation
        .images
        .insert(api, ResolvedImage::Present("sha256:new".into()));
    insta::assert_snapshot!(situation.text());
}

#[test]
fn surplus_replicas_leave_the_upstream_list_before_they_end() {
    let mut situation = Situation::new(STACK);
    situation
        .intent
        .wish
        .replicas
        .insert(ServiceName::new("api"), 4);
    situation.carry_out();
    situation.intent.wish.replicas.clear();
    insta::assert_snapshot!(situation.text());
}

#[test]
fn more_replicas_join_the_release_that_runs() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let release = situation.observed.release().cloned();
    situation
        .intent
        .wish
        .replicas
        .insert(ServiceName::new("api"), 3);
    assert_eq!(situation.plan().release, release);
    insta::assert_snapshot!(situation.text());
}

#[test]
fn an_interrupted_run_is_finished() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    // It ended after the containers were created: one was started, the edge has no list.
    for replica in &mut situation.observed.replicas {
        if replica.service.as_str() != "db" && replica.name.as_str().ends_with('1') {
            replica.state = ContainerState::Created;
            replica.readiness = Readiness::Unknown;
        }
    }
    situation.observed.edge_generation = None;
    situation.observed.leftovers.push("demo-data-owner".into());
    insta::assert_snapshot!(situation.text());
}

#[test]
fn a_replica_that_hangs_is_restarted_and_one_that_may_still_start_is_waited_for() {
    let text = STACK
        .replace("[volumes.data]", "[volumes.data]\n[volumes.db]")
        .replace(
            "image = \"db:1\"",
            "image = \"db:1\"\nvolumes = [\"db:/var/lib\"]",
        );
    let mut situation = Situation::new(&text);
    situation.carry_out();
    let now = situation.intent.now;
    let timeout = situation.stack.deploy.ready_timeout;
    for replica in &mut situation.observed.replicas {
        replica.started_at = Some(now - 2 * timeout);
        replica.readiness = Readiness::NotReady("no answer".to_owned());
        if replica.name.as_str().ends_with("-2") {
            replica.started_at = Some(now - timeout / 2);
        }
    }
    insta::assert_snapshot!(situation.text());
}

#[test]
fn a_service_that_left_the_file_is_removed() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let mut other = situation.observed.replicas[0].clone();
    other.service = ServiceName::new("old");
    other.name = ReplicaName::new("demo-old-r1-1");
    situation.observed.replicas.push(other);
    insta::assert_snapshot!(situation.text());
}

#[test]
fn a_service_less_is_a_release_also_when_nothing_is_made() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let first = situation.observed.release().cloned();
    let fewer = situation.stack.clone();
    let more = Situation::new(&format!("{STACK}\n[services.more]\nimage = \"more:1\"\n"));
    situation.stack = more.stack.clone();
    situation.images = more.images.clone();
    situation.carry_out();
    let second = situation.observed.release().cloned();
    assert_ne!(first, second);

    situation.stack = fewer;
    situation.images.remove(&ServiceName::new("more"));
    let plan = situation.plan();
    let third = plan.release.clone();
    assert!(third > second, "{plan}");
    // It was cut off before its end, which made nothing that bears its name.
    situation.intent.now += chrono::TimeDelta::minutes(1);
    situation.intent.resume.clone_from(&third);
    assert_eq!(situation.plan().release, third);
    situation.intent.resume = None;

    situation.carry_out();
    assert_eq!(situation.observed.release(), first.as_ref());
    let settled = situation.plan();
    assert!(settled.is_empty() && settled.release.is_none(), "{settled}");
    // More replicas are the newest release's, though it made none until now.
    let api = ServiceName::new("api");
    situation.intent.wish.replicas.insert(api, 3);
    let newest = situation.intent.history.newest.clone();
    assert_eq!(situation.plan().release, newest.map(|(release, _)| release));
}

#[test]
fn what_failed_at_its_very_end_keeps_its_name() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    changed(&mut situation, "api");
    let history = situation.intent.history.clone();
    situation.carry_out();
    let made = situation.observed.release().cloned();
    // It serves, and was not recorded.
    situation.intent.history = history;
    let plan = situation.plan();
    assert_eq!(plan.release_after(&situation.observed), made);
}

#[test]
fn of_two_with_one_number_the_ready_one_stays() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let mut twin = situation
        .observed
        .replicas_of(&ServiceName::new("api"))
        .next()
        .unwrap()
        .clone();
    twin.name = ReplicaName::new("demo-api-twin-1");
    twin.readiness = Readiness::NotReady("HTTP 503".into());
    situation.observed.replicas.push(twin);
    insta::assert_snapshot!(situation.text());
}

#[test]
fn a_replica_with_a_foreign_image_is_removed_before_its_namesake_is_created() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let api = ServiceName::new("api");
    let mut replicas = situation.observed.replicas.iter_mut();
    let foreign = replicas.find(|replica| replica.service == api).unwrap();
    foreign.image = "sha256:foreign".into();
    insta::assert_snapshot!(situation.text());
}

#[test]
fn force_makes_a_new_release_of_the_same() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let before = situation.observed.release().cloned();
    situation.intent.wish.force = true;
    let plan = situation.plan();
    assert!(
        plan.release > before,
        "{:?} is not newer than {before:?}",
        plan.release
    );
    let created = plan
        .operations
        .iter()
        .filter(|o| matches!(o.action, Action::CreateContainer(_)));
    assert_eq!(created.count(), 4);
}

#[test]
fn the_release_is_not_part_of_the_hash_but_all_else_is() {
    let situation = Situation::new(STACK);
    let api = &situation.stack.services[&ServiceName::new("api")];
    let template = ContainerTemplate::new(&situation.stack, api, "sha256:api");
    let spec = template.instantiate(&ReleaseId::new("r1"), "run", 1);
    assert_eq!(spec.environment["RELEASE"], "r1");

    let mut changed = api.clone();
    changed.stop_grace_period += std::time::Duration::from_secs(1);
    let others = [
        ContainerTemplate::new(&situation.stack, api, "sha256:other"),
        ContainerTemplate::new(&situation.stack, &changed, "sha256:api"),
    ];
    for other in others {
        assert_ne!(template.hash(), other.hash());
    }
    let again = ContainerTemplate::new(&situation.stack, api, "sha256:api");
    assert_eq!(template.hash(), again.hash());
}

#[test]
fn the_upstream_list_has_the_same_generation_whenever_it_is_the_same() {
    let generation = |situation: &Situation| {
        situation
            .plan()
            .operations
            .iter()
            .find_map(|operation| match &operation.action {
                Action::WriteUpstream { list, .. } => Some(list.generation),
                _ => None,
            })
    };
    let situation = Situation::new(STACK);
    let first = generation(&situation).unwrap();
    assert_eq!(generation(&situation), Some(first));
    let mut other = Situation::new(STACK);
    other.intent.edge_template = "changed".into();
    assert_ne!(generation(&other), Some(first));
}

#[test]
fn another_port_of_the_replicas_is_another_list() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let other = STACK.replace("\nport = 8080", "\nport = 9090");
    situation.stack = Situation::new(&other).stack.clone();
    let plan = situation.plan();
    let reload = |operation: &Operation| matches!(operation.action, Action::ReloadEdge { .. });
    assert_eq!(plan.operations.len(), 1, "{plan}");
    assert!(plan.operations.iter().any(reload), "{plan}");
}

#[test]
fn an_edge_that_is_replaced_is_told_in_its_own_terms_and_the_new_one_in_those_to_come() {
    let mut situation = Situation::new(&without_port());
    situation.carry_out();
    let old = OldEdge::new(&situation.stack, "", &situation.stack).unwrap();
    situation.intent.old_edge = Some(old.into());
    situation.intent.edge_template = "to come".to_owned();
    new_image(&mut situation, "api");
    // In whose terms each list is.
    let told = |situation: &Situation| {
        let plan = situation.plan();
        let config = situation.stack.edge.as_ref().unwrap();
        let terms = |list: &Upstream| {
            ["", "to come"].into_iter().find(|template| {
                Upstream::of(config, template, list.servers.clone(), None) == *list
            })
        };
        let told = |operation: &Operation| match &operation.action {
            Action::ReloadEdge { list, by, .. } => Some((by.is_some(), terms(list))),
            Action::DrainEdge { by, .. } => Some((by.is_some(), None)),
            Action::WriteUpstream { list, .. } => Some((false, terms(list))),
            _ => None,
        };
        plan.operations.iter().filter_map(told).collect::<Vec<_>>()
    };
    let stays = [(false, Some("to come")), (false, None)];
    assert_eq!(told(&situation), stays, "{}", situation.plan());
    new_image(&mut situation, "web");
    let leaves = [(true, Some("")), (true, None), (false, Some("to come"))];
    assert_eq!(told(&situation), leaves, "{}", situation.plan());
    // Without others behind it there is nothing to tell it.
    let api = ResolvedImage::Present("sha256:api".into());
    situation.images.insert(ServiceName::new("api"), api);
    assert_eq!(told(&situation), leaves[2..], "{}", situation.plan());
}

#[test]
fn down_stops_dependents_first_and_keeps_volumes() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let intent = DownIntent::default();
    let release = situation.observed.release().unwrap().to_string();
    let plan = down(&situation.stack, &situation.observed, intent).to_string();
    insta::assert_snapshot!(plan.replace(&release, "r1"));
}

#[test]
fn down_with_volumes_removes_them_last() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let plan = down(
        &situation.stack,
        &situation.observed,
        DownIntent { volumes: true },
    );
    let volumes: Vec<&Operation> = plan
        .operations
        .iter()
        .filter(|operation| matches!(operation.action, Action::RemoveVolume { .. }))
        .collect();
    assert_eq!(volumes.len(), 2);
    for volume in volumes {
        assert_eq!(volume.after.len(), 4, "a volume goes after every container");
    }
}

#[test]
fn a_directory_that_the_user_cannot_write_to_is_a_fault_unless_it_may_be_given() {
    let text = STACK.replace("data:/data", "/srv/data:/data");
    let owner = config::Owner { uid: 0, gid: 0 };
    let mut situation = Situation::new(&text);
    let path = std::path::PathBuf::from("/srv/data");
    situation
        .observed
        .directories
        .insert(path.clone(), Directory::Present { owner, mode: 0o755 });
    let faults = mount_faults(&situation.stack, &situation.observed, false);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].path, path);

    situation
        .observed
        .directories
        .insert(path, Directory::Present { owner, mode: 0o777 });
    assert_eq!(
        mount_faults(&situation.stack, &situation.observed, false),
        []
    );
}

/// The stack with a hand-over of the port, so that the edge can run twice; requests are drained.
fn without_port() -> String {
    STACK
        .replace("ports = [\"8080:8080\"]\n", "")
        .replace("reload_signal", "worker_process = \"old\"\nreload_signal")
}

fn new_image(situation: &mut Situation, service: &str) {
    let image = ResolvedImage::Present(format!("sha256:new-{service}"));
    situation.images.insert(ServiceName::new(service), image);
}

#[test]
fn old_and_new_of_all_services_run_side_by_side_until_all_new_is_proven() {
    let mut situation = Situation::new(&without_port());
    situation.carry_out();
    new_image(&mut situation, "api");
    new_image(&mut situation, "web");
    insta::assert_snapshot!(situation.text());
}

#[test]
fn bounded_surge_replaces_in_batches_and_removes_only_at_the_end() {
    let text = format!(
        "{}\n[deploy]\nmax_surge = 1\nsoak = \"0s\"\n",
        without_port()
    );
    let mut situation = Situation::new(&text);
    situation.carry_out();
    new_image(&mut situation, "api");
    insta::assert_snapshot!(situation.text());
}

#[test]
fn a_published_port_makes_a_short_gap() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    new_image(&mut situation, "web");
    insta::assert_snapshot!(situation.text());
}

#[test]
fn what_keeps_data_is_only_replaced_with_leave() {
    let text = STACK
        .replace("[volumes.data]", "[volumes.data]\n[volumes.db]")
        .replace(
            "image = \"db:1\"",
            "image = \"db:1\"\nvolumes = [\"db:/var/lib\"]",
        );
    let mut situation = Situation::new(&text);
    situation.carry_out();
    let db = ServiceName::new("db");
    situation.intent.wish.force = true;
    assert_eq!(
        situation.plan().refused,
        [],
        "force does not mean the database"
    );
    situation.intent.wish.force = false;
    new_image(&mut situation, "db");
    assert_eq!(situation.plan().refused, std::slice::from_ref(&db));
    situation.intent.wish.allow_recreate.insert(db);
    insta::assert_snapshot!(situation.text());
}

/// What is there when a run of `plan` failed after its first `done` operations.
fn failed_after(situation: &mut Situation, done: usize) -> Before {
    let list = situation
        .observed
        .edge_generation
        .map(|generation| ListBefore {
            generation,
            content: "before".into(),
        });
    let before = Before::new(&situation.observed, list);
    let plan = situation.plan();
    for operation in plan.operations.into_iter().take(done) {
        let replicas = &mut situation.observed.replicas;
        match operation.action {
            Action::CreateContainer(spec) => {
                let mut replica = replica(&spec);
                replica.state = ContainerState::Created;
                replicas.push(replica);
            }
            Action::StartContainer { replica } => {
                state(replicas, &replica, ContainerState::Running);
            }
            Action::StopContainer { replica, .. } => {
                state(replicas, &replica, ContainerState::Exited);
            }
            Action::ReloadEdge { list, .. } => {
                situation.observed.edge_generation = Some(list.generation);
            }
            _ => {}
        }
    }
    before
}

fn state(replicas: &mut [Replica], name: &ReplicaName, state: ContainerState) {
    let replica = replicas.iter_mut().find(|replica| replica.name == *name);
    replica.expect("planned on what is there").state = state;
}

fn way_back(situation: &Situation, before: &Before) -> String {
    let mut text = undo(
        &situation.stack,
        &situation.stack,
        before,
        &situation.observed,
    )
    .to_string();
    let releases: BTreeSet<&ReleaseId> = situation
        .observed
        .replicas
        .iter()
        .map(|replica| &replica.release)
        .collect();
    for (index, release) in releases.into_iter().enumerate() {
        text = text.replace(release.as_str(), &format!("r{}", index + 1));
    }
    text
}

#[test]
fn the_old_release_again_after_one_that_was_cut_off_keeps_its_name() {
    let mut situation = Situation::new(&without_port());
    situation.carry_out();
    let first = situation.observed.release().cloned();
    let images = situation.images.clone();
    situation.intent.now += chrono::TimeDelta::minutes(1);
    new_image(&mut situation, "api");
    failed_after(&mut situation, 4);
    assert_ne!(situation.observed.release().cloned(), first);

    situation.images = images;
    let plan = situation.plan();
    assert_eq!(plan.release, None, "nothing is made");
    assert_eq!(plan.release_after(&situation.observed), first);
    let ends = |action: &Action| {
        matches!(
            action,
            Action::StopContainer { .. } | Action::RemoveContainer { .. }
        )
    };
    let mut actions = plan.operations.iter().map(|operation| &operation.action);
    assert!(actions.all(ends), "{plan}");
}

#[test]
fn the_way_back_before_the_switch_only_takes_the_new_ones_away() {
    let mut situation = Situation::new(&without_port());
    situation.carry_out();
    new_image(&mut situation, "api");
    let before = failed_after(&mut situation, 4);
    insta::assert_snapshot!(way_back(&situation, &before));
}

#[test]
fn the_way_back_from_within_a_bounded_surge_starts_what_was_stopped_and_restores_the_list() {
    let text = format!(
        "{}\n[deploy]\nmax_surge = 1\nsoak = \"0s\"\n",
        without_port()
    );
    let mut situation = Situation::new(&text);
    situation.carry_out();
    new_image(&mut situation, "api");
    let before = failed_after(&mut situation, 8);
    insta::assert_snapshot!(way_back(&situation, &before));
}

#[test]
fn the_way_back_from_a_stop_first_service_makes_room_for_the_old_one() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    new_image(&mut situation, "web");
    let before = failed_after(&mut situation, 4);
    insta::assert_snapshot!(way_back(&situation, &before));
}

#[test]
fn the_way_back_ends_a_new_edge_before_the_replicas_that_it_knows() {
    let mut situation = Situation::new(&without_port());
    situation.carry_out();
    new_image(&mut situation, "api");
    new_image(&mut situation, "web");
    let all = situation.plan().retire_from.expect("old ones end").0;
    let before = failed_after(&mut situation, all);
    insta::assert_snapshot!(way_back(&situation, &before));
}

#[test]
fn on_the_way_back_what_is_old_is_waited_for_by_its_own_stack() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let then = situation.stack.clone();
    let timeouts = "\n[deploy]\nready_timeout = \"7s\"\n";
    situation.stack = Situation::new(&format!("{STACK}{timeouts}")).stack.clone();
    new_image(&mut situation, "web");
    let before = failed_after(&mut situation, 4);
    let plan = undo(&situation.stack, &then, &before, &situation.observed);
    let timeout = plan.operations.iter().find_map(|it| match &it.action {
        Action::AwaitReady { timeout, .. } => Some(*timeout),
        _ => None,
    });
    assert_eq!(timeout, Some(then.deploy.ready_timeout), "{plan}");
}

#[test]
fn nothing_done_needs_no_way_back() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    new_image(&mut situation, "web");
    let before = failed_after(&mut situation, 0);
    assert!(
        undo(
            &situation.stack,
            &situation.stack,
            &before,
            &situation.observed
        )
        .is_empty()
    );
}

/// The stack with a service that holds the port for the edge.
fn with_entrance() -> String {
    without_port().replace(
        "service = \"web\"",
        "service = \"web\"\nentrance = \"door\"",
    ) + "\n[services.door]\nimage = \"door:1\"\nports = [\"8080:8000\"]\n"
}

#[test]
fn a_replaced_entrance_takes_the_edge_along_after_the_list_was_changed() {
    let mut situation = Situation::new(&with_entrance());
    situation.carry_out();
    new_image(&mut situation, "api");
    new_image(&mut situation, "door");
    insta::assert_snapshot!(situation.text());
}

#[test]
fn force_spares_the_entrance() {
    let mut situation = Situation::new(&with_entrance());
    situation.carry_out();
    situation.intent.wish.force = true;
    let plan = situation.plan();
    let mut subjects = plan
        .operations
        .iter()
        .map(|operation| operation.action.subject());
    assert!(
        subjects.all(|subject| !subject.starts_with("demo-door-")),
        "{plan}"
    );
}

#[test]
fn a_restart_takes_one_replica_after_the_other_out_of_the_list() {
    let mut situation = Situation::new(STACK);
    situation.carry_out();
    let services = [ServiceName::new("api"), ServiceName::new("web")].into();
    let plan = restart(&situation.stack, &situation.observed, "", &services);
    insta::assert_snapshot!(plan);
    // The list is the one of before again: `up` has nothing to do.
    let last = plan
        .operations
        .iter()
        .rev()
        .find_map(|operation| match &operation.action {
            Action::ReloadEdge { list, .. } => Some(list.generation),
            _ => None,
        });
    assert_eq!(last, situation.observed.edge_generation);
}

const TLS: &str = r#"
project = "demo"

[services.db]
image = "db:1"
user = "999:999"
tls = { dir = "/run/tls", arguments = ["--tls"], reload = ["reload"] }

[services.api]
image = "api:1"
depends_on = ["db"]
tls = { dir = "/run/tls", certificate = false, environment = { CA = "/run/tls/ca.pem" } }
"#;

#[test]
fn certificates_are_made_before_what_needs_them() {
    let mut situation = Situation::new(TLS);
    let authority =
        crate::tls::new_authority(&situation.stack.project, situation.intent.now).unwrap();
    situation
        .intent
        .history
        .tls
        .add(crate::tls::TlsRecord::Authority(authority));
    insta::assert_snapshot!(situation.text());
    let plan = situation.plan();
    let specs: Vec<_> = plan
        .operations
        .iter()
        .filter_map(|operation| match &operation.action {
            Action::CreateContainer(spec) => Some(spec),
            _ => None,
        })
        .collect();
    for spec in &specs {
        assert!(
            spec.mounts
                .iter()
                .any(|mount| mount.target == "/run/tls" && mount.read_only),
            "{spec:?}"
        );
    }
    assert_eq!(specs[0].command, Some(vec!["--tls".to_owned()]));
    assert_eq!(specs[1].environment["CA"], "/run/tls/ca.pem");
    let stack = &situation.stack;
    let service = &stack.services[&ServiceName::new("db")];
    let name = ReplicaName::new("demo-once");
    let once = one_off(stack, service, "sha256:db", &ReleaseId::new("r1"), &name);
    assert_eq!(once.command, None, "a single command is another one");
}

#[test]
fn a_renewal_tells_the_replicas_that_stay_and_makes_no_release() {
    let mut situation = Situation::new(TLS);
    let authority =
        crate::tls::new_authority(&situation.stack.project, situation.intent.now).unwrap();
    let known = &mut situation.intent.history.tls;
    known.add(crate::tls::TlsRecord::Authority(authority));
    for operation in situation.plan().operations {
        if let Action::ProvideTls { order, .. } = operation.action {
            let record = crate::tls::TlsRecord::Issued(order.issued);
            situation.intent.history.tls.add(record);
        }
    }
    situation.carry_out();
    assert!(situation.plan().is_empty(), "{}", situation.text());
    situation.intent.now += chrono::TimeDelta::days(400);
    let plan = situation.plan();
    assert_eq!(plan.release, None);
    insta::assert_snapshot!(situation.text());
}
