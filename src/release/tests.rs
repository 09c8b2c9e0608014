//! Against a real engine. Everything is labelled with a project of the test's own and removed by
//! that label.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chrono::Utc;
use futures::FutureExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{
    fixture,
    journal::Phase,
    lock::{Lock, lock_name},
    state::RunId,
    *,
};
use crate::{
    config::{self, Caller, Environment, ProjectName, Stack},
    docker::{Engine, EngineChoice, HelperSpec, labels},
    execute::{ExecuteError, Leave, execute},
    plan::{Action, Before, OpId, Operation, Plan},
    probe::{Prober, Way},
};

/// For those who run it by hand.
#[expect(clippy::print_stdout, reason = "a test's own output is captured")]
fn figure(text: &str) {
    println!("{text}");
}

/// A project of its own, and what it takes for helpers.
struct Sandbox {
    engine: Engine,
    stack: Stack,
    image: String,
}

impl Sandbox {
    async fn new() -> Self {
        let project = format!("reltest{:08x}", rand::random::<u32>());
        Self::of(&project).await
    }

    async fn of(project: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let secret = |name: &str| (name.to_owned(), "hunter2".to_owned());
        let environment = Environment {
            variables: [
                "DB_PASSWORD",
                "DB_RESTORE_PASSWORD",
                "DB_ROOT_PASSWORD",
                "SECRET_KEY",
            ]
            .map(secret)
            .into(),
            caller: Caller { uid: 0, gid: 0 },
            directory: root.to_owned(),
        };
        let engine = Engine::connect(&EngineChoice::default()).await.unwrap();
        let stack = config::load(Path::new("sysndd.toml"), &environment)
            .unwrap_or_else(|errors| panic!("{errors}"));
        let stack = Stack {
            project: ProjectName::new(project),
            ..stack
        };
        let image = helper_image(&engine, &stack).await.unwrap();
        Self {
            engine,
            stack,
            image,
        }
    }

    fn project(&self) -> &ProjectName {
        &self.stack.project
    }

    async fn turn(&self, command: &str) -> Result<Turn, TurnError> {
        Turn::take(&self.engine, &self.stack, &self.image, command).await
    }

    async fn lock(&self, doing: &str) -> Result<Lock, LockError> {
        let run = RunId::at(Utc::now());
        Lock::take(&self.engine, self.project(), &self.image, doing, &run).await
    }

    /// Nothing to be done.
    fn plan(&self) -> Plan {
        Plan {
            project: self.project().clone(),
            release: None,
            operations: Vec::new(),
            notes: Vec::new(),
            refused: Vec::new(),
            changes: Vec::new(),
            retire_from: None,
        }
    }

    fn manifest(&self, id: &str) -> Manifest {
        Manifest::new(&self.stack, fixture::new_manifest(id, &self.stack, ""))
    }

    /// IDs of all containers of the project.
    async fn containers(&self) -> Vec<String> {
        self.engine
            .project_containers(self.project().as_str())
            .await
            .unwrap()
    }

