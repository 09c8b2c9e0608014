//! How much room the engine has left.

use crate::docker::{Engine, Location};

/// Where a local engine keeps its data, and the bytes that are free there; `None` where it is not
/// this machine's disk.
pub(crate) async fn free_space(engine: &Engine) -> Option<(String, u64)> {
    if engine.info().location != Location::Local {
        return None;
    }
    let directory = engine.data_root().await.ok()??;
    let stat = rustix::fs::statvfs(directory.as_str()).ok()?;
    Some((directory, stat.f_bavail * stat.f_frsize))
}
