//! What containers wrote: all of it, or what a moment ago was about.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, future};
use tokio::time::{Instant, sleep};

use crate::{
    docker::{Engine, EngineError, LogLine, LogQuery},
    observe::Replica,
};

/// Engines of 20.10 answer nothing at all now and then, where there are lines.
const TRIES: usize = 3;

/// Goes through the whole log of a container; answers how many lines there were, and what came of it.
pub(super) async fn fold<T: Clone>(
    engine: &Engine,
    container: &str,
    start: T,
    step: impl Fn(T, &LogLine) -> T,
) -> Result<(usize, T), EngineError> {
    let mut read = (0, start.clone());
    for _ in 0..TRIES {
        read = engine
            .logs(container, LogQuery::default())
            .try_fold((0, start.clone()), |(lines, found), line| {
                future::ready(Ok((lines + 1, step(found, &line))))
            })
            .await?;
        if read.0 > 0 {
            break;
        }
    }
    Ok(read)
}

/// A line may come some time after the answer that it is about.
const LOGGED_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Lines in which that of a moment ago is looked for.
const RECENT: usize = 1000;

/// Waits until `enough` of these containers wrote a line with `mark` a moment ago, or would have by
/// now; answers the lines.
pub(super) async fn lines_with(
    engine: &Engine,
    writers: &[&Replica],
    mark: &str,
    enough: usize,
) -> Vec<String> {
    let query = LogQuery {
        tail: Some(RECENT),
        ..LogQuery::default()
    };
    let deadline = Instant::now() + LOGGED_WITHIN;
    loop {
        let read = future::join_all(writers.iter().map(|replica| {
            engine
                .logs(&replica.container, query)
                .filter_map(|line| future::ready(line.ok().map(|line| line.text)))
                .filter(|text| future::ready(text.contains(mark)))
                .collect::<Vec<String>>()
        }));
        let found = read.await;
        let wrote = found.iter().filter(|lines| !lines.is_empty()).count();
        if wrote >= enough || Instant::now() >= deadline {
            return found.into_iter().flatten().collect();
        }
        sleep(LOOK_EVERY).await;
    }
}