    /// Removes what the test made, also when it failed.
    async fn run(self, test: impl AsyncFnOnce(&Self)) {
        let outcome = std::panic::AssertUnwindSafe(test(&self))
            .catch_unwind()
            .await;
        for container in self.containers().await {
            self.engine.remove(&container).await.unwrap();
        }
        erase(&self.engine, self.project()).await.unwrap();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn records_outlive_the_command_that_wrote_them() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let engine = &sandbox.engine;
            assert_eq!(
                read_state(engine, &sandbox.stack).await.unwrap(),
                State::default()
            );
            let volumes = engine.project_volumes(sandbox.project().as_str()).await;
            assert!(volumes.unwrap().is_empty(), "looking makes nothing");

            let began = Instant::now();
            let mut turn = sandbox.turn("up").await.unwrap();
            let taken = began.elapsed();
            assert_eq!(turn.interrupted(), None);
            let manifest = sandbox.manifest("r20261120-101500-000001");
            let began = Instant::now();
            let plan = sandbox.plan();
            let journal = turn
                .begin(&plan, &Before::default(), None, Some(&manifest))
                .await
                .unwrap();
            let first = began.elapsed();
            let began = Instant::now();
            for id in 0..50 {
                journal.note(fixture::operation(id, 1, Phase::Started));
                journal.note(fixture::operation(id, 2, Phase::Done { ms: 7 }));
                journal.flush().await.unwrap();
            }
            let each = began.elapsed() / 50;
            turn.complete(manifest.clone()).await.unwrap();
            let report = serde_json::json!({ "verdict": "pass" });
            turn.verdict(&manifest.id, true, report).await.unwrap();
            let began = Instant::now();
            turn.end(Outcome::Done, None).await.unwrap();
            let ended = began.elapsed();
            assert!(sandbox.containers().await.is_empty(), "nothing is left");

            let began = Instant::now();
            let state = read_state(engine, &sandbox.stack).await.unwrap();
            figure(&format!(
                "lock and state {taken:?}, first record {first:?}, each further {each:?}, \
                 end {ended:?}, reading {:?}",
                began.elapsed()
            ));
            assert_eq!(state.damaged, []);
            assert_eq!(state.newest(), Some(&manifest));
            assert!(state.verdict(&manifest.id).unwrap().pass);
            let run = state.runs.values().next().unwrap();
            assert_eq!(run.entries.len(), 1 + 100 + 1);
            assert_eq!(run.end().unwrap().outcome, Outcome::Done);
            let audit = &state.audit[0];
            assert_eq!(
                (audit.command.as_str(), audit.result),
                ("up", AuditResult::Done)
            );
            assert_eq!(audit.release, Some(manifest.id.clone()));
            assert!(sandbox.containers().await.is_empty(), "nothing is left");
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_turn_that_was_cut_off_is_found_by_the_next_which_says_how_it_dealt_with_it() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let mut turn = sandbox.turn("up --replicas 3").await.unwrap();
            let manifest = sandbox.manifest("r20261120-101500-000001");
            turn.begin(&sandbox.plan(), &Before::default(), None, Some(&manifest))
                .await
                .unwrap();
            let cut = turn.run().clone();
            // As when the process dies: nobody lets go, nobody tidies up.
            drop(turn);

            let mut turn = sandbox.turn("up").await.unwrap();
            let found = turn.interrupted().unwrap();
            assert_eq!(
                (&found.run, found.command.as_str()),
                (&cut, "up --replicas 3")
            );
            assert_eq!(found.manifest, Some(manifest));
            // The lock and one way to the state are its own; those of the other are gone.
            assert_eq!(sandbox.containers().await.len(), 2);
            turn.close_interrupted(&found, true).await.unwrap();
            assert_eq!(turn.interrupted(), None);
            let by = turn.run().clone();
            turn.end(Outcome::Done, None).await.unwrap();

            let state = read_state(&sandbox.engine, &sandbox.stack).await.unwrap();
            let end = state.runs[&cut].end().unwrap();
            assert_eq!(end.outcome, Outcome::FinishedBy(by));
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn what_is_beyond_retention_is_removed() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let mut turn = sandbox.turn("up").await.unwrap();
            for number in 1..=3 {
                let manifest = sandbox.manifest(&format!("r20261120-10150{number}-000001"));
                let id = manifest.id.clone();
                turn.complete(manifest).await.unwrap();
                let report = serde_json::json!({});
                turn.verdict(&id, number == 2, report).await.unwrap();
            }
            let beyond = turn.beyond(1);
            assert_eq!(beyond.releases.len(), 1);
            let began = Instant::now();
            turn.forget(&beyond).await.unwrap();
            figure(&format!("removing took {:?}", began.elapsed()));
            turn.leave().await.unwrap();
            let state = read_state(&sandbox.engine, &sandbox.stack).await.unwrap();
            assert_eq!((state.releases.len(), state.verdicts.len()), (2, 2));
            assert!(!state.releases.contains_key(&beyond.releases[0]));
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_lock_is_for_one_and_says_whose_it_is() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let lock = sandbox.lock("up --replicas 8").await.unwrap();
            let Err(LockError::Held { holder, .. }) = sandbox.lock("rollback").await else {
                panic!("two hold the lock");
            };
            assert_eq!(holder.doing, "up --replicas 8");
            assert_eq!(holder.who, Who::of_process());
            let status = lock_status(&sandbox.engine, sandbox.project()).await;
            assert_eq!(status.unwrap(), LockStatus::Held(*holder));
            assert!(lock.held().is_held());

            lock.release().await.unwrap();
            let status = lock_status(&sandbox.engine, sandbox.project()).await;
            assert_eq!(status.unwrap(), LockStatus::Free);
            let next = sandbox.lock("rollback").await.unwrap();
            next.release().await.unwrap();
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn of_many_who_want_the_lock_at_the_same_time_one_has_it() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let wanting = (0..8).map(|_| sandbox.lock("up"));
            let answers = futures::future::join_all(wanting).await;
            let held = answers.iter().filter(|answer| answer.is_ok()).count();
            assert_eq!(held, 1);
            for answer in answers {
                match answer {
                    Ok(lock) => lock.release().await.unwrap(),
                    Err(error) => assert!(matches!(error, LockError::Held { .. }), "{error}"),
                }
            }
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_lock_that_is_taken_away_is_noticed_by_its_holder() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let lock = sandbox.lock("up").await.unwrap();
            let mut held = lock.held();
            let taken = release_by_force(&sandbox.engine, sandbox.project()).await;
            assert_eq!(taken.unwrap().unwrap().doing, "up");
            let lost = tokio::time::timeout(Duration::from_mins(1), held.lost());
            assert!(lost.await.is_ok(), "the holder does not notice");
            assert!(!held.is_held());
            let next = sandbox.lock("rollback").await.unwrap();
            // The first lets go of nothing that is another's.
            lock.release().await.unwrap();
            assert!(next.held().is_held());
            next.release().await.unwrap();
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn no_operation_begins_when_the_lock_is_not_certain_any_more() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let (engine, stack) = (&sandbox.engine, &sandbox.stack);
            let name = format!("{}-net", sandbox.project());
            let mut plan = sandbox.plan();
            plan.operations.push(Operation {
                id: OpId(0),
                after: Vec::new(),
                action: Action::CreateNetwork { name },
                cause: "missing".to_owned(),
            });
            let leave = Leave {
                interrupt: CancellationToken::new(),
                held: Some(Held::untold()),
            };
            let prober = Prober::new(engine.clone(), Way::Undecided);
            let (progress, mut told) = mpsc::unbounded_channel();
            let done = execute(engine, &prober, stack, "", &plan, progress, &leave).await;
            let failure = done.unwrap_err();
            assert!(matches!(failure.error, ExecuteError::Interrupted));
            assert!(told.try_recv().is_err(), "it was begun");
        })
        .await;
}

