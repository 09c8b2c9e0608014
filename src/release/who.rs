//! Who works here, and on which revision of the source. Reads only; what is not known stays out.

use std::{collections::BTreeMap, fmt, path::Path, process::Command};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use serde::{Deserialize, Serialize};

use crate::docker::labels;

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

    /// By the labels of what a process made.
    pub(super) fn of_labels(labels: &BTreeMap<String, String>) -> Option<Self> {
        let label = |key: &str| labels.get(key).cloned();
        Some(Self {
            user: label(labels::LOCK_USER)?,
            host: label(labels::LOCK_HOST)?,
            pid: label(labels::LOCK_PID)?.parse().ok()?,
        })
    }
}

/// Whose something is, for its labels.
pub(super) fn own_labels() -> [(&'static str, String); 4] {
    let who = Who::of_process();
    [
        (labels::LOCK_USER, who.user),
        (labels::LOCK_HOST, who.host),
        (labels::LOCK_PID, who.pid.to_string()),
        (labels::LOCK_PLACE, place().unwrap_or_default()),
    ]
}

/// Whether it is certain that the process which these labels name has ended: it was one of this
/// machine since its last start, in this namespace, and its number is nobody's.
pub(super) fn is_gone(labels: &BTreeMap<String, String>) -> bool {
    // The name of a machine says nothing: others may have it, and containers on it.
    let is_here = place().is_some_and(|here| labels.get(labels::LOCK_PLACE) == Some(&here));
    let pid = labels
        .get(labels::LOCK_PID)
        .and_then(|pid| pid.parse().ok());
    let ended = |pid| test_kill_process(pid) == Err(Errno::SRCH);
    is_here && pid.and_then(Pid::from_raw).is_some_and(ended)
}

/// Where a process number means something; `None` where the system does not say.
fn place() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_very_place_can_be_known_to_have_ended() {
        let own: BTreeMap<String, String> = own_labels()
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        assert_eq!(Who::of_labels(&own), Some(Who::of_process()));
        assert!(!is_gone(&own), "this one is alive");
        let with = |key: &str, value: &str| {
            let mut labels = own.clone();
            labels.insert(key.to_owned(), value.to_owned());
            labels
        };
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id().to_string();
        child.wait().unwrap();
        let mut ended = with(labels::LOCK_PID, &pid);
        assert!(is_gone(&ended));
        // Another machine of this name, or a container beside this process.
        ended.insert(labels::LOCK_PLACE.to_owned(), "another".to_owned());
        assert!(!is_gone(&ended));
        // What a version made that did not say where.
        ended.remove(labels::LOCK_PLACE);
        assert!(!is_gone(&ended));
    }
}
