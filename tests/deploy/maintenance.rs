//! Closing the edge for everybody, whatever is replaced or restarted meanwhile.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::harness::{Deployment, StackFile, each, eventually, text};

async fn ask(method: Method, base: &str, path: &str, accept: &str) -> Response {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let asked = client
        .request(method, format!("{base}{path}"))
        .header("accept", accept);
    asked.send().await.expect("the edge answers")
}

fn header(answer: &Response, name: &str) -> String {
    let value = answer
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Everybody gets 503, each in a way that suits.
async fn is_closed(base: &str) {
    for path in ["/", "/assets/app.js", "/favicon.ico", "/some/place"] {
        let answer = ask(Method::GET, base, path, "text/html,*/*").await;
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(header(&answer, "retry-after"), "420", "{path}");
        assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
        let kind = header(&answer, "content-type");
        assert!(kind.starts_with("text/html"), "{path}: {kind}");
        let page = answer.text().await.expect("a page");
        assert!(page.contains("back &lt;soon&gt;"), "{path}: {page}");
    }
    for (method, path, accept) in [
        (Method::GET, "/api/health/ready", "*/*"),
        (Method::POST, "/api/anything", "text/html"),
        (Method::DELETE, "/api", "*/*"),
        (Method::GET, "/", "application/json"),
    ] {
        let answer = ask(method.clone(), base, path, accept).await;
        assert_eq!(answer.status(), 503, "{method} {path}");
        assert_eq!(header(&answer, "retry-after"), "420");
        assert_eq!(header(&answer, "content-type"), "application/problem+json");
        let problem: Value = answer.json().await.expect("a problem");
        assert_eq!(
            (&problem["status"], &problem["detail"]),
            (&json!(503), &json!("back <soon>")),
            "{method} {path}"
        );
    }
    assert_eq!(
        ask(Method::GET, base, "/healthz", "*/*").await.status(),
        200
    );
    let file = ask(Method::GET, base, "/maintenance-state.json", "*/*").await;
    assert_eq!(file.status(), 503);
}

async fn is_open(base: &str) {
    for path in ["/", "/api/health/ready"] {
        assert_eq!(
            ask(Method::GET, base, path, "*/*").await.status(),
            200,
            "{path}"
        );
    }
    // The answers are nobody's to ask for.
    for path in ["/maintenance.html", "/maintenance.json"] {
        assert_eq!(
            ask(Method::GET, base, path, "*/*").await.status(),
            404,
            "{path}"
        );
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn maintenance_closes_the_edge_until_it_is_told_otherwise() {
    let stack = Deployment::of(
        StackFile::shipped()
            .with("services.api.replicas", 2)
            .with("deploy.soak", "200ms"),
    );
    stack
        .call(&["maintenance", "on"])
        .ends_with(2)
        .await
        .says(&["is down"]);
    let up = stack.call(&["up"]).json().await;
    let base = text(&up["url"]);
    is_open(&base).await;
    let off = stack.call(&["maintenance", "off"]).json().await;
    assert_eq!(
        (&off["on"], &off["changed"]),
        (&json!(false), &json!(false))
    );

    let on = [
        "maintenance",
        "on",
        "--message",
        "back <soon>",
        "--retry-after",
        "7m",
    ];
    let answer = stack.call(&on).json().await;
    assert_eq!(
        (&answer["on"], &answer["changed"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(answer["retry_after"], 420);
    is_closed(&base).await;
    assert_eq!(stack.call(&on).json().await["changed"], false);

    // Whoever looks is told.
    let status = stack.call(&["status"]).json().await;
    assert_eq!(status["maintenance"]["message"], "back <soon>");
    for arguments in [
        ["status"].as_slice(),
        &["plan"],
        &["up"],
        &["maintenance", "status"],
    ] {
        let answer = stack.call(arguments).ends_with(0).await;
        assert!(
            answer.stdout.contains("maintenance is on since"),
            "{answer}"
        );
    }
    let report = stack.call(&["verify", "--suite", "web"]).report().await;
    let index = report.check("web.index");
    assert_eq!(index["verdict"], "fail");
    assert!(
        text(&index["observed"]).contains("maintenance is on since"),
        "{index}"
    );

    // A new edge, new replicas behind it, fewer of them, a restart: closed all the time.
    let changed = StackFile::shipped()
        .with("services.api.replicas", 2)
        .with("deploy.soak", "200ms")
        .with("services.web.environment.CHANGED", "1")
        .with("services.api.environment.SYSNDD_MIGRATE_WAIT", "601s");
    let new = stack.call_by(&changed.path(), &["up"]).json().await;
    assert_ne!(each(&new, "web", "name"), each(&up, "web", "name"));
    is_closed(&base).await;
    stack.call(&["scale", "api=3"]).ends_with(0).await;
    stack.call(&["restart", "api"]).ends_with(0).await;
    is_closed(&base).await;
    let web = each(&new, "web", "name").remove(0);
    stack.engine.stop(&web).await;
    stack.engine.start(&web).await;
    eventually("the edge answers again", async || {
        let answer = super::harness::get(&format!("{base}/healthz")).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    is_closed(&base).await;

    let off = stack.call(&["maintenance", "off"]).json().await;
    assert_eq!((&off["on"], &off["changed"]), (&json!(false), &json!(true)));
    is_open(&base).await;
    let status = stack.call(&["status"]).json().await;
    assert_eq!(status["maintenance"], Value::Null);
    let audit = stack.call(&["audit"]).ends_with(0).await;
    for command in ["maintenance on", "maintenance off"] {
        assert!(audit.stdout.contains(command), "{audit}");
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_edge_that_cannot_be_closed_is_refused_and_stays_open() {
    let file = StackFile::shipped()
        .with("services.api.replicas", 1)
        .with("deploy.soak", "200ms");
    let page = file.directory().join("page.html.tera");
    std::fs::write(&page, "{{ message }}").expect("a file");
    let file = file.with("edge.maintenance", page.display().to_string());
    let stack = Deployment::of(file);
    let up = stack.call(&["up"]).json().await;
    let base = text(&up["url"]);
    // A page that cannot be made: nothing is changed, not even for later.
    std::fs::write(&page, "{{ nothing_of_this_name }}").expect("a file");
    let answer = stack.call(&["maintenance", "on"]).ends_with(4).await;
    answer.says(&["page.html.tera", "nothing_of_this_name"]);
    is_open(&base).await;
    assert_eq!(
        stack.call(&["maintenance", "status"]).json().await["on"],
        false
    );
    let wrong = ["maintenance", "on", "--retry-after", "soon"];
    stack.call(&wrong).ends_with(2).await;

    std::fs::write(&page, "<p>{{ message }}</p>").expect("a file");
    stack.call(&["maintenance", "on"]).ends_with(0).await;
    let answer = ask(Method::GET, &base, "/", "text/html").await;
    assert_eq!(answer.status(), 503);
    assert!(
        answer
            .text()
            .await
            .expect("a page")
            .starts_with("<p>We are working")
    );
}
