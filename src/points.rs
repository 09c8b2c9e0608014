//! Named points at which a drill ends this process as `kill -9` would: exactly there, every time.
//!
//! Only debug builds have them. In a released program a point is nothing.

#[cfg(debug_assertions)]
mod armed {
    use std::{fmt::Display, io::Write as _, sync::OnceLock};

    use rustix::process::{Signal, getpid, kill_process};

    /// Name of the point to die at, or [`LIST`].
    const VARIABLE: &str = "SYSNDD_DEPLOY_DIE_AT";
    /// Say the names of all points that are passed, one a line on stderr, and go on.
    const LIST: &str = "list";

    pub(crate) fn point(name: impl Display) {
        static WANTED: OnceLock<Option<String>> = OnceLock::new();
        let Some(wanted) = WANTED.get_or_init(|| std::env::var(VARIABLE).ok()) else {
            return;
        };
        let name = name.to_string();
        if wanted == LIST {
            // Nothing can be done about a stderr that is gone.
            let _ = writeln!(std::io::stderr(), "point: {name}");
        } else if *wanted == name {
            // It does not return when it works, and there is nobody to tell when it does not.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}

#[cfg(debug_assertions)]
pub(crate) use armed::point;

#[cfg(not(debug_assertions))]
pub(crate) fn point(_: impl std::fmt::Display) {}