/// Told by this variable, [`holds_the_lock_until_it_is_killed`] is no test.
const HOLD: &str = "SYSNDD_TEST_HOLD_LOCK";

/// The process that others kill: it holds the lock of a project for ever.
#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_turn_whose_lock_is_taken_away_has_no_end() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let engine = &sandbox.engine;
            let mut turn = sandbox.turn("up").await.unwrap();
            let plan = sandbox.plan();
            turn.begin(&plan, &Before::default(), None, None)
                .await
                .unwrap();
            let run = turn.run().clone();
            release_by_force(engine, sandbox.project()).await.unwrap();
            turn.held().lost().await;
            turn.end(Outcome::Failed, None).await.unwrap();

            let state = read_state(engine, &sandbox.stack).await.unwrap();
            let found = interrupted(&state, None).unwrap();
            assert_eq!(found.run, run);
            assert_eq!(state.audit[0].result, AuditResult::Failed);
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn holds_the_lock_until_it_is_killed() {
    let Ok(project) = std::env::var(HOLD) else {
        return;
    };
    let sandbox = Sandbox::of(&project).await;
    let _lock = sandbox.lock("up in a child").await.unwrap();
    std::future::pending::<()>().await;
}

/// A child that holds the lock; killed with the test.
struct Holding(Child);

