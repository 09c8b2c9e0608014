//! An HTTP answer, whichever way it came.

use super::Readiness;

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
