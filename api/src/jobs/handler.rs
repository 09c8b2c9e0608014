//! What a kind of job is: a payload that can be run.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::turn::Turn;
use crate::db;
use crate::state::App;

/// A kind of job. The value is the payload of one job of it.
///
/// A job is run again when its worker died, also when that was after its effect: whatever `run`
/// does must be good to do twice. Effects in the database belong into a transaction that holds the
/// fence (`Turn::hold_fence`); then a worker that was given up cannot interfere any more.
pub(crate) trait Handler: DeserializeOwned + Send + 'static {
    /// The name in the column `kind`.
    const KIND: &'static str;

    /// Does the job. The answer is its result, for those who asked for it.
    fn run(
        self,
        app: Arc<App>,
        turn: Turn,
    ) -> impl Future<Output = Result<Value, Failure>> + Send + 'static;
}

/// Why a job did not succeed this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may succeed later.
    Again { code: &'static str, message: String },
    /// It never will.
    Final { code: &'static str, message: String },
    /// It was asked to stop, and did.
    Cancelled,
    /// The process ends and the job can go on elsewhere; the attempt does not count.
    HandBack,
    /// The lease went to another worker; whatever there is to say, that one says it.
    Lost,
}

impl Failure {
    /// Something that may pass.
    pub(crate) fn again(code: &'static str, cause: impl std::fmt::Display) -> Self {
        Self::Again {
            code,
            message: cause.to_string(),
        }
    }

    /// Something that will not.
    pub(crate) fn fatal(code: &'static str, cause: impl std::fmt::Display) -> Self {
        Self::Final {
            code,
            message: cause.to_string(),
        }
    }
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        Self::again("database", error)
    }
}

impl From<mysql_async::Error> for Failure {
    fn from(error: mysql_async::Error) -> Self {
        Self::again("database", error)
    }
}

type Run = fn(Arc<App>, Turn, Value) -> BoxFuture<'static, Result<Value, Failure>>;

/// The kinds of jobs that this process can run.
#[derive(Default)]
pub(crate) struct Kinds(BTreeMap<&'static str, Run>);

impl Kinds {
    pub(crate) fn with<H: Handler>(mut self) -> Self {
        self.0.insert(H::KIND, run::<H>);
        self
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    pub(super) fn run(
        &self,
        kind: &str,
        app: Arc<App>,
        turn: Turn,
        payload: Value,
    ) -> Option<BoxFuture<'static, Result<Value, Failure>>> {
        Some(self.0.get(kind)?(app, turn, payload))
    }
}

fn run<H: Handler>(
    app: Arc<App>,
    turn: Turn,
    payload: Value,
) -> BoxFuture<'static, Result<Value, Failure>> {
    Box::pin(async move {
        let handler: H =
            serde_json::from_value(payload).map_err(|error| Failure::fatal("payload", error))?;
        handler.run(app, turn).await
    })
}
