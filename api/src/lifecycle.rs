//! Where this process is between its start and its end, and what is in flight.
//!
//! Only `startup` and `shutdown` move it on; everything else looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::watch;

/// The three stretches of a process's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The boot sequence has not ended.
    Starting,
    /// Traffic is welcome.
    Serving,
    /// Asked to end; no new traffic.
    Draining,
}

/// The phase, and the requests in flight.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    phase: watch::Sender<Phase>,
    in_flight: AtomicUsize,
    drained: AtomicUsize,
}

impl Lifecycle {
    pub(crate) fn new() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Starting),
            in_flight: AtomicUsize::new(0),
            drained: AtomicUsize::new(0),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// The boot sequence ended. A process that is already draining stays so.
    pub(crate) fn serving(&self) {
        self.phase.send_if_modified(|phase| {
            let starting = *phase == Phase::Starting;
            if starting {
                *phase = Phase::Serving;
            }
            starting
        });
    }

    /// The process was asked to end.
    pub(crate) fn draining(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    /// Requests that are being answered now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(SeqCst)
    }

    /// Requests that began before draining and finished since.
    pub(crate) fn drained(&self) -> usize {
        self.drained.load(SeqCst)
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, SeqCst);
        InFlight {
            lifecycle: Arc::clone(self),
            before_draining: self.phase() != Phase::Draining,
        }
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    lifecycle: Arc<Lifecycle>,
    before_draining: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.lifecycle.in_flight.fetch_sub(1, SeqCst);
        if self.before_draining && self.lifecycle.phase() == Phase::Draining {
            self.lifecycle.drained.fetch_add(1, SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_that_draining_interrupted_count_as_drained() {
        let lifecycle = Arc::new(Lifecycle::new());
        lifecycle.serving();
        drop(lifecycle.begin_request());
        let slow = lifecycle.begin_request();
        lifecycle.draining();
        drop(lifecycle.begin_request());
        assert_eq!((lifecycle.in_flight(), lifecycle.drained()), (1, 0));
        drop(slow);
        assert_eq!((lifecycle.in_flight(), lifecycle.drained()), (0, 1));
    }

    #[test]
    fn a_boot_that_ends_after_the_signal_does_not_reopen_the_door() {
        let lifecycle = Lifecycle::new();
        lifecycle.draining();
        lifecycle.serving();
        assert_eq!(lifecycle.phase(), Phase::Draining);
    }
}
