//! Jobs: run once, finished or handed back on the way out, taken over from the dead.

use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, params};
use rustix::process::Signal;
use sysndd_protocol::{Event, StartupEvent};

use crate::support::{
    Database, Launch, Replica, eventually, lost_job, shipped_migrations, with_database,
};

/// A table and a kind of job that only drills know.
async fn drill(conn: &mut Conn) {
    conn.query_drop(
        "CREATE TABLE drill_effects (effect_id INT AUTO_INCREMENT PRIMARY KEY, \
         job_id BIGINT UNSIGNED NOT NULL, fence BIGINT UNSIGNED NOT NULL, replica VARCHAR(128) NOT NULL)",
    )
    .await
    .expect("made");
}

fn launch(role: &str, name: &str, db: &Database, data: &Path) -> Launch {
    Launch::replica(role, name, &db.url(), data, shipped_migrations())
        .set("SYSNDD_DRILL", "jobs")
        .set("SYSNDD_JOB_LEASE", "10s")
}

async fn enqueue(conn: &mut Conn, pause: Duration) -> u64 {
    let pause = u64::try_from(pause.as_millis()).expect("short");
    conn.exec_drop(
        "INSERT INTO jobs (kind, payload, max_attempts) VALUES ('drill.count', JSON_OBJECT('pause_ms', :pause), 9)",
        params! { pause },
    )
    .await
    .expect("inserted");
    conn.last_insert_id().expect("a number")
}

type Row = (String, u16, Option<String>, u64);

async fn row(conn: &mut Conn, job_id: u64) -> Row {
    conn.exec_first(
        "SELECT CAST(status AS CHAR), attempts, lease_owner, fence FROM jobs WHERE job_id = :job_id",
        params! { job_id },
    )
    .await
    .expect("read")
    .expect("it is there")
}

async fn becomes(conn: &mut Conn, job_id: u64, status: &str) -> Row {
    eventually(status, async || {
        Some(row(conn, job_id).await).filter(|row| row.0 == status)
    })
    .await
}

async fn effects(conn: &mut Conn, job_id: u64) -> u64 {
    conn.exec_first(
        "SELECT COUNT(*) FROM drill_effects WHERE job_id = :job_id",
        params! { job_id },
    )
    .await
    .expect("read")
    .expect("a number")
}

fn drained_jobs(stdout: &[String]) -> usize {
    stdout
        .iter()
        .filter_map(|line| StartupEvent::parse(line))
        .find_map(|event| match event.event {
            Event::ShutdownDrained { jobs, .. } => Some(jobs),
            _ => None,
        })
        .unwrap_or_else(|| panic!("it did not drain: {}", stdout.join("\n")))
}

