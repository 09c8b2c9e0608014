//! Who asked to be told is told how a deployment ended, and nothing depends on it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use super::harness::{Deployment, StackFile};

/// A server that takes notices and answers with this status.
struct Server {
    url: String,
    notices: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    async fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!(
            "http://{}/hidden-path",
            listener.local_addr().expect("bound")
        );
        let notices = Arc::<Mutex<Vec<Value>>>::default();
        let taken = notices.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(notice) = take(stream, status).await {
                    taken
                        .lock()
                        .expect("no panic while it is held")
                        .push(notice);
                }
            }
        });
        Self { url, notices }
    }

    fn notices(&self) -> Vec<Value> {
        self.notices
            .lock()
            .expect("no panic while it is held")
            .clone()
    }
}

/// One POST of a JSON document.
async fn take(stream: TcpStream, status: &str) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line).await.ok()?;
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).await.ok()?;
    serde_json::from_slice(&body).ok()
}

fn file() -> StackFile {
    StackFile::shipped()
        .with("services.api.replicas", 1)
        .with("deploy.soak", "200ms")
        .with("notify.webhook", "${DEPLOY_WEBHOOK:-}")
        .with("notify.timeout", "2s")
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn deployments_rollbacks_and_failures_are_told_and_a_deaf_server_fails_nothing() {
    let stack = Deployment::of(file());
    let server = Server::start("204 No Content").await;
    let told = |arguments: &[&str]| stack.call(arguments).env("DEPLOY_WEBHOOK", &server.url);
    let up = told(&["up", "-m", "the first"]).json().await;
    let first = server.notices();
    assert_eq!(first.len(), 1, "{first:#?}");
    for (key, value) in [
        ("schema", json!("sysndd-deploy/notice/1")),
        ("project", json!(stack.project)),
        ("event", json!("deploy")),
        ("outcome", json!("done")),
        ("release", up["release"].clone()),
        ("message", json!("the first")),
    ] {
        assert_eq!(first[0][key], value, "{first:#?}");
    }
    assert!(first[0]["duration_ms"].as_u64().is_some_and(|ms| ms > 0));
    // Nothing happened: nothing is told.
    told(&["up"]).ends_with(0).await;
    assert_eq!(server.notices().len(), 1);

    let broken = file().with("services.api.environment.SYSNDD_MIGRATE", "nonsense");
    let call = stack.call_by(&broken.path(), &["up"]);
    call.env("DEPLOY_WEBHOOK", &server.url).ends_with(4).await;
    let second = file().with("services.api.environment.SYSNDD_MIGRATE_WAIT", "601s");
    // One that refuses, and one that is not there: a note without the address, and done.
    let refusing = Server::start("500 Internal Server Error").await;
    let call = stack.call_by(&second.path(), &["up"]);
    let answer = call.env("DEPLOY_WEBHOOK", &refusing.url).ends_with(0).await;
    answer.says(&["note: [notify] webhook was not told: it answered 500"]);
    assert!(!answer.stderr.contains("hidden-path"), "{answer}");
    let answer = stack
        .call(&["rollback", up["release"].as_str().expect("a release")])
        .env("DEPLOY_WEBHOOK", "http://127.0.0.1:9/hidden-path")
        .ends_with(0)
        .await;
    answer.says(&["note: [notify] webhook was not told: "]);
    assert!(!answer.stderr.contains("hidden-path"), "{answer}");
    let record = stack.call(&["releases", "show", "r"]).run().await;
    assert!(!record.stdout.contains("hidden-path"), "{record}");

    let call = stack.call_by(&second.path(), &["rollback", "--format", "json"]);
    let back = call.env("DEPLOY_WEBHOOK", &server.url).run().await;
    let all = server.notices();
    assert_eq!(all[1]["outcome"], "undone", "{all:#?}");
    assert!(
        all[1]["reason"]
            .as_str()
            .is_some_and(|text| text.contains("exit code 2"))
    );
    // Nothing was verified, so there is nothing to go back to without a name: no turn, no notice.
    assert_eq!((back.code, all.len()), (Some(6), 2), "{back}");
}