impl Drop for Holding {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hold(project: &ProjectName) -> Holding {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact"])
        .arg("release::tests::holds_the_lock_until_it_is_killed")
        .env(HOLD, project.as_str())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Holding(child.unwrap())
}

async fn until(what: &str, mut found: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !found().await {
        assert!(began.elapsed() < Duration::from_secs(40), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_killed_holder_frees_the_lock_at_once() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            for _ in 0..5 {
                let mut child = hold(sandbox.project());
                let status = || async { lock_status(&sandbox.engine, sandbox.project()).await };
                until("the child holds the lock", async || {
                    let Ok(LockStatus::Held(holder)) = status().await else {
                        return false;
                    };
                    holder.who.pid == child.0.id() && {
                        let found = sandbox.engine.inspect(&holder.container).await;
                        found.is_ok_and(|found| found.started.is_some())
                    }
                })
                .await;
                child.0.kill().unwrap();
                let gone = until("the lock is free", async || {
                    status()
                        .await
                        .is_ok_and(|status| status == LockStatus::Free)
                })
                .await;
                figure(&format!("free {gone:?} after kill -9"));
                assert!(gone < Duration::from_secs(30), "{gone:?}");
            }
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_lock_that_was_created_and_never_started_belongs_to_nobody_after_a_while() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let name = lock_name(sandbox.project());
            let label = |key: &'static str, value: &str| (key, value.to_owned());
            let spec = HelperSpec {
                name: &name,
                image: &sandbox.image,
                labels: [
                    label(labels::PROJECT, sandbox.project().as_str()),
                    label(labels::HELPER, labels::HELPER_LOCK),
                    label(labels::RUN, "1"),
                    label(labels::LOCK_USER, "ana"),
                    label(labels::LOCK_HOST, "laptop"),
                    label(labels::LOCK_PID, "1"),
                    label(labels::LOCK_SINCE, "2026-11-20T10:00:00Z"),
                    label(labels::LOCK_DOING, "up"),
                ]
                .into(),
                command: &["true"],
                volume: None,
                stdin: true,
                auto_remove: true,
            };
            sandbox.engine.create_helper(&spec).await.unwrap();
            let first = sandbox.lock("up").await;
            assert!(
                matches!(first, Err(LockError::Held { .. })),
                "it may be about to be started"
            );
            let took = until("the leftover is taken for one", async || {
                match sandbox.lock("up").await {
                    Ok(lock) => {
                        lock.release().await.unwrap();
                        true
                    }
                    Err(LockError::Held { .. }) => false,
                    Err(error) => panic!("{error}"),
                }
            })
            .await;
            assert!(took > Duration::from_secs(10), "{took:?}");
        })
        .await;
}

/// A way to the engine over TCP that can be made to lose everything without a word.
struct Link {
    address: String,
    dead: CancellationToken,
}

impl Link {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let dead = CancellationToken::new();
        let is_dead = dead.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_engine, to_engine) = engine.into_split();
                tokio::spawn(carry(from_client, to_engine, is_dead.clone()));
                tokio::spawn(carry(from_engine, to_client, is_dead.clone()));
            }
        });
        Self { address, dead }
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    dead: CancellationToken,
) {
    tokio::select! {
        _ = tokio::io::copy(&mut from, &mut to) => {}
        () = dead.cancelled() => std::future::pending().await,
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_lost_link_frees_the_lock_and_its_holder_knows_before_anyone_else_has_it() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let link = Link::new().await;
            let far = Engine::connect(&EngineChoice {
                host: Some(link.address.clone()),
                context: None,
            })
            .await
            .unwrap();
            let (project, run) = (sandbox.project(), RunId::at(Utc::now()));
            let lock = Lock::take(&far, project, &sandbox.image, "up", &run).await;
            let lock = lock.unwrap();
            assert!(lock.held().is_held());

            link.dead.cancel();
            let began = Instant::now();
            let mut held = lock.held();
            let noticed = async {
                held.lost().await;
                began.elapsed()
            };
            let free = until("the lock is free", async || {
                let status = lock_status(&sandbox.engine, project).await;
                status.is_ok_and(|status| status == LockStatus::Free)
            });
            let (noticed, free) = tokio::join!(noticed, free);
            figure(&format!("noticed after {noticed:?}, free after {free:?}"));
            assert!(noticed < free, "noticed {noticed:?}, free {free:?}");
            assert!(free < Duration::from_mins(1), "{free:?}");
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn what_bears_the_name_of_a_lock_and_is_none_is_left_alone() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            let name = lock_name(sandbox.project());
            let spec = HelperSpec {
                name: &name,
                image: &sandbox.image,
                labels: [(labels::PROJECT, sandbox.project().to_string())].into(),
                command: &["true"],
                volume: None,
                stdin: false,
                auto_remove: false,
            };
            let id = sandbox.engine.create_helper(&spec).await.unwrap();
            let error = sandbox.lock("up").await.err().unwrap();
            assert!(matches!(error, LockError::Foreign(_)), "{error}");
            let error = release_by_force(&sandbox.engine, sandbox.project()).await;
            assert!(matches!(error, Err(LockError::Foreign(_))));
            assert_eq!(sandbox.containers().await, [id]);
        })
        .await;
}
