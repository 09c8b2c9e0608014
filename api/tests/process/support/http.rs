//! One request over a connection of its own, so that a test sees refusals and cut connections.

use std::io;
use std::net::SocketAddr;

use sysndd_protocol::HealthReport;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request that was sent and is not answered yet.
pub(crate) struct Request {
    stream: TcpStream,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Request {
    pub(crate) async fn get(address: SocketAddr, path: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        Ok(Self { stream })
    }

    pub(crate) async fn answer(mut self) -> io::Result<Answer> {
        let mut text = String::new();
        self.stream.read_to_string(&mut text).await?;
        let (head, body) = text
            .split_once("\r\n\r\n")
            .ok_or_else(|| io::Error::other(format!("no HTTP answer: {text:?}")))?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {head:?}")))?;
        Ok(Answer {
            status,
            body: body.to_owned(),
        })
    }
}

impl Answer {
    pub(crate) fn report(&self) -> HealthReport {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}
