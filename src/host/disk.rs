//! How much room the engine has left.

use std::path::Path;

use crate::docker::{Engine, Location};

/// Where a local engine keeps its data, and the bytes that are free there; `None` where it is not
/// this machine's disk.
pub(crate) fn free_space(engine: &Engine) -> Option<(&'static str, u64)> {
    if engine.info().location != Location::Local {
        return None;
    }
    let directory = ["/var/lib/docker", "/"]
        .into_iter()
        .find(|path| Path::new(path).is_dir())?;
    let stat = rustix::fs::statvfs(directory).ok()?;
    Some((directory, stat.f_bavail * stat.f_frsize))
}
