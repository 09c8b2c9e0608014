//! Who works here, and on which revision of the source. Reads only; what is not known stays out.

use std::{fmt, path::Path, process::Command};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use serde::{Deserialize, Serialize};

/// An operator, as far as the machine tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) user: String,
    pub(crate) host: String,
    /// Process on that host.
    pub(crate) pid: u32,
}

impl Who {
    /// The one who runs this process. Through `sudo` it is who called that.
    pub(crate) fn of_process() -> Self {
        let named = ["SUDO_USER", "USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
        let user = named.unwrap_or_else(|| user_name(rustix::process::getuid().as_raw()));
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        Self {
            user,
            host,
            pid: std::process::id(),
        }
    }

    /// Whether it is certain that this process has ended: it was one of this machine, and its number
    /// is nobody's.
    pub(crate) fn is_gone(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let ended = |pid| test_kill_process(pid) == Err(Errno::SRCH);
        self.host == Self::of_process().host && pid.is_some_and(ended)
    }
}

/// The name of a user as this machine has it, else its number.
fn user_name(uid: u32) -> String {
    let number = uid.to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| format!("uid {number}"))
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// What was checked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revision {
    /// Full hash.
    pub(crate) commit: String,
    /// Whether something differed from it.
    pub(crate) dirty: bool,
}

impl Revision {
    /// That of the repository around `directory`; `None` where there is none, or no git.
    pub(crate) fn of(directory: &Path) -> Option<Self> {
        let git = |arguments: &[&str]| {
            let output = Command::new("git")
                .arg("-C")
                .arg(directory)
                .args(arguments)
                .output()
                .ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        Some(Self {
            commit: git(&["rev-parse", "HEAD"]).filter(|commit| !commit.is_empty())?,
            dirty: git(&["--no-optional-locks", "status", "--porcelain"])
                .is_none_or(|changes| !changes.is_empty()),
        })
    }
}

/// As people write it: ten digits, a `+` behind where something differed.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.commit.get(..10).unwrap_or(&self.commit);
        write!(f, "{short}{}", if self.dirty { "+" } else { "" })
    }
}