async fn ready(launch: Launch) -> Replica {
    let replica = launch.start();
    replica.is_ready().await;
    replica
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_replica_that_only_runs_jobs_answers_for_its_health_alone() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let worker = ready(launch("worker", "worker-1", &db, data.path())).await;
        let mut conn = db.connect().await;
        drill(&mut conn).await;
        let job_id = enqueue(&mut conn, Duration::ZERO).await;
        let row = becomes(&mut conn, job_id, "succeeded").await;
        assert_eq!(row, ("succeeded".into(), 1, None, 1));
        assert_eq!(effects(&mut conn, job_id).await, 1);
        for path in ["/health", "/api/health", "/api/health/ready"] {
            assert_eq!(worker.get(path).await.status, 200, "{path}");
        }
        for path in ["/api/openapi.json", "/api/account", "/api/jobs/1"] {
            assert_eq!(worker.get(path).await.status, 404, "{path}");
        }
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn the_health_report_shows_who_works_and_what_waits() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let idle = launch("serve", "api-1", &db, data.path()).set("SYSNDD_WORKERS", "0");
        let idle = ready(idle).await;
        let mut conn = db.connect().await;
        drill(&mut conn).await;
        let long = enqueue(&mut conn, Duration::from_mins(1)).await;
        conn.query_drop("UPDATE jobs SET run_after = run_after - INTERVAL 90 SECOND")
            .await
            .expect("aged");
        let report = idle
            .becomes("a job that waits", |report| report.workers.queued == 1)
            .await;
        assert_eq!((report.workers.configured, report.workers.busy), (0, 0));
        assert!(report.workers.oldest_queued_s >= 90, "{report:?}");

        let busy = ready(launch("serve", "api-2", &db, data.path())).await;
        let report = busy
            .becomes("a busy worker", |report| report.workers.busy == 1)
            .await;
        assert_eq!(report.workers.configured, 2);
        let (status, _, owner, _) = row(&mut conn, long).await;
        assert_eq!(
            (status.as_str(), owner.as_deref()),
            ("running", Some("api-2"))
        );
        idle.becomes("nothing that waits", |report| report.workers.queued == 0)
            .await;
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn on_the_way_out_running_jobs_are_finished_and_no_new_one_is_begun() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let one = launch("serve", "api-1", &db, data.path()).set("SYSNDD_WORKERS", "1");
        let replica = ready(one).await;
        let mut conn = db.connect().await;
        drill(&mut conn).await;
        let first = enqueue(&mut conn, Duration::from_secs(4)).await;
        becomes(&mut conn, first, "running").await;
        let second = enqueue(&mut conn, Duration::ZERO).await;
        replica.signal(Signal::TERM);
        let (status, stdout, stderr) = replica.end().await;
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert_eq!(drained_jobs(&stdout), 1);
        assert_eq!(
            row(&mut conn, first).await,
            ("succeeded".into(), 1, None, 1)
        );
        assert_eq!(row(&mut conn, second).await, ("queued".into(), 0, None, 0));
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn what_cannot_be_finished_in_time_is_handed_back_and_the_attempt_does_not_count() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let short = launch("serve", "api-1", &db, data.path()).set("SYSNDD_SHUTDOWN_GRACE", "10s");
        let replica = ready(short).await;
        let mut conn = db.connect().await;
        drill(&mut conn).await;
        let job_id = enqueue(&mut conn, Duration::from_mins(10)).await;
        becomes(&mut conn, job_id, "running").await;
        replica.signal(Signal::TERM);
        let (status, stdout, stderr) = replica.end().await;
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert_eq!(drained_jobs(&stdout), 0);
        assert_eq!(row(&mut conn, job_id).await, ("queued".into(), 0, None, 1));
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_job_whose_worker_was_killed_is_run_by_another_and_takes_effect_once() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let one = ready(launch("serve", "api-1", &db, data.path())).await;
        let mut conn = db.connect().await;
        drill(&mut conn).await;
        let job_id = enqueue(&mut conn, Duration::from_secs(4)).await;
        // Killed between the effect and the end of the job.
        eventually("the effect", async || {
            (effects(&mut conn, job_id).await == 1).then_some(())
        })
        .await;
        one.signal(Signal::KILL);
        assert_eq!(one.end().await.0.code(), None);
        assert_eq!(row(&mut conn, job_id).await.0, "running");
        let _other = ready(launch("worker", "worker-2", &db, data.path())).await;
        let row = becomes(&mut conn, job_id, "succeeded").await;
        assert_eq!(row, ("succeeded".into(), 2, None, 2));
        assert_eq!(effects(&mut conn, job_id).await, 1);
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_job_that_kills_its_workers_fails_in_the_end() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let _replica = ready(launch("serve", "api-1", &db, data.path())).await;
        let mut conn = db.connect().await;
        let job_id = lost_job(&mut conn, "drill.count", r#"{"pause_ms": 0}"#).await;
        assert_eq!(
            becomes(&mut conn, job_id, "failed").await,
            ("failed".into(), 3, None, 3)
        );
        let code: Option<String> = conn
            .query_first("SELECT error_code FROM jobs")
            .await
            .expect("read");
        assert_eq!(code.as_deref(), Some("worker_lost"));
        conn.disconnect().await.expect("closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn what_is_due_by_the_clock_is_done_once_however_many_replicas_there_are() {
    with_database(|db| async move {
        let data = tempfile::tempdir().expect("a directory");
        let names = ["api-1", "api-2", "api-3"];
        let replicas = names.map(|name| launch("serve", name, &db, data.path()).start());
        for replica in &replicas {
            replica.is_ready().await;
        }
        let mut conn = db.connect().await;
        // A finished job of long ago, for what is due to do something.
        conn.query_drop(
            "INSERT INTO jobs (kind, payload, status, finished_at) \
             VALUES ('jobs.old', '{}', 'succeeded', UTC_TIMESTAMP(6) - INTERVAL 31 DAY)",
        )
        .await
        .expect("inserted");
        for round in 1..=3_u64 {
            eventually("the clock is watched", async || {
                conn.query_first::<u64, _>(
                    "SELECT COUNT(*) FROM job_schedule WHERE kind = 'jobs.purge'",
                )
                .await
                .expect("read")
                .filter(|rows| *rows == 1)
            })
            .await;
            conn.query_drop(
                "UPDATE job_schedule SET fired_for = fired_for - INTERVAL 3 DAY WHERE kind = 'jobs.purge'",
            )
            .await
            .expect("aged");
            let count: u64 = eventually("it is done", async || {
                conn.query_first::<u64, _>(
                    "SELECT COUNT(*) FROM jobs WHERE kind = 'jobs.purge' AND status = 'succeeded'",
                )
                .await
                .expect("read")
                .filter(|count| *count >= round)
            })
            .await;
            assert_eq!(count, round);
        }
        let old: Option<u64> = conn
            .query_first("SELECT job_id FROM jobs WHERE kind = 'jobs.old'")
            .await
            .expect("read");
        assert_eq!(old, None, "finished jobs of long ago are forgotten");
        conn.disconnect().await.expect("closed");
    })
    .await;
}
