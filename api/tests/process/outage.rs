//! The database goes away and comes back.

use std::time::{Duration, Instant};

use futures::future::join_all;
use mysql_async::prelude::Queryable as _;
use sysndd_protocol::{DatabaseStatus, ReadyStatus};

use crate::support::{
    Database, Launch, PRODUCTION_LIMITS, Proxy, Request, Traffic, eventually, shipped_migrations,
    with_database,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn an_outage_is_answered_within_two_seconds_and_ends_by_itself() {
    with_database(|db| async move {
        let proxy = Proxy::to(Database::host()).await;
        let data = tempfile::tempdir().expect("a directory");
        let url = db.url_at(&proxy.host());
        let replica = Launch::serve("api-1", &url, data.path(), shipped_migrations())
            .set_all(&PRODUCTION_LIMITS)
            .start();
        replica.is_ready().await;

        for outage in [Traffic::Resets, Traffic::Vanishes] {
            proxy.set(outage);
            let mut times = Vec::new();
            for _ in 0..5 {
                let asked = Instant::now();
                let answer = replica.get("/health/ready").await;
                times.push(asked.elapsed());
                let report = answer.report();
                assert_eq!(
                    (answer.status, report.status),
                    (503, ReadyStatus::Unavailable),
                    "{outage:?}"
                );
                assert_eq!(report.database.status, DatabaseStatus::Down);
                assert_eq!(
                    replica.get("/health").await.status,
                    200,
                    "it lives all the same"
                );
            }
            is_in_time(&times);
            proxy.set(Traffic::Passes);
            replica
                .becomes("ready again", |report| report.status == ReadyStatus::Ready)
                .await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn a_crowd_that_asks_during_an_outage_is_answered_in_time_as_well() {
    with_database(|db| async move {
        let proxy = Proxy::to(Database::host()).await;
        let data = tempfile::tempdir().expect("a directory");
        let url = db.url_at(&proxy.host());
        let replica = Launch::serve("api-1", &url, data.path(), shipped_migrations())
            .set_all(&PRODUCTION_LIMITS)
            .start();
        replica.is_ready().await;
        proxy.set(Traffic::Vanishes);
        let mut times = Vec::new();
        for _ in 0..3 {
            let asked = Instant::now();
            let answers = join_all((0..40).map(|_| replica.get("/health/ready"))).await;
            times.push(asked.elapsed());
            assert!(answers.iter().all(|answer| answer.status == 503));
        }
        is_in_time(&times);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn what_was_asked_over_connections_that_died_without_a_word_is_asked_again() {
    with_database(|db| async move {
        let proxy = Proxy::to(Database::host()).await;
        let data = tempfile::tempdir().expect("a directory");
        let url = db.url_at(&proxy.host());
        // Enough open connections for all: a new one is not waited for without an end anyway.
        let replica = Launch::serve("api-1", &url, data.path(), shipped_migrations())
            .set("SYSNDD_DB_POOL_MIN", "8")
            .start();
        replica.is_ready().await;
        let address = replica.address().await;
        replica
            .becomes("a pool at rest", |report| report.database.pool.idle == 8)
            .await;
        proxy.set(Traffic::Vanishes);
        let _figures = Request::get(address, "/api/statistics").await;
        // Who counts, who looks for jobs, who counts those that wait, who looks after those of others.
        eventually("everybody asks in vain", async || {
            let metrics = replica.get("/metrics").await.body;
            let line = "sysndd_db_pool_connections_in_use ";
            let in_use = metrics.lines().find_map(|it| it.strip_prefix(line))?;
            (in_use.parse::<usize>().expect("a number") >= 4).then_some(())
        })
        .await;
        proxy.set(Traffic::Passes);

        let mut conn = db.connect().await;
        conn.query_drop(
            "INSERT INTO jobs (kind, payload, status, attempts, max_attempts, lease_owner, lease_until) VALUES \
             ('kind.of.tomorrow', '{}', 'queued', 0, 3, NULL, NULL), \
             ('kind.of.tomorrow', '{}', 'running', 3, 3, 'api-0', UTC_TIMESTAMP(6))",
        )
        .await
        .expect("inserted");
        eventually("a job that is taken from the dead", async || {
            conn.query_first::<u32, _>("SELECT 1 FROM jobs WHERE error_code = 'worker_lost'")
                .await
                .expect("asked")
        })
        .await;
        replica
            .becomes("a job that waits", |report| report.workers.queued == 1)
            .await;
        eventually("the figures", async || {
            let answer = replica.get("/api/statistics").await;
            (answer.status == 200).then_some(())
        })
        .await;
        conn.disconnect().await.expect("closed");
    })
    .await;
}

/// The quickest counts: a replica that waits too long does so every time, a busy machine does not.
fn is_in_time(times: &[Duration]) {
    let quickest = times.iter().min().expect("somebody asked");
    assert!(*quickest < Duration::from_secs(2), "{times:?}");
}
