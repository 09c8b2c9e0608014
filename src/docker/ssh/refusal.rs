//! From what ssh says to what is wrong and what to do about it. Pure.

use super::{
    Target,
    target::{DENIED, LOOKED, MISSING},
};
use crate::docker::EngineError;

/// What ssh says, and what it means; the first that fits counts.
const MEANINGS: [(&str, Meaning); 10] = [
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", Meaning::OtherKey),
    ("Host key verification failed", Meaning::UnknownKey),
    ("Permission denied", Meaning::Login),
    ("Too many authentication failures", Meaning::Login),
    ("Could not resolve hostname", Meaning::NoHost),
    ("Connection refused", Meaning::NoServer),
    ("timed out", Meaning::NoServer),
    ("No route to host", Meaning::NoServer),
    ("Network is unreachable", Meaning::NoServer),
    ("ssh: not found", Meaning::NoClient),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    OtherKey,
    UnknownKey,
    Login,
    NoHost,
    NoServer,
    NoClient,
}

fn meaning(said: &str) -> Option<Meaning> {
    let mut all = MEANINGS.into_iter();
    all.find_map(|(text, meaning)| said.contains(text).then_some(meaning))
}

/// The line that counts: ssh says the reason last, and may greet before.
fn last_line(said: &str) -> &str {
    let greeting = |line: &str| line.starts_with("Warning: Permanently added");
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.rfind(|line| !greeting(line)).unwrap_or_default()
}

impl Target {
    /// The error of a link that did not come about.
    pub(super) fn unreachable(&self, said: &str) -> EngineError {
        let meaning = meaning(said);
        let command = self.command();
        let line = last_line(said);
        let line = if line.is_empty() {
            "ssh ended without a word"
        } else {
            line
        };
        let (cause, remedy) = match meaning {
            Some(Meaning::OtherKey) => (
                "its host key is not the one that is known: it was set up anew, or somebody is in between".to_owned(),
                format!("compare the fingerprint with the machine's own; only if it is right: `ssh-keygen -R {}` and `{command}`", self.known_as()),
            ),
            Some(Meaning::UnknownKey) => (
                "its host key is not known here".to_owned(),
                format!("`{command}` once by hand shows the fingerprint; accept it when it is the right one"),
            ),
            Some(Meaning::Login) => (
                format!("it refuses the login: {line}"),
                format!("`{command}` must work without a question: a key in the agent (`ssh-add`), or IdentityFile and User in ~/.ssh/config"),
            ),
            Some(Meaning::NoHost) => (line.to_owned(), "is the name right? names of ~/.ssh/config count, too".to_owned()),
            Some(Meaning::NoServer) => (line.to_owned(), format!("is the machine up, is its port open? `{command}` shows it")),
            Some(Meaning::NoClient) => (
                "there is no `ssh` on this machine".to_owned(),
                "install it: apt-get install openssh-client".to_owned(),
            ),
            _ => (
                line.to_owned(),
                format!("`{command}` must work without a question"),
            ),
        };
        self.error(cause, remedy)
    }

    /// Whether ssh said that it carries nothing.
    pub(super) fn is_refused(said: &str) -> bool {
        said.contains("open failed: ")
    }

    /// Why the link carries nothing: the server tells no reason but its own rules, so the machine was
    /// looked at.
    pub(super) fn refusal(&self, said: &str, seen: &str) -> EngineError {
        let (host, socket) = (self.host(), self.engine_socket());
        let is_there = seen.contains(LOOKED) && !seen.contains(MISSING) && !seen.contains(DENIED);
        let (cause, remedy) = if said.contains("administratively prohibited") || is_there {
            (
                format!(
                    "its ssh server forbids to forward a socket, or nobody listens at {socket}"
                ),
                format!("`AllowStreamLocalForwarding yes` in sshd_config of {host}"),
            )
        } else if seen.contains(DENIED) && !seen.contains(MISSING) {
            (
                format!("the user there may not open {socket}"),
                format!("on {host}: `sudo usermod -aG docker USER`, then log in anew"),
            )
        } else {
            (
                format!("no engine listens at {socket} there"),
                format!(
                    "start or install it on {host}; a rootless one has another socket: ssh://{host}/run/user/1000/docker.sock"
                ),
            )
        };
        self.error(cause, remedy)
    }

