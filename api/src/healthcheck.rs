//! `healthcheck`: asks the server on this machine whether it is ready.
//!
//! For the engine's health check, so it needs neither a shell nor an HTTP client in the image.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::config::{Server, Source};

/// The server answers within two seconds whatever happens to it.
const TIMEOUT: Duration = Duration::from_millis(2_500);
/// A health report has about a kilobyte.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// What to do with the answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the health report
    #[arg(long)]
    print: bool,
}

/// Succeeds when the server answers 200.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut source = Source::from_process();
    let server = Server::read(&mut source);
    let server = source.finish(Some(server))?;
    let address = reachable(server.bind);
    let answer = tokio::time::timeout(TIMEOUT, get(address, "/health/ready"))
        .await
        .with_context(|| {
            format!(
                "http://{address}/health/ready did not answer within {} ms",
                TIMEOUT.as_millis()
            )
        })?
        .with_context(|| format!("asking http://{address}/health/ready"))?;
    if args.print {
        writeln!(std::io::stdout(), "{}", answer.body).context("printing the report")?;
    }
    if answer.status != 200 {
        bail!(
            "not ready: http://{address}/health/ready answered {}: {}",
            answer.status,
            reason(&answer.body)
        );
    }
    Ok(())
}

/// Where a listener that is bound to `bind` can be reached from this machine.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

struct Answer {
    status: u16,
    body: String,
}

/// One GET over HTTP/1.0, so that the body ends with the connection and is never chunked.
async fn get(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())
        .await?;
    let mut text = String::new();
    stream
        .take(LONGEST_ANSWER)
        .read_to_string(&mut text)
        .await?;
    parse(&text).context("the answer is not HTTP")
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .get(..3)?
        .parse()
        .ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

/// The report's own words, if it is one.
fn reason(body: &str) -> String {
    serde_json::from_str::<sysndd_protocol::HealthReport>(body)
        .ok()
        .and_then(|report| report.reason)
        .unwrap_or_else(|| "no reason given".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_into_status_and_body() {
        let answer = parse("HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n{}").expect("HTTP");
        assert_eq!((answer.status, answer.body.as_str()), (503, "{}"));
        assert!(parse("SSH-2.0-OpenSSH\r\n\r\n").is_none());
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        for (bind, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:81", "[::1]:81"),
            ("10.0.0.7:82", "10.0.0.7:82"),
        ] {
            assert_eq!(reachable(bind.parse().expect("address")).to_string(), asked);
        }
    }
}
