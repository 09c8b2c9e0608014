//! The router without a network, before a database that nobody listens at.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::routing::get;
use serde_json::Value;
use sysndd_migrator::MigrationSet;
use sysndd_protocol::{DatabaseStatus, HealthReport, ReadyStatus};
use tower::ServiceExt as _;

use super::{router, surround};
use crate::config::{Config, Source};
use crate::state::App;

struct TestApp {
    app: Arc<App>,
    _data_dir: tempfile::TempDir,
}

impl TestApp {
    fn new() -> Self {
        let data_dir = tempfile::tempdir().expect("a directory");
        let migrations = tempfile::tempdir().expect("a directory");
        std::fs::write(migrations.path().join("001_one.sql"), "SELECT 1;").expect("writable");
        let variables = [
            // Port 1 refuses at once.
            (
                "SYSNDD_DATABASE_URL",
                "mysql://nobody:nothing-to-see@127.0.0.1:1/none",
            ),
            ("SYSNDD_SECRET_KEY", "only-for-tests-0123456789abcdefghijkl"),
            ("SYSNDD_REPLICA", "test-api-1"),
            ("SYSNDD_DATA_DIR", data_dir.path().to_str().expect("UTF-8")),
            ("SYSNDD_REQUEST_TIMEOUT", "20s"),
        ];
        let source =
            Source::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let config = Config::read(source).expect("complete");
        let set = MigrationSet::load(migrations.path()).expect("one good file");
        Self {
            app: App::new(&config, Arc::new(set)).expect("good templates"),
            _data_dir: data_dir,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }

    async fn send(&self, request: axum::http::request::Builder) -> Answer {
        Self::answer(router(&self.app), request).await
    }

    async fn answer(router: Router, request: axum::http::request::Builder) -> Answer {
        let request = request.body(Body::empty()).expect("a request");
        let (head, body) = router
            .oneshot(request)
            .await
            .expect("infallible")
            .into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        Answer {
            head,
            body: serde_json::from_slice(&body).expect("JSON"),
        }
    }
}

struct Answer {
    head: axum::http::response::Parts,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.head
            .headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    fn report(&self) -> HealthReport {
        serde_json::from_value(self.body.clone()).expect("a health report")
    }
}

#[tokio::test]
async fn liveness_asks_nobody() {
    let app = TestApp::new();
    for path in ["/health", "/api/health"] {
        let answer = app.get(path).await;
        assert_eq!(
            (answer.head.status, &answer.body["status"]),
            (StatusCode::OK, &"alive".into()),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn before_the_boot_sequence_ends_a_replica_is_starting() {
    let app = TestApp::new();
    for path in ["/health/ready", "/api/health/ready"] {
        let answer = app.get(path).await;
        assert_eq!(
            answer.head.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{path}"
        );
        let report = answer.report();
        assert_eq!(report.status, ReadyStatus::Starting);
        assert_eq!(report.replica.as_str(), "test-api-1");
        assert!(report.data_dir.writable);
    }
}

#[tokio::test]
async fn without_a_database_a_replica_says_so_and_claims_nothing_about_the_schema() {
    let app = TestApp::new();
    app.app.lifecycle.serving();
    let asked = Instant::now();
    let report = app.get("/health/ready").await.report();
    assert!(asked.elapsed().as_secs() < 15);
    assert_eq!(report.status, ReadyStatus::Unavailable);
    assert_eq!(report.database.status, DatabaseStatus::Down);
    assert_eq!(report.migrations.pending, None);
    let reason = report.reason.expect("a reason");
    assert!(
        reason.starts_with("the database does not answer: "),
        "{reason}"
    );
    assert!(!reason.contains("nothing"), "the password is in {reason}");
}

#[tokio::test]
async fn a_replica_that_ends_is_draining() {
    let app = TestApp::new();
    app.app.lifecycle.serving();
    app.app.lifecycle.draining();
    let answer = app.get("/health/ready").await;
    assert_eq!(answer.head.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.report().status, ReadyStatus::Draining);
}

#[tokio::test]
async fn an_unknown_route_is_a_problem() {
    let app = TestApp::new();
    for path in ["/", "/nowhere", "/api", "/api/nowhere"] {
        let answer = app.get(path).await;
        assert_eq!(answer.head.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.body["status"], 404);
        assert_eq!(answer.body["detail"], format!("there is nothing at {path}"));
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_problem() {
    let answer = TestApp::new().send(Request::post("/api/health")).await;
    assert_eq!(answer.head.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn the_request_id_of_the_edge_is_kept_if_it_is_a_sane_one() {
    let app = TestApp::new();
    let kept = app
        .send(Request::get("/health").header("x-request-id", "edge-0123.AB_c"))
        .await;
    assert_eq!(kept.header("x-request-id"), "edge-0123.AB_c");
    for odd in ["", "two words", "\"quoted\"", &"x".repeat(65)] {
        let made = app
            .send(Request::get("/health").header("x-request-id", odd))
            .await;
        let id = made.header("x-request-id");
        assert!(
            id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{odd:?} became {id:?}"
        );
    }
}

#[tokio::test]
async fn requests_are_counted_while_they_are_answered() {
    let app = TestApp::new();
    app.get("/health").await;
    assert_eq!(app.app.lifecycle.in_flight(), 0);
}

#[tokio::test]
async fn a_panic_is_answered_as_a_fault_of_ours_and_tells_nothing() {
    async fn panics() -> StatusCode {
        panic!("canary")
    }
    let app = TestApp::new();
    let router = surround(Router::new().route("/panics", get(panics)), &app.app);
    let answer = TestApp::answer(router, Request::get("/panics")).await;
    assert_eq!(answer.head.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("x-request-id").len(), 16);
    assert!(
        !answer.body.to_string().contains("canary"),
        "{}",
        answer.body
    );
    assert_eq!(app.app.lifecycle.in_flight(), 0);
}
