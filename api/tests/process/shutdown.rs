//! From the signal to the end.

use std::path::Path;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use rustix::process::Signal;
use sysndd_protocol::{Event, ReadyStatus, StartupEvent};

use crate::support::{
    Database, GATE, Launch, Replica, Request, eventually, migrations, shipped_migrations,
    shut_gate, with_database,
};

async fn ready(db: &Database, data: &Path, grace: &str, delay: &str) -> Replica {
    let replica = Launch::serve("api-1", &db.url(), data, shipped_migrations())
        .set("SYSNDD_SHUTDOWN_GRACE", grace)
        .set("SYSNDD_DRAIN_DELAY", delay)
        .set("SYSNDD_REQUEST_TIMEOUT", "2m")
        .start();
    replica.is_ready().await;
    replica
}

/// A request that is not answered before this connection says `UNLOCK TABLES`.
async fn held_request(replica: &Replica, conn: &mut Conn) -> Request {
    conn.query_drop("LOCK TABLES genes WRITE")
        .await
        .expect("locked");
    let request = Request::get(replica.address().await, "/api/genes/MECP2")
        .await
        .expect("accepted");
    eventually("the request in flight", async || {
        conn.query_first::<u32, _>(
            "SELECT 1 FROM information_schema.processlist \
             WHERE db = DATABASE() AND state = 'Waiting for table metadata lock'",
        )
        .await
        .expect("asked")
    })
    .await;
    request
}

fn is_lock_acquired(event: &Event) -> Option<()> {
    matches!(event, Event::MigrationLockAcquired { .. }).then_some(())
}

fn is_lock_wait(event: &Event) -> Option<()> {
    matches!(event, Event::MigrationLockWait { .. }).then_some(())
}

fn is_shutdown_begin(event: &Event) -> Option<()> {
    matches!(event, Event::ShutdownBegin { .. }).then_some(())
}

fn drained(stdout: &[String]) -> (usize, u64) {
    let events: Vec<_> = stdout
        .iter()
        .filter_map(|line| StartupEvent::parse(line))
        .collect();
    match &events[events.len() - 2..] {
        [
            StartupEvent {
                event: Event::ShutdownBegin { reason },
                ..
            },
            StartupEvent {
                event:
                    Event::ShutdownDrained {
                        requests,
                        jobs: 0,
                        elapsed_ms,
                    },
                ..
            },
        ] if reason == "SIGTERM" => (*requests, *elapsed_ms),
        other => panic!("the last two events are {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_request_in_flight_is_answered_before_the_end_and_no_new_one_is_accepted() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let replica = ready(&db, data.path(), "2m", "0s").await;
        let address = replica.address().await;
        let mut conn = db.connect().await;
        let request = held_request(&replica, &mut conn).await;
        replica.signal(Signal::TERM);
        eventually("a refusal", async || {
            Request::get(address, "/health").await.err()
        })
        .await;
        conn.query_drop("UNLOCK TABLES").await.expect("unlocked");
        let answer = request.answer().await.expect("it is not cut off");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let (status, stdout, stderr) = replica.end().await;
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert_eq!(drained(&stdout).0, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn with_a_drain_delay_a_replica_says_that_it_drains_before_it_closes() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let replica = ready(&db, data.path(), "20s", "5s").await;
        let asked = Instant::now();
        replica.signal(Signal::TERM);
        let report = replica
            .becomes("draining", |report| report.status == ReadyStatus::Draining)
            .await;
        assert_eq!(report.migrations.pending, Some(0), "it still looks");
        for _ in 0..3 {
            replica.get("/health/ready").await;
        }
        let (status, stdout, _) = replica.end().await;
        assert_eq!(status.code(), Some(0));
        assert!(asked.elapsed() >= Duration::from_secs(5));
        // One may have been on its way when the signal came.
        let drained = drained(&stdout).0;
        assert!(
            drained <= 1,
            "what came after the signal was not drained: {drained}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn an_idle_replica_ends_at_once() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let replica = ready(&db, data.path(), "1m", "0s").await;
        // A kept-alive connection that says nothing holds nobody up.
        let _idle = tokio::net::TcpStream::connect(replica.address().await)
            .await
            .expect("accepted");
        replica.get("/health").await;
        replica.signal(Signal::TERM);
        let (status, stdout, _) = replica.end().await;
        assert_eq!(status.code(), Some(0));
        let (requests, elapsed_ms) = drained(&stdout);
        assert_eq!(requests, 0);
        assert!(
            elapsed_ms < 50_000,
            "it waited its grace period out: {elapsed_ms} ms"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_request_that_outlasts_the_grace_period_is_cut_off_and_admitted() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let replica = ready(&db, data.path(), "200ms", "0s").await;
        let mut conn = db.connect().await;
        let _request = held_request(&replica, &mut conn).await;
        replica.signal(Signal::TERM);
        let (status, _, stderr) = replica.end().await;
        assert_eq!(status.code(), Some(1));
        assert!(
            stderr.contains("the grace period of 200ms is over: leaving 1 requests unanswered"),
            "{stderr}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_migration_under_way_is_finished_and_a_wait_for_one_is_given_up() {
    with_database(|db| async move {
        let mut conn = db.connect().await;
        shut_gate(&mut conn).await;
        let files = migrations(&[GATE]);
        let data = tempfile::tempdir().expect("a directory");
        let launch = |name| Launch::serve(name, &db.url(), data.path(), files.path().to_owned());
        let applier = launch("api-1").start();
        applier
            .event("migration.lock_acquired", is_lock_acquired)
            .await;
        let waiter = launch("api-2").start();
        waiter.event("migration.lock_wait", is_lock_wait).await;

        waiter.signal(Signal::TERM);
        let (status, stdout, stderr) = waiter.end().await;
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(drained(&stdout).1 < 20_000);

        applier.signal(Signal::TERM);
        applier.event("shutdown.begin", is_shutdown_begin).await;
        conn.query_drop("UNLOCK TABLES").await.expect("opened");
        let (status, stdout, stderr) = applier.end().await;
        assert_eq!(status.code(), Some(0), "{stderr}");
        let complete = stdout
            .iter()
            .position(|line| line.contains("\"migration.complete\""));
        let drained = stdout
            .iter()
            .position(|line| line.contains("\"shutdown.drained\""));
        assert!(complete.is_some() && complete < drained, "{stdout:#?}");
        assert!(!stdout.iter().any(|line| line.contains("\"startup.ready\"")));
        let passed: Option<u32> = conn
            .query_first("SELECT COUNT(*) FROM gate")
            .await
            .expect("read");
        assert_eq!(passed, Some(1));
    })
    .await;
}