    /// How a link that stood came to its end.
    pub(super) fn lost(&self, said: &str) -> String {
        let line = last_line(said);
        let refused = line.starts_with("channel ");
        if line.is_empty() || refused {
            format!("the link to {self} was cut")
        } else {
            format!("the link to {self} was cut: {line}")
        }
    }

    fn error(&self, cause: String, remedy: String) -> EngineError {
        EngineError::Unreachable {
            host: self.to_string(),
            cause,
            remedy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::parse("ssh://ana@far:2222").unwrap()
    }

    #[test]
    fn every_way_to_fail_is_told_with_its_remedy() {
        let cases = [
            (
                "Host key verification failed.",
                "host key is not known here",
                "`ssh -l ana -p 2222 far` once by hand",
            ),
            (
                "@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                "somebody is in between",
                "ssh-keygen -R [far]:2222",
            ),
            (
                "Warning: Permanently added 'far' (ED25519) to the list of known hosts.\nana@far: Permission denied (publickey).",
                "refuses the login: ana@far: Permission denied (publickey).",
                "ssh-add",
            ),
            (
                "ssh: Could not resolve hostname far: Name or service not known",
                "Could not resolve hostname far",
                "~/.ssh/config",
            ),
            (
                "ssh: connect to host far port 2222: Connection refused",
                "port 2222: Connection refused",
                "is the machine up",
            ),
            (
                "kex_exchange_identification: Connection closed by remote host",
                "Connection closed by remote host",
                "`ssh -l ana -p 2222 far`",
            ),
            (
                "sh: 4: ssh: not found",
                "no `ssh` on this machine",
                "openssh-client",
            ),
            ("", "ended without a word", "without a question"),
        ];
        for (said, cause, remedy) in cases {
            let error = target().unreachable(said);
            let (text, hint) = (error.to_string(), error.hint().unwrap());
            assert!(
                text.starts_with("no Docker Engine answers at ssh://ana@far:2222: "),
                "{text}"
            );
            assert!(text.contains(cause), "{said}: {text}");
            assert!(hint.contains(remedy), "{said}: {hint}");
        }
    }

    #[test]
    fn a_link_that_carries_nothing_says_whose_fault_it_is() {
        let failed = "channel 2: open failed: connect failed: open failed";
        let cases = [
            (
                failed,
                "missing\ndenied",
                "no engine listens at /var/run/docker.sock",
                "rootless",
            ),
            (
                failed,
                "",
                "no engine listens",
                "start or install it on far",
            ),
            (
                failed,
                "denied",
                "may not open /var/run/docker.sock",
                "usermod -aG docker",
            ),
            (
                failed,
                "looked",
                "forbids to forward",
                "AllowStreamLocalForwarding yes",
            ),
            (
                "channel 2: open failed: administratively prohibited: open failed",
                "",
                "forbids to forward",
                "AllowStreamLocalForwarding yes",
            ),
        ];
        for (said, seen, cause, remedy) in cases {
            assert!(Target::is_refused(said));
            let error = target().refusal(said, seen);
            let (text, hint) = (error.to_string(), error.hint().unwrap());
            assert!(text.contains(cause), "{text}");
            assert!(hint.contains(remedy), "{hint}");
        }
        assert!(!Target::is_refused("Permission denied (publickey)."));
    }

    #[test]
    fn a_lost_link_is_told_in_the_words_of_ssh() {
        assert_eq!(
            target().lost("Timeout, server far not responding."),
            "the link to ssh://ana@far:2222 was cut: Timeout, server far not responding."
        );
        assert_eq!(target().lost(""), "the link to ssh://ana@far:2222 was cut");
    }
}
