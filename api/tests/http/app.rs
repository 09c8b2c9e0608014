//! Replicas before one database, and whoever talks to them.

use futures::future::join_all;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{ADMIN_CREATE, Database, Launch, Replica, eventually, shipped_migrations};

pub(crate) const PASSWORD: &str = "correct horse battery";
const SITE: &str = "http://localhost:8080";

/// One replica and its address.
pub(crate) struct TestApp {
    db: Database,
    address: String,
    client: reqwest::Client,
    replica: Replica,
    data_dir: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    /// `null` for an empty body.
    pub(crate) body: Value,
}

/// How whoever asks says who they are.
#[derive(Debug, Clone)]
pub(crate) enum As {
    Nobody,
    /// A program, by a token.
    Token(String),
    /// A browser on our own page.
    Browser(String),
    /// A browser on somebody else's page.
    OtherSite(String),
}

impl TestApp {
    pub(crate) async fn start(db: &Database) -> Self {
        Self::named(db, "api-1").await
    }

    /// Another replica has another name.
    pub(crate) async fn named(db: &Database, name: &str) -> Self {
        Self::with(db, name, &[]).await
    }

    /// With mail set up, to a server that nobody runs: letters wait in the queue.
    pub(crate) async fn promising_mail(db: &Database) -> Self {
        let variables = [
            ("SYSNDD_SMTP_HOST", "127.0.0.1"),
            ("SYSNDD_SMTP_PORT", "1"),
            ("SYSNDD_SMTP_FROM", "SysNDD <no-reply@sysndd.example.org>"),
        ];
        Self::with(db, "api-1", &variables).await
    }

    pub(crate) async fn with(db: &Database, name: &str, variables: &[(&str, &str)]) -> Self {
        Self::behind(db, &db.url(), name, variables).await
    }

    /// With its database at this address.
    pub(crate) async fn behind(
        db: &Database,
        url: &str,
        name: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let data_dir = tempfile::tempdir().expect("a directory");
        let launch = Launch::serve(name, url, data_dir.path(), shipped_migrations())
            .set("SYSNDD_PUBLIC_URL", SITE)
            .set("SYSNDD_BIND", "127.0.0.1:0")
            .set_all(variables);
        let replica = launch.start();
        replica.is_ready().await;
        Self {
            db: db.clone(),
            address: format!("http://{}", replica.address().await),
            client: reqwest::Client::new(),
            replica,
            data_dir,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.data_dir.path()
    }

    pub(crate) async fn get(&self, who: &As, path: &str) -> Answer {
        self.send(who, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, who: &As, path: &str, body: Value) -> Answer {
        self.send(who, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, who: &As, path: &str, body: Value) -> Answer {
        self.send(who, Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, who: &As, path: &str) -> Answer {
        self.send(who, Method::DELETE, path, None).await
    }

    async fn send(&self, who: &As, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.address));
        request = who.sign(request);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("answered");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.expect("a body");
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        };
        Answer {
            status,
            headers,
            body,
        }
    }

    /// Ends the process at once.
    pub(crate) fn stop(&self) {
        self.replica.signal(rustix::process::Signal::KILL);
    }

    /// What the process wrote so far.
    pub(crate) fn log(&self) -> String {
        self.replica.output()
    }

    /// A request that is put together by the test.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.address))
    }

    /// Makes an administrator as whoever runs the site does; signs them in.
    pub(crate) async fn administrator(&self) -> As {
        let launch = Launch::new(&ADMIN_CREATE)
            .set("SYSNDD_DATABASE_URL", self.db.url())
            .set("SYSNDD_ADMIN_PASSWORD", PASSWORD);
        let (status, _, stderr) = launch.start().end().await;
        assert!(status.success(), "{stderr}");
        self.sign_in("marie").await
    }

    /// An active account, made in the database.
    pub(crate) async fn user(&self, name: &str, role: &str) {
        use mysql_async::prelude::Queryable as _;

        let mut conn = self.db.connect().await;
        // The administrator's hash serves: all have the same password here.
        conn.exec_drop(
            "INSERT INTO users (user_name, email, password_hash, first_name, family_name, role_id, status) \
             SELECT ?, CONCAT(?, '@example.org'), password_hash, 'Some', 'Body', \
                    (SELECT role_id FROM roles WHERE name = ?), 'active' \
             FROM users WHERE user_name = 'marie'",
            (name, name, role),
        )
        .await
        .expect("inserted");
        conn.disconnect().await.expect("closed");
    }

    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Answer {
        let body = json!({ "user_name": name, "password": password, "keep": "token" });
        self.post(&As::Nobody, "/api/auth/login", body).await
    }

    /// As a program.
    pub(crate) async fn sign_in(&self, name: &str) -> As {
        let answer = self.log_in(name, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        As::Token(answer.text("token").to_owned())
    }

    /// As a script of whoever is signed in.
    pub(crate) async fn script(&self, who: &As) -> As {
        let wanted = json!({ "label": "script", "days": 1 });
        let made = self.post(who, "/api/account/tokens", wanted).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        As::Token(made.text("token").to_owned())
    }

    /// As a browser; answers the cookie and the whole header that set it.
    pub(crate) async fn sign_in_by_cookie(&self, name: &str) -> (String, String) {
        let body = json!({ "user_name": name, "password": PASSWORD });
        let answer = self.post(&As::Nobody, "/api/auth/login", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let header = answer.header(SET_COOKIE.as_str()).to_owned();
        let cookie = header.split(';').next().expect("a pair").to_owned();
        (cookie, header)
    }
}

impl As {
    pub(crate) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Nobody => request,
            Self::Token(token) => request.bearer_auth(token),
            Self::Browser(cookie) => request.header(COOKIE, cookie).header("origin", SITE),
            Self::OtherSite(cookie) => request
                .header(COOKIE, cookie)
                .header("origin", "https://evil.example"),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// A text in the body.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.body[field]
            .as_str()
            .unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }

    /// A problem document with this status, about this.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, about: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(self.text("detail").contains(about), "{self:?}");
    }
}

/// How many wait for rows that another holds.
pub(crate) async fn waiting_for_rows(conn: &mut Conn) -> u64 {
    conn.query_first(
        "SELECT COUNT(*) FROM performance_schema.data_locks \
         WHERE object_schema = DATABASE() AND lock_status = 'WAITING'",
    )
    .await
    .expect("asked")
    .expect("a number")
}

/// Answers of requests that change accounts, each of which has judged what was there before any of them changes it.
pub(crate) async fn none_before_all_are_there<const N: usize>(
    db: &Database,
    requests: [impl Future<Output = Answer>; N],
) -> Vec<Answer> {
    let mut conn = db.connect().await;
    for statement in ["START TRANSACTION", "SELECT * FROM users FOR SHARE"] {
        conn.query_drop(statement).await.expect(statement);
    }
    let letting = async {
        eventually("all wait for the accounts", async || {
            (waiting_for_rows(&mut conn).await == N as u64).then_some(())
        })
        .await;
        conn.query_drop("COMMIT").await.expect("let go");
    };
    let (answers, ()) = tokio::join!(join_all(requests), letting);
    conn.disconnect().await.expect("closed");
    answers
}
