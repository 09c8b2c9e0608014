//! What a container wrote, from its first line on.

use futures::{TryStreamExt as _, future};

use crate::docker::{Engine, EngineError, LogLine, LogQuery};

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
