//! What replicas print, as one stream; and a stack that is asked from inside its containers.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::harness::{Deployment, each, text};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn all_replicas_are_asked_from_inside_and_their_logs_come_in_order() {
    let stack = Deployment::shipped();
    let up = stack
        .call(&["up"])
        .env("SYSNDD_DEPLOY_PROBE", "inside")
        .json()
        .await;
    let report = stack
        .call(&["verify"])
        .env("SYSNDD_DEPLOY_PROBE", "inside")
        .report()
        .await;
    report.passes();
    assert_eq!(
        stack
            .call(&["up"])
            .env("SYSNDD_DEPLOY_PROBE", "inside")
            .json()
            .await["changed"],
        false
    );

    let answer = stack.call(&["logs", "--format", "json"]).ends_with(0).await;
    let lines: Vec<Value> = answer
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let times: Vec<DateTime<Utc>> = lines
        .iter()
        .map(|line| text(&line["ts"]).parse().expect("a time"))
        .collect();
    assert!(times.is_sorted(), "not in the order of time");
    for service in ["api", "db", "listener", "web"] {
        assert!(
            lines.iter().any(|line| line["service"] == service),
            "nothing of {service}"
        );
    }
    for name in each(&up, "api", "name") {
        assert!(
            lines.iter().any(|line| line["replica"] == name.as_str()),
            "nothing of {name}"
        );
    }

    let api = stack.call(&["logs", "api"]).ends_with(0).await.stdout;
    let prefixes = ["api-1 | ", "api-2 | ", "api-3 | ", "api-4 | "];
    for prefix in prefixes {
        assert!(
            api.lines().any(|line| line.starts_with(prefix)),
            "no line of {prefix}: {api}"
        );
    }
    assert!(
        api.lines()
            .all(|line| prefixes.iter().any(|prefix| line.starts_with(prefix)))
    );
    // Interleaved: not all of one replica and then all of the next.
    let order: Vec<&str> = api.lines().map(|line| &line[..5]).collect();
    let changes = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 3, "{order:?}");
    selected(&stack).await;
    followed(&stack, &up).await;
}

/// Only the last, only the newer, only one service.
async fn selected(stack: &Deployment) {
    let tail = stack
        .call(&["logs", "api", "--tail", "1"])
        .ends_with(0)
        .await
        .stdout;
    assert_eq!(
        tail.lines().count(),
        4,
        "one line of each of the four: {tail}"
    );
    let now = Utc::now().to_rfc3339();
    let since = stack
        .call(&["logs", "db", "--since", &now])
        .ends_with(0)
        .await
        .stdout;
    assert_eq!(since, "");
    let hour = stack
        .call(&["logs", "db", "--since", "1h"])
        .ends_with(0)
        .await
        .stdout;
    assert!(hour.lines().count() > 2);
    stack
        .call(&["logs", "nothing"])
        .ends_with(2)
        .await
        .says(&["no service nothing", "api, db, listener, web"]);
    stack
        .call(&["logs", "--since", "yesterday"])
        .ends_with(2)
        .await
        .says(&["neither a time nor an age"]);
}

/// What is printed from now on comes, until Ctrl-C.
async fn followed(stack: &Deployment, up: &Value) {
    let follower = stack
        .call(&[
            "logs",
            "--follow",
            "--since",
            &Utc::now().to_rfc3339(),
            "api",
        ])
        .start();
    let url = text(&up["url"]);
    super::harness::replicas_behind(&url, 1).await;
    let name = each(up, "api", "name").remove(0);
    let say = ["sh", "-c", "echo heard > /proc/1/fd/1"];
    // Said again and again: the follower may not listen yet.
    let mut follower = follower;
    follower
        .reads("api-1 | heard", async || {
            assert_eq!(stack.engine.exec(&name, &say).await.0, 0);
        })
        .await;
    follower.signal(rustix::process::Signal::INT);
    let answer = follower.end().await;
    assert_eq!(answer.code, Some(0), "{answer}");
}
