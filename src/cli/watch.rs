//! `watch`: the edge's list follows what is ready.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sysndd_protocol::ReplicaName;

use super::{Global, run::interrupt_token, running, session::Session};
use crate::{
    error::Error,
    exit::Exit,
    observe::Observed,
    output::Printer,
    watch::{Happened, WatchError, Watcher},
};

/// Keep the edge's list in step with what is ready, for as long as it runs.
///
/// A replica that stops being ready leaves the list within two seconds, and comes back when it is
/// ready again. The list is never emptied, and nothing is done while a command holds the deploy
/// lock. It goes by the release that runs, whatever the file says by now. On SIGTERM or Ctrl-C all replicas that run are put back into the list, since nobody would do
/// it later. `export systemd` writes a unit for it.
#[derive(Debug, clap::Args)]
pub(super) struct Watch {}

#[derive(Serialize)]
struct Line<'a> {
    ts: DateTime<Utc>,
    project: &'a str,
    #[serde(flatten)]
    happened: &'a Happened,
}

impl Watch {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let session = Session::open(global, printer).await?;
        session.refuse_compose().await?;
        if session.stack.edge.is_none() {
            return Err(
                Error::usage("the stack has no [edge], so there is no list to keep")
                    .with_hint("`sysndd-deploy config schema` says what belongs there"),
            );
        }
        let watcher = Watcher {
            project: &session.stack.project,
            engine: &session.engine,
            prober: &session.prober,
            read: async |observed: &Observed| {
                let read = running::followed(global, &session, observed).await;
                read.map_err(|error| WatchError::Release(error.message))
            },
        };
        let project = session.stack.project.as_str();
        let tell = |happened: Happened| {
            let line = Line {
                ts: Utc::now(),
                project,
                happened: &happened,
            };
            printer.data(&line, || {
                let time = line.ts.format("%Y-%m-%dT%H:%M:%S%.3fZ");
                format!("{time} {project} {}\n", words(&happened))
            });
        };
        let interrupt = interrupt_token();
        tokio::select! {
            () = watcher.run(&interrupt, tell) => Ok(Exit::Done),
            // Whoever runs it as a service starts it again, and it connects anew.
            lost = session.engine.lost() => Err(lost.into()),
        }
    }
}

fn words(happened: &Happened) -> String {
    match happened {
        Happened::Begin => "is watched".to_owned(),
        Happened::Changed(change) => {
            let mut parts = Vec::new();
            for (names, what) in [(&change.removed, "out"), (&change.added, "in")] {
                let names: Vec<&str> = names.iter().map(ReplicaName::as_str).collect();
                if !names.is_empty() {
                    parts.push(format!("{what}: {}", names.join(", ")));
                }
            }
            parts.push(format!("{} in the list", change.servers.len()));
            parts.join("; ")
        }
        Happened::Kept { servers } => {
            format!("no replica is ready; the list keeps its {}", servers.len())
        }
        Happened::Failed { error } => format!("could not look: {error}"),
        Happened::End => "is not watched any more; all that run are in the list".to_owned(),
    }
}
