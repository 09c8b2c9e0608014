//! Following what a replica says about its start-up.

use futures::StreamExt as _;
use sysndd_protocol::{Event, ReplicaName, StartupEvent};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::Progress;
use crate::docker::{Engine, LogQuery};

/// Reports startup events of `replica` until it is ready, ends, or `halt` is called.
pub(super) fn follow(
    engine: Engine,
    replica: ReplicaName,
    progress: UnboundedSender<Progress>,
    halt: CancellationToken,
) {
    tokio::spawn(async move {
        // A container that had run before still has the lines of that life.
        let since = engine
            .inspect(replica.as_str())
            .await
            .ok()
            .and_then(|now| now.started);
        let query = LogQuery {
            follow: true,
            since,
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
            let Some(event) = StartupEvent::parse(&line.text) else {
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
