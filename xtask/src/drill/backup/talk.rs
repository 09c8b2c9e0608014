//! What is asked of the site over HTTP, as an administrator, through its edge.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// An answer that does not come within this is none: the moment would pass.
pub(super) const SHORT: Duration = Duration::from_millis(400);
/// Where no moment passes.
pub(super) const LONG: Duration = Duration::from_secs(10);
/// A site that is well and has much to do may refuse for so long.
const BUSY: Duration = Duration::from_mins(1);
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The administrator of the drill.
pub(super) const ACCOUNT: (&str, &str) = ("drill", "a-password-of-the-drill-alone");

/// Somebody who is signed in.
pub(super) struct Talk {
    url: String,
    token: Option<String>,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

/// A job as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) status: String,
    pub(super) step: Option<String>,
    /// Of the step.
    pub(super) number: u64,
    /// The replica that runs it.
    pub(super) owner: Option<String>,
    pub(super) attempts: u64,
    pub(super) result: Value,
    pub(super) error: Value,
}

impl Job {
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "succeeded" | "failed" | "cancelled")
    }

    fn of(job: &Value) -> Option<Self> {
        let text = |key: &str| job[key].as_str().map(str::to_owned);
        Some(Self {
            status: text("status")?,
            step: text("step"),
            number: job["progress"]["current"].as_u64().unwrap_or_default(),
            owner: text("lease_owner"),
            attempts: job["attempts"].as_u64().unwrap_or_default(),
            result: job["result"].clone(),
            error: job["error"].clone(),
        })
    }
}

impl Talk {
    /// With nobody yet.
    pub(super) fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        Ok(Self {
            url: String::new(),
            token: None,
            runtime: { runtime }.enable_all().build()?,
            client: reqwest::Client::builder().no_proxy().build()?,
        })
    }

    /// Signs in at a site.
    pub(super) fn sign_in(&mut self, url: &str) -> anyhow::Result<()> {
        url.clone_into(&mut self.url);
        self.token = None;
        let (name, password) = ACCOUNT;
        let body = json!({ "user_name": name, "password": password, "keep": "token" });
        let (status, answer) = self.ask(&Method::POST, "/api/auth/login", Some(&body))?;
        let token = answer["token"].as_str();
        let token = token.with_context(|| format!("signing in: {status} {answer}"))?;
        self.token = Some(token.to_owned());
        Ok(())
    }

    /// The backups that are listed, the oldest first.
    pub(super) fn backups(&self) -> anyhow::Result<Vec<Value>> {
        let path = "/api/admin/backups?page_size=100&sort=created_at";
        let (status, answer) = self.ask(&Method::GET, path, None)?;
        let backups = answer["backups"].as_array().cloned();
        backups.with_context(|| format!("asking for the backups: {status} {answer}"))
    }

    pub(super) fn delete(&self, name: &str) -> anyhow::Result<()> {
        let path = format!("/api/admin/backups/{name}");
        let (status, answer) = self.ask(&Method::DELETE, &path, None)?;
        // Who took too long to answer, and is asked again, had deleted it.
        let deleted = [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND].contains(&status);
        ensure!(deleted, "deleting {name}: {status} {answer}");
        Ok(())
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
        self.send(&Method::POST, path, Some(body), LONG)
    }

    /// A job as it stands; nothing when nobody answers within the limit.
    pub(super) fn job(&self, kind: &str, job_id: u64, limit: Duration) -> Option<Job> {
        let path = format!("/api/admin/jobs?kind={kind}&limit=5");
        let (_, answer) = self.send(&Method::GET, &path, None, limit).ok()?;
        let mut jobs = answer["jobs"].as_array()?.iter();
        Job::of(jobs.find(|job| job["job_id"] == job_id)?)
    }

    /// Whether backups are being copied now; not when nobody says so in time.
    pub(super) fn is_copying(&self) -> bool {
        let path = "/api/admin/jobs?kind=backup.mirror&status=running&limit=1";
        let answer = self.send(&Method::GET, path, None, SHORT);
        answer.is_ok_and(|(_, answer)| {
            answer["jobs"]
                .as_array()
                .is_some_and(|jobs| !jobs.is_empty())
        })
    }

    /// The number of the newest job of a kind; 0 before the first.
    pub(super) fn newest_job(&self, kind: &str) -> anyhow::Result<u64> {
        let path = format!("/api/admin/jobs?kind={kind}&limit=1");
        let (status, answer) = self.ask(&Method::GET, &path, None)?;
        let jobs = answer["jobs"].as_array();
        let jobs = jobs.with_context(|| format!("asking for jobs: {status} {answer}"))?;
        let newest = jobs.first().and_then(|job| job["job_id"].as_u64());
        Ok(newest.unwrap_or_default())
    }

    /// Asks again while nobody answers, or all are too busy.
    fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let began = Instant::now();
        loop {
            let answer = self.send(method, path, body, LONG);
            let is_one = matches!(&answer, Ok((status, _)) if !status.is_server_error());
            if is_one || began.elapsed() > BUSY {
                return answer;
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }

    fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.url);
        let mut request = self.client.request(method.clone(), url).timeout(limit);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let (status, text) = (answer.status(), answer.text().await?);
            let text = if text.is_empty() { "null" } else { &text };
            // The edge answers with a page when it finds no replica.
            let body = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            Ok((status, body))
        })
    }
}
