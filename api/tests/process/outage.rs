//! The database goes away and comes back.

use std::time::{Duration, Instant};

use futures::future::join_all;
use sysndd_protocol::{DatabaseStatus, ReadyStatus};

use crate::support::{Database, Launch, Proxy, Traffic, shipped_migrations, with_database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn an_outage_is_answered_within_two_seconds_and_ends_by_itself() {
    with_database(|db| async move {
        let proxy = Proxy::to(Database::host()).await;
        let data = tempfile::tempdir().expect("a directory");
        let url = db.url_at(&proxy.host());
        let replica = Launch::serve("api-1", &url, data.path(), shipped_migrations()).start();
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
        let replica = Launch::serve("api-1", &url, data.path(), shipped_migrations()).start();
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

/// The quickest counts: a replica that waits too long does so every time, a busy machine does not.
fn is_in_time(times: &[Duration]) {
    let quickest = times.iter().min().expect("somebody asked");
    assert!(*quickest < Duration::from_secs(2), "{times:?}");
}
