//! Holding a lock: signs of life, and how long the lock can be counted on after each.

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime},
};

use futures::StreamExt as _;
use tokio::{
    io::AsyncWriteExt as _,
    sync::watch,
    time::{MissedTickBehavior, interval, sleep_until, timeout},
};

use crate::docker::Attached;

/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Each sign of life is answered. The holder counts on the lock for so long after it gave the last
/// one that was: another can have it only later, however long the answer was under way.
pub(super) const SILENCE: Duration = Duration::from_secs(12);
/// A point in time by two clocks: one stands still while the machine sleeps, the other may be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    pub(super) fn plus(self, duration: Duration) -> Self {
        Self {
            monotonic: self.monotonic + duration,
            wall: self.wall + duration,
        }
    }

    /// Whether it has come by either clock.
    fn has_come(self) -> bool {
        let now = Self::now();
        now.monotonic >= self.monotonic || now.wall >= self.wall
    }
}

/// Whether a lock is held. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Held(pub(super) watch::Receiver<Option<Moment>>);

impl Held {
    /// Whether it is certain that nobody else has the lock: to be asked before each operation.
    pub(crate) fn is_held(&self) -> bool {
        self.0.borrow().is_some_and(|until| !until.has_come())
    }

    /// One whose time is up, and nobody has told of it yet.
    #[cfg(test)]
    pub(crate) fn untold() -> Self {
        Self(watch::channel(Some(Moment::now())).1)
    }

    /// Returns when the lock is lost, or let go.
    pub(crate) async fn lost(&mut self) {
        // The keeper tells when time is up; without a keeper there is no lock.
        let _ = self.0.wait_for(Option::is_none).await;
    }
}

/// Gives signs of life, and tells how long the lock can be counted on, until it is lost. The engine
/// closes the lock's input when this is dropped.
pub(super) async fn keep(attached: Attached, began: Moment, tell: &watch::Sender<Option<Moment>>) {
    let Attached {
        mut input,
        mut output,
    } = attached;
    let mut beat = interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut given: VecDeque<(u64, Moment)> = VecDeque::new();
    let mut count = 0;
    let mut until = began.plus(SILENCE);
    loop {
        tokio::select! {
            answer = output.next() => {
                let Some(Ok(answer)) = answer else { return };
                for number in numbers(&answer) {
                    while let Some((first, at)) = given.front().copied()
                        && first <= number
                    {
                        given.pop_front();
                        until = at.plus(SILENCE);
                    }
                }
                let _ = tell.send(Some(until));
            }
            _ = beat.tick() => {
                count += 1;
                given.push_back((count, Moment::now()));
                let line = format!("{count}\n");
                let sign = async {
                    input.write_all(line.as_bytes()).await?;
                    input.flush().await
                };
                if !matches!(timeout(HEARTBEAT, sign).await, Ok(Ok(()))) {
                    return;
                }
            }
            () = sleep_until(until.monotonic.into()) => return,
        }
    }
}

/// The lines of an answer that are numbers; the first says `held`.
fn numbers(answer: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(answer);
    text.lines()
        .filter_map(|line| line.trim().parse().ok())
        .collect()
}
