//! What the process tells its caller when it ends.

use std::process::ExitCode;

/// Exit codes; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// A check failed.
    CheckFailed = 1,
    /// The command line or the configuration is wrong; nothing was touched.
    Usage = 2,
    /// No engine answers.
    EngineUnreachable = 3,
    /// The deployment failed.
    DeployFailed = 4,
    /// Someone else holds the deploy lock.
    LockHeld = 5,
    /// A rollback that cannot be done safely.
    RollbackRefused = 6,
    /// `plan --exit-code`: something would change.
    ChangesPending = 10,
    /// Ctrl-C or a termination signal.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
