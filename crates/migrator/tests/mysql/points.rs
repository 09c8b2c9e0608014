//! Appliers that die at each of the named moments: the end is the same as without a death.

use std::sync::Arc;
use std::sync::Mutex;

use sysndd_migrator::{EventSink, Point, State, migrate};
use sysndd_protocol::{Event, Level};

use crate::chaos::{all_kinds, picture};
use crate::support::{Database, settings, started, with_database};

/// Counts the points, and ends the applier at the chosen one.
#[derive(Debug, Default)]
struct Dying {
    at: Option<(Point, usize)>,
    reached: Mutex<Vec<Point>>,
}

impl EventSink for Dying {
    fn emit(&self, _: Level, _: Event) {}

    fn reached(&self, point: Point) {
        let mut reached = self.reached.lock().expect("no panic while it is held");
        reached.push(point);
        let times = reached.iter().filter(|passed| **passed == point).count();
        drop(reached);
        if self.at == Some((point, times)) {
            // The task ends here and its connection with it; nothing is printed.
            std::panic::resume_unwind(Box::new("dies"));
        }
    }
}

async fn run(db: &Database, at: Option<(Point, usize)>) -> (bool, Vec<Point>) {
    let sink = Arc::new(Dying {
        at,
        ..Dying::default()
    });
    let (db, its_sink) = (db.clone(), Arc::clone(&sink));
    let applier = tokio::spawn(async move {
        migrate(db.opts(), &all_kinds(), &settings("dying"), &*its_sink).await
    });
    let died = match applier.await {
        Ok(result) => {
            result.expect("migrates");
            false
        }
        Err(ended) => ended.is_panic(),
    };
    let reached = sink.reached.lock().expect("no panic while it is held");
    (died, reached.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SYSNDD_TEST_MYSQL"]
async fn an_applier_that_dies_at_any_point_is_carried_on_to_the_same_end() {
    with_database(|undisturbed| async move {
        let (died, reached) = run(&undisturbed, None).await;
        assert!(!died);
        let expected = picture(&undisturbed).await;
        for point in Point::ALL {
            let times = reached.iter().filter(|passed| **passed == point).count();
            assert!(times > 0, "the files never come to {point}");
            let mut nths = vec![1, times.div_ceil(2), times];
            nths.dedup();
            for nth in nths {
                let expected = expected.clone();
                with_database(move |db| async move {
                    let (died, _) = run(&db, Some((point, nth))).await;
                    assert!(died, "{point}:{nth}");
                    started(&db, &all_kinds(), "next").await;
                    assert_eq!(picture(&db).await, expected, "{point}:{nth}");
                    let rows = db.ledger().await;
                    assert!(
                        rows.len() == all_kinds().files().len()
                            && rows.iter().all(|row| row.state == State::Applied),
                        "{point}:{nth}"
                    );
                })
                .await;
            }
        }
    })
    .await;
}
