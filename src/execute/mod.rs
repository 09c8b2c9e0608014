//! Runs a plan: in parallel where the graph allows, each operation once. Makes no decision of its
//! own; reports what happens to a channel and never prints.

mod await_ready;
mod job;
mod run;
mod startup;
mod volumes;

use std::{collections::BTreeSet, time::Duration};

use sysndd_protocol::{ReplicaName, StartupEvent};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use await_ready::ReplicaFailure;
pub(crate) use job::JobReport;
pub(crate) use run::execute;

use crate::{
    config::JobName, docker::EngineError, edge::EdgeError, plan::OpId, release::Held,
    tls::IssueError,
};

/// For how long a run may go on.
#[derive(Clone)]
pub(crate) struct Leave {
    /// Ends waits, and lets nothing more begin.
    pub(crate) interrupt: CancellationToken,
    /// The deploy lock; absent where there is none to hold.
    pub(crate) held: Option<Held>,
}

impl Leave {
    /// Whether another operation may begin. The lock is asked itself: after a machine has slept, who
    /// would tell of its loss may be the last to wake.
    fn goes_on(&self) -> bool {
        !self.interrupt.is_cancelled() && self.held.as_ref().is_none_or(Held::is_held)
    }
}

/// What happens while a plan runs.
#[derive(Debug, Clone)]
pub(crate) enum Progress {
    Started(OpId),
    Done(OpId, Duration),
    Failed(OpId),
    /// All that is new is proven; what is old ends when it is answered, or when nobody will.
    Proven(mpsc::Sender<()>),
    /// A replica said something about its start-up.
    Startup(ReplicaName, StartupEvent),
    /// A job printed this.
    JobLine(JobName, String),
    /// A job ended; the run goes on when it is answered, or when nobody will.
    JobEnded(Box<JobReport>, mpsc::Sender<()>),
}

/// How a plan ended that did not end well. What was done before it stands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecuteError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error("{0}")]
    NotReady(Box<ReplicaFailure>),
    #[error("{0}")]
    Job(Box<JobReport>),
    #[error(transparent)]
    Tls(#[from] IssueError),
    #[error("`tls.reload` in {replica} ended with exit code {code}: {output}")]
    Reload {
        replica: ReplicaName,
        code: i64,
        output: String,
    },
    #[error("interrupted")]
    Interrupted,
}

/// What a run left behind when it failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The operation that failed first; absent when the run was interrupted between operations.
    pub(crate) operation: Option<OpId>,
    pub(crate) error: ExecuteError,
    /// Operations that succeeded.
    pub(crate) done: BTreeSet<OpId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_on_a_lock_that_is_lost_though_nobody_has_told_of_it_yet() {
        let leave = |held| Leave {
            interrupt: CancellationToken::new(),
            held,
        };
        assert!(leave(None).goes_on());
        assert!(!leave(Some(Held::untold())).goes_on());
        let interrupted = leave(None);
        interrupted.interrupt.cancel();
        assert!(!interrupted.goes_on());
    }
}
