//! From nothing to a running stack, and what a second `up` does to it.

use std::collections::BTreeSet;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::harness::{Deployment, each, eventually, get, replicas, replicas_behind, text};

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn up_makes_four_proven_replicas_and_a_second_one_changes_nothing() {
    let stack = Deployment::shipped();
    let up = stack.call(&["up"]).json().await;
    assert_eq!(up["schema"], "sysndd-deploy/up/1");
    assert_eq!(up["changed"], true);
    assert_eq!(up["project"], stack.project.as_str());
    let release = text(&up["release"]);

    let api = replicas(&up, "api");
    assert_eq!(api.len(), 4);
    for (number, replica) in (1..).zip(api) {
        let name = format!("{}-api-{release}-{number}", stack.project);
        assert_eq!(replica["name"], name.as_str());
        assert_eq!(replica["state"], "running");
        assert_eq!(
            replica["ports"],
            serde_json::json!([]),
            "only the edge is published"
        );
        assert_eq!(replica["ready"], true);
        assert!(replica["started_at"].is_string());
    }
    assert_eq!(up["services"].as_array().map(Vec::len), Some(4));

    let report = stack.call(&["verify"]).report().await;
    report.passes();
    assert_eq!(report.json["schema"], "sysndd-deploy/verify/1");
    assert_eq!(report.json["project"], stack.project.as_str());
    assert_eq!(report.json["release"], release.as_str());
    for check in report.json["checks"].as_array().expect("checks") {
        for field in ["id", "suite", "verdict", "expected", "observed"] {
            assert!(
                check[field].as_str().is_some_and(|text| !text.is_empty()),
                "{field}: {check}"
            );
        }
        assert!(
            check["requirements"]
                .as_array()
                .is_some_and(|ids| !ids.is_empty()),
            "{check}"
        );
    }
    let timeline = report.json["timeline"]["replicas"]
        .as_array()
        .expect("a timeline");
    let of_api: Vec<_> = timeline
        .iter()
        .filter(|line| line["migration"].is_string())
        .collect();
    assert_eq!(of_api.len(), 4, "{timeline:?}");
    let appliers = of_api
        .iter()
        .filter(|line| line["migration"] == "applied")
        .count();
    assert_eq!(appliers, 1, "{timeline:?}");

    let quick = ["--check", "health.latency", "--format", "json"];
    eventually(
        "a moment in which replicas answer within 100 ms",
        async || (stack.call(&["verify"]).with(&quick).run().await.code == Some(0)).then_some(()),
    )
    .await;

    let before = stack.engine.lives(&stack.project).await;
    assert_eq!(
        before.len(),
        7,
        "four of the API, the database, the listener, the web server: {before:?}"
    );
    let again = stack.call(&["up"]).json().await;
    assert_eq!(again["changed"], false);
    assert_eq!(again["operations"], 0);
    assert_eq!(again["release"], up["release"]);
    assert_eq!(again["services"], up["services"]);
    assert_eq!(stack.engine.lives(&stack.project).await, before);
    stack.call(&["plan", "--exit-code"]).ends_with(0).await;

    let status = stack.call(&["status"]).json().await;
    assert_eq!(status["services"], up["services"]);
    assert_eq!(status["url"], up["url"]);

    stack.call(&["down", "--volumes"]).json().await;
    assert_eq!(stack.engine.resources(&stack.project).await, [""; 0]);
    let status = stack.call(&["status"]).json().await;
    assert_eq!(status["release"], serde_json::Value::Null);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn replicas_run_without_rights_and_the_edge_serves_page_favicon_and_api() {
    let stack = Deployment::shipped();
    let up = stack.call(&["up"]).json().await;

    let images = each(&up, "api", "image");
    assert!(images.iter().all(|image| *image == images[0]), "{images:?}");
    for name in each(&up, "api", "name") {
        let found = stack.engine.inspect(&name).await;
        let config = found.config.expect("its configuration");
        let host = found.host_config.expect("its host configuration");
        assert_eq!(host.readonly_rootfs, Some(true), "{name}");
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]), "{name}");
        assert!(host.cap_add.unwrap_or_default().is_empty(), "{name}");
        assert_eq!(host.privileged, Some(false), "{name}");
        assert!(config.hostname.is_some());
        // What the kernel says, not what was asked for.
        let (code, told) = stack
            .engine
            .exec(
                &name,
                &[
                    "sh",
                    "-c",
                    "id -u; grep CapEff /proc/1/status; tr '\\0' ' ' < /proc/1/cmdline; touch /x",
                ],
            )
            .await;
        assert_ne!(code, 0, "{name} can write to its root: {told}");
        assert!(
            told.lines().any(|line| line == "1000"),
            "{name} is another user: {told}"
        );
        assert!(told.contains("CapEff:\t0000000000000000"), "{name}: {told}");
        assert!(
            told.contains("sysndd-api serve"),
            "process 1 of {name} is another: {told}"
        );
    }

    let url = text(&up["url"]);
    let ports = &replicas(&up, "listener")[0]["ports"];
    let of_ipv4 = ports
        .as_array()
        .expect("a list")
        .iter()
        .find(|port| port["host_ip"] == "0.0.0.0");
    assert_eq!(
        url,
        format!(
            "http://127.0.0.1:{}",
            of_ipv4.expect("an IPv4 port")["host"]
        )
    );
    let page = get(&url).await.expect("the page");
    assert_eq!(page.status(), 200);
    assert!(
        page.headers()["content-type"]
            .to_str()
            .expect("text")
            .starts_with("text/html")
    );
    assert!(page.text().await.expect("text").contains("<title>"));
    let favicon = get(&format!(
        "{url}/brain-neurodevelopmental-disorders-sysndd.png"
    ))
    .await;
    let favicon = favicon.expect("the favicon");
    assert_eq!(
        (
            favicon.status().as_u16(),
            &favicon.headers()["content-type"]
        ),
        (200, &"image/png".parse().expect("a header"))
    );
    let health = get(&format!("{url}/api/health/ready"))
        .await
        .expect("the API");
    assert_eq!(health.status(), 200);
    let health: serde_json::Value = health.json().await.expect("JSON");
    assert_eq!(health["status"], "ready");
    assert_eq!(health["migrations"]["pending"], 0);

    // The edge sends to each of the four and to nobody else.
    let replicas: BTreeSet<String> = each(&up, "api", "name").into_iter().collect();
    assert_eq!(replicas_behind(&url, 60).await, replicas);

    for (request, status) in [
        // HTTP/1.1 wants a Host.
        ("GET /api/health HTTP/1.1\r\n\r\n".to_owned(), 400),
        (
            format!(
                "GET /api/health?{} HTTP/1.1\r\nHost: edge\r\n\r\n",
                "x".repeat(20 << 10)
            ),
            414,
        ),
    ] {
        let answer = send(&url, &request).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(
            head.contains("Content-Type: application/problem+json"),
            "{answer}"
        );
        assert_eq!(problem["status"], status, "{answer}");
    }
}

