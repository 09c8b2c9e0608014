//! Waiting for what comes by itself.

use std::time::{Duration, Instant};

use anyhow::ensure;

const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Looks again and again; fails when it does not come about within `limit`.
pub(super) fn eventually(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    while !look()? {
        ensure!(
            began.elapsed() < limit,
            "{what} did not come about within {limit:?}"
        );
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}
