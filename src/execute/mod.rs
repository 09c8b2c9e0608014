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

pub(crate) use await_ready::ReplicaFailure;
pub(crate) use job::JobReport;
pub(crate) use run::execute;

use crate::{config::JobName, docker::EngineError, edge::EdgeError, plan::OpId, tls::IssueError};

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
