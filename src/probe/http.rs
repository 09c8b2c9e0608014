//! An HTTP answer, whichever way it came.

use std::time::Duration;

use super::{PATIENCE, Readiness};

/// What is asked. The default is a bare `GET`.
#[derive(Debug, Clone)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// Plain words only: they are written out as they are.
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: Body,
    /// How long the answer may take.
    pub(crate) within: Duration,
}

/// What goes with a request.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    None,
    Json(String),
    /// So many bytes of nothing in particular, said to be JSON.
    Filler(usize),
}

impl<'a> Request<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            headers: Vec::new(),
            body: Body::None,
            within: PATIENCE,
        }
    }

    pub(crate) fn post(path: &'a str, body: Body) -> Self {
        Self {
            method: "POST",
            path,
            headers: Vec::new(),
            body,
            within: PATIENCE,
        }
    }

    /// For what is about time, or takes more of it than most.
    pub(crate) fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    pub(crate) fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Headers, those of the body included, but for its length.
    pub(super) fn all_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let kind =
            (!matches!(self.body, Body::None)).then_some(("content-type", "application/json"));
        let own = self.headers.iter();
        own.map(|(name, value)| (*name, value.as_str())).chain(kind)
    }

    /// As it goes over the wire, up to where a filler would begin; and how long that is.
    pub(super) fn wire(&self) -> (String, usize) {
        let (text, filler) = match &self.body {
            Body::None => ("", 0),
            Body::Json(text) => (text.as_str(), 0),
            Body::Filler(length) => ("", *length),
        };
        let mut head = format!(
            "{} {} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n",
            self.method, self.path
        );
        for (name, value) in self.all_headers() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(self.body, Body::None) {
            head.push_str(&format!("Content-Length: {}\r\n", text.len() + filler));
        }
        (format!("{head}\r\n{text}"), filler)
    }
}

/// Status, headers with lower-case names, body.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// First value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// 2xx is ready. Of anything else, the report's `reason` or the first line says why.
    pub(crate) fn readiness(&self) -> Readiness {
        if (200..300).contains(&self.status) {
            return Readiness::Ready;
        }
        let report: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let reason = report
            .as_ref()
            .and_then(|report| report.get("reason").or_else(|| report.get("detail")))
            .and_then(serde_json::Value::as_str)
            .map_or_else(|| first_line(&self.body), str::to_owned);
        Readiness::NotReady(format!("HTTP {}: {reason}", self.status))
    }

    /// Reads what an HTTP/1.0 server sent over a connection that it then closed.
    pub(super) fn parse(raw: &[u8]) -> Option<Self> {
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&raw[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self {
            status,
            headers,
            body: raw[end + 4..].to_vec(),
        })
    }
}

fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_answer_is_read() {
        let response =
            Response::parse(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n42\n").unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("text/plain"));
        assert_eq!(response.body, b"42\n");
        assert_eq!(response.readiness(), Readiness::Ready);
    }

    #[test]
    fn a_request_is_written_with_its_headers_and_the_length_of_its_body() {
        let (text, filler) = Request::get("/x").header("origin", "https://a.test").wire();
        assert_eq!(
            text,
            "GET /x HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\norigin: https://a.test\r\n\r\n"
        );
        assert_eq!(filler, 0);
        let (text, filler) = Request::post("/x", Body::Json("{}".into())).wire();
        assert!(text.ends_with("Content-Length: 2\r\n\r\n{}"), "{text}");
        assert_eq!(filler, 0);
        let (text, filler) = Request::post("/x", Body::Filler(70_000)).wire();
        assert!(text.ends_with("Content-Length: 70000\r\n\r\n"), "{text}");
        assert_eq!(filler, 70_000);
    }

    #[test]
    fn a_cut_answer_is_none() {
        assert!(Response::parse(b"HTTP/1.1 200 OK\r\nContent-Ty").is_none());
        assert!(Response::parse(b"").is_none());
    }

    #[test]
    fn the_report_says_why_it_is_not_ready() {
        let response =
            Response::parse(b"HTTP/1.1 503 x\r\n\r\n{\"reason\":\"2 migrations pending\"}")
                .unwrap();
        assert_eq!(
            response.readiness(),
            Readiness::NotReady("HTTP 503: 2 migrations pending".into())
        );
    }
}
