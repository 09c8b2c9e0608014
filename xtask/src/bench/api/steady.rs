//! Requests at a constant rate: each is sent when it is due, whether or not those before it were answered, and its
//! time counts from then. Who waits for an answer before asking again asks less of a server that is slow, and does
//! not see how slow it is.

use std::time::Duration;

use anyhow::ensure;
use tokio::{task::JoinSet, time::Instant};

use super::wrk::Answered;

/// A request that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(5);
/// From one path to the next, so that pages of one list are not asked for in a row.
const STRIDE: usize = 7_919;

/// What is asked, and how often.
pub(super) struct Steady<'a> {
    pub(super) url: &'a str,
    pub(super) paths: &'a [String],
    /// In a second.
    pub(super) rate: u32,
    pub(super) seconds: u32,
}

impl Steady<'_> {
    pub(super) fn run(&self) -> anyhow::Result<Answered> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(self.ask())
    }

    async fn ask(&self) -> anyhow::Result<Answered> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .build()?;
        let paths = self.paths.iter().cycle().step_by(STRIDE);
        let mut requests = JoinSet::new();
        let began = Instant::now();
        for (number, path) in (0..self.rate * self.seconds).zip(paths) {
            let due = began + Duration::from_secs(1) * number / self.rate;
            tokio::time::sleep_until(due).await;
            let request = client.get(format!("{}{path}", self.url)).send();
            requests.spawn(async move {
                let body = request.await?.error_for_status()?.bytes().await;
                body.map(|_| due.elapsed())
            });
        }
        let answers: Vec<Result<Duration, reqwest::Error>> = requests.join_all().await;
        let seconds = began.elapsed().as_secs_f64();
        let mut times: Vec<Duration> = answers.iter().flatten().copied().collect();
        ensure!(
            !times.is_empty(),
            "not one of {} requests was answered",
            answers.len()
        );
        times.sort_unstable();
        let of_hundred = |part: usize| {
            let at = (times.len() * part).div_ceil(100).saturating_sub(1);
            times[at].as_secs_f64() * 1e3
        };
        Ok(Answered {
            requests: u64::try_from(times.len())?,
            seconds,
            p50_ms: of_hundred(50),
            p95_ms: of_hundred(95),
            p99_ms: of_hundred(99),
            failed: u64::try_from(answers.len() - times.len())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn requests_are_sent_when_they_are_due_however_slow_the_answers_are() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 4_096];
                    while let Ok(1..) = client.read(&mut request).await {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        client.write_all(answer).await.expect("written");
                    }
                });
            }
        });
        let paths = ["/a".to_owned(), "/b".to_owned()];
        let steady = Steady {
            url: &url,
            paths: &paths,
            rate: 100,
            seconds: 1,
        };
        let answered = steady.ask().await.expect("answered");
        assert_eq!((answered.requests, answered.failed), (100, 0));
        assert!(answered.p50_ms >= 100.0, "{answered:?}");
        // One after another they would take 10 s.
        assert!(answered.seconds < 5.0, "{answered:?}");
    }
}
