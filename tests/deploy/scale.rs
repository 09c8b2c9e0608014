//! More replicas and fewer: the edge follows, no request is lost.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::harness::{Deployment, ask_each, each, replicas_behind, text};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_edge_sends_to_exactly_the_replicas_that_are_there() {
    let stack = Deployment::shipped();
    let four = stack.call(&["up"]).json().await;
    let url = text(&four["url"]);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..2).map(|_| ask_each(&url, stop.clone())).collect();

    let eight = stack.call(&["up", "--replicas", "8"]).json().await;
    assert_eq!(
        eight["release"], four["release"],
        "scaling is no new release"
    );
    let names = each(&eight, "api", "name");
    assert_eq!(names.len(), 8);
    assert_eq!(
        names[..4],
        each(&four, "api", "name")[..],
        "the first four stay"
    );
    assert_eq!(
        replicas_behind(&url, 160).await,
        names.iter().cloned().collect()
    );
    stack
        .call(&["verify", "--replicas", "8"])
        .report()
        .await
        .passes();
    // The file still says four.
    stack
        .call(&["verify"])
        .report()
        .await
        .fails_only(&["replicas.count"]);

    let two = stack.call(&["up", "--replicas", "api=2"]).json().await;
    let left: BTreeSet<String> = each(&two, "api", "name").into_iter().collect();
    assert_eq!(left, names[..2].iter().cloned().collect());
    assert_eq!(replicas_behind(&url, 60).await, left);
    assert_eq!(stack.engine.containers(&stack.project).await.len(), 5);
    stack
        .call(&["verify", "--replicas", "2"])
        .report()
        .await
        .passes();

    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let (answered, failures) = client.await.expect("the client ends");
        assert!(answered > 100, "only {answered} requests were made");
        assert_eq!(
            failures,
            [""; 0],
            "of {} requests",
            answered + failures.len()
        );
    }

    stack
        .call(&["up", "--replicas", "0"])
        .ends_with(2)
        .await
        .says(&["at least 1"]);
    stack
        .call(&["up", "--replicas", "nothing=3"])
        .ends_with(2)
        .await
        .says(&["no service nothing", "api, db, listener, web"]);
}