/// What comes back until the other side closes.
async fn send(url: &str, request: &str) -> String {
    let address = url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    answer
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn data_outlives_the_containers_and_the_engine_finds_all_replicas_healthy() {
    let stack = Deployment::shipped();
    let up = stack.call(&["up"]).json().await;
    // Volumes stay, and with them the data: the second life finds its schema there.
    stack
        .engine
        .exec(
            &each(&up, "api", "name")[0],
            &["sh", "-c", "echo kept > /app/data/kept"],
        )
        .await;
    stack
        .call(&["down"])
        .ends_with(0)
        .await
        .says(&["volumes stay"]);
    assert!(stack.engine.containers(&stack.project).await.is_empty());
    let up = stack.call(&["up"]).json().await;
    let name = &each(&up, "api", "name")[0];
    assert_eq!(
        stack.engine.exec(name, &["cat", "/app/data/kept"]).await,
        (0, "kept\n".to_owned())
    );
    let report = stack.call(&["verify"]).report().await;
    assert_eq!(
        report.passes().check("migration.fast-path")["verdict"],
        "pass"
    );
    eventually(
        "the engine's own health check of all replicas",
        async || {
            let mut healthy = 0;
            for name in each(&up, "api", "name") {
                let state = stack.engine.inspect(&name).await.state?;
                healthy += usize::from(state.health?.status?.to_string() == "healthy");
            }
            (healthy == 4).then_some(())
        },
    )
    .await;
}
