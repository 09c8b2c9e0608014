//! Following what a replica says about its start-up.

use futures::StreamExt as _;
use sysndd_protocol::{Event, ReplicaName};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::Progress;
use crate::{
    config::Stack,
    docker::{Engine, LogQuery},
    observe::{EventReader, inspect_replica},
};

/// Reports startup events of `replica` until it is ready, ends, or `halt` is called.
pub(super) fn follow(
    engine: Engine,
    stack: Stack,
    replica: ReplicaName,
    progress: UnboundedSender<Progress>,
    halt: CancellationToken,
) {
    tokio::spawn(async move {
        let Ok(found) = inspect_replica(&engine, &replica).await else {
            return;
        };
        let reader = EventReader::new(stack.services.get(&found.service));
        let query = LogQuery {
            follow: true,
            // A container that had run before still has the lines of that life.
            since: found.born_after(),
            ..LogQuery::default()
        };
        let mut lines = Box::pin(engine.logs(replica.as_str(), query));
        loop {
            let line = tokio::select! {
                () = halt.cancelled() => return,
                () = progress.closed() => return,
                line = lines.next() => line,
            };
            let Some(Ok(line)) = line else { return };
            let Some(event) = reader.read(&found, &line) else {
                continue;
            };
            let ready = matches!(event.event, Event::StartupReady { .. });
            if progress
                .send(Progress::Startup(replica.clone(), event))
                .is_err()
                || ready
            {
                return;
            }
        }
    });
}
