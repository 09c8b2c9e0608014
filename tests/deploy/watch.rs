//! Replicas that stop being ready between deployments.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use rustix::process::Signal;
use serde_json::Value;

use super::harness::{Deployment, StackFile, each, eventually, replicas_behind, text};

/// What stands in the edge's list.
async fn in_list(stack: &Deployment, edge: &str, names: &[String]) -> BTreeSet<String> {
    let file = "/etc/nginx/edge/upstream.conf";
    let (_, list) = stack.engine.exec(edge, &["cat", file]).await;
    let stands = |name: &&String| list.contains(&format!("server {name}:"));
    names.iter().filter(stands).cloned().collect()
}

/// How long after `at` a line told that `name` went or came.
fn told_after(lines: &[Value], what: &str, name: &str, at: DateTime<Utc>) -> TimeDelta {
    let told = lines.iter().find_map(|line| {
        let names = line[what].as_array()?;
        let ts: DateTime<Utc> = text(&line["ts"]).parse().expect("a time");
        (ts > at && names.iter().any(|found| found == name)).then_some(ts)
    });
    told.unwrap_or_else(|| panic!("{name} was never {what} after {at}: {lines:#?}")) - at
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_replica_that_stops_being_ready_is_out_of_the_list_until_it_is_ready_again() {
    let stack = Deployment::shipped();
    let up = stack.call(&["up", "--replicas", "3"]).json().await;
    let url = text(&up["url"]);
    let names = each(&up, "api", "name");
    let all: BTreeSet<String> = names.iter().cloned().collect();
    let edge = each(&up, "web", "name").remove(0);
    let without = |gone: &[&String]| -> BTreeSet<String> {
        let stays = |name: &&String| !gone.contains(name);
        all.iter().filter(stays).cloned().collect()
    };
    let becomes = async |wanted: &BTreeSet<String>, what: &str| {
        eventually(what, async || {
            (in_list(&stack, &edge, &names).await == *wanted).then_some(())
        })
        .await;
    };
    // What the file says and nobody deployed does not count.
    let edited = StackFile::shipped().with("edge.port", 9999);
    let watch = stack.call_by(&edited.path(), &["watch", "--format", "json"]);
    let watch = watch.start();

    let paused_at = Utc::now();
    stack.engine.pause(&names[0]).await;
    becomes(&without(&[&names[0]]), "the paused one is out").await;
    assert!(!replicas_behind(&url, 20).await.contains(&names[0]));

    // No event tells of this one: it runs, and answers nobody.
    let silent_at = Utc::now();
    stack.engine.signal(&names[1], "SIGSTOP").await;
    becomes(&without(&[&names[0], &names[1]]), "the silent one is out").await;

    // With nobody left the list stays: there is nothing better to offer.
    stack.engine.signal(&names[2], "SIGSTOP").await;
    let back_at = Utc::now();
    stack.engine.unpause(&names[0]).await;
    becomes(&without(&[&names[1], &names[2]]), "the paused one is back").await;
    for name in &names[1..] {
        stack.engine.signal(name, "SIGCONT").await;
    }
    becomes(&all, "all are back").await;
    assert_eq!(replicas_behind(&url, 60).await, all);

    // It does not stand in the way of a deployment.
    stack.call(&["up", "--replicas", "2"]).json().await;
    let two = without(&[&names[2]]);
    becomes(&two, "two are left").await;

    // When it ends, nobody is left out for ever.
    stack.engine.pause(&names[0]).await;
    becomes(&without(&[&names[0], &names[2]]), "out again").await;
    watch.signal(Signal::TERM);
    let ended = watch.end().await;
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(in_list(&stack, &edge, &names).await, two, "{ended}");
    stack.engine.unpause(&names[0]).await;
    stack
        .call(&["verify", "--replicas", "2"])
        .report()
        .await
        .passes();

    let lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    // The goal is 2 s, which `cargo xtask bench watch` measures; a busy machine may take longer.
    let limit = TimeDelta::seconds(10);
    for (what, name, at) in [
        ("removed", &names[0], paused_at),
        ("removed", &names[1], silent_at),
        ("added", &names[0], back_at),
    ] {
        let after = told_after(&lines, what, name, at);
        assert!(after <= limit, "{name} was {what} after {after}: {ended}");
    }
    assert_eq!(lines.last().expect("a line")["event"], "watch.end");
}
