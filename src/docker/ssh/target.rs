//! `ssh://user@host:port/socket`, and how `ssh` is called for it.

use std::{ffi::OsString, fmt, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::docker::{EngineError, Result};

const REMOTE_SOCKET: &str = "/var/run/docker.sock";
/// `ssh -G` reads files; a `Match exec` in them may run programs.
const SETTINGS_WITHIN: Duration = Duration::from_secs(5);

/// What the user's settings must not say otherwise.
const OPTIONS: [&str; 10] = [
    "BatchMode=yes",
    "ConnectTimeout=10",
    // A link that carries nothing for 15 seconds is lost: not later than the lock is free.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=2",
    // Why a stream is refused is told at this level.
    "LogLevel=INFO",
    // A connection of our own, which ends with us. Where a shared one stands, it would be
    // given the forwarding and keep it.
    "ControlMaster=no",
    "ControlPath=none",
    "RemoteCommand=none",
    // A forwarding of the user's own settings may be taken already.
    "ExitOnForwardFailure=no",
    "ForkAfterAuthentication=no",
];
/// What the look at that machine prints.
pub(super) const MISSING: &str = "missing";
pub(super) const DENIED: &str = "denied";
pub(super) const LOOKED: &str = "looked";

/// A machine and the socket of its engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::docker) struct Target {
    url: String,
    user: Option<String>,
    /// A host, or a name of `~/.ssh/config`.
    host: String,
    port: Option<u16>,
    socket: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Target {
    /// # Errors
    /// When it is none.
    pub(in crate::docker) fn parse(url: &str) -> Result<Self> {
        let wrong = |cause: &str| EngineError::Context {
            cause: format!("{url}: {cause}"),
            remedy: Some(
                "write ssh://user@host, ssh://host:port or ssh://host/path/of/the/engine.sock"
                    .to_owned(),
            ),
        };
        let rest = url
            .strip_prefix("ssh://")
            .ok_or_else(|| wrong("it does not begin with ssh://"))?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(wrong(
                "it has a password; ssh takes keys from an agent or from its settings",
            ));
        }
        let (host, port) = match place
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = port
            .map(|port| port.parse().map_err(|_| wrong("its port is no number")))
            .transpose()?;
        // Whatever begins with a dash would be an option to ssh, which may run programs.
        let is_word = |word: &str| {
            !word.is_empty()
                && !word.starts_with('-')
                && !word.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if !is_word(host) {
            return Err(wrong("it names no host"));
        }
        if user.is_some_and(|user| !is_word(user)) {
            return Err(wrong("its user is no name"));
        }
        let path = path.trim_end_matches('/');
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_.-+@".contains(c);
        if !path.chars().all(is_plain) {
            return Err(wrong(
                "the path of its socket has a character that ssh or a shell gives a meaning to",
            ));
        }
        Ok(Self {
            url: url.to_owned(),
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: if path.is_empty() { REMOTE_SOCKET } else { path }.to_owned(),
        })
    }

    /// The arguments of the `ssh` that holds the link. What the user's settings say holds, but for
    /// what would keep a program from waiting for it.
    pub(super) fn arguments(&self, local: &Path) -> Vec<OsString> {
        let mut forward = OsString::from(local);
        forward.push(":");
        forward.push(&self.socket);
        let mut arguments: Vec<OsString> = ["-N", "-T", "-a", "-x"].map(OsString::from).into();
        for option in OPTIONS {
            arguments.extend(["-o".into(), option.into()]);
        }
        arguments.extend(["-L".into(), forward]);
        arguments.extend(self.destination().map(OsString::from));
        arguments
    }

    /// The arguments of an `ssh` that says what is the matter with the socket there.
    pub(super) fn look(&self) -> Vec<String> {
        let socket = &self.socket;
        let options = OPTIONS.iter().flat_map(|option| ["-o", option]);
        let mut arguments: Vec<String> = ["-T", "-a", "-x"]
            .into_iter()
            .chain(options)
            .map(str::to_owned)
            .collect();
        arguments.extend(self.destination());
        // Every shell understands this.
        arguments.push(format!(
            "test -e {socket} || echo {MISSING}; test -w {socket} || echo {DENIED}; echo {LOOKED}"
        ));
        arguments
    }

    fn destination(&self) -> impl Iterator<Item = String> {
        let user = self
            .user
            .iter()
            .flat_map(|user| ["-l".to_owned(), user.clone()]);
        let port = self
            .port
            .iter()
            .flat_map(|port| ["-p".to_owned(), port.to_string()]);
        user.chain(port).chain(["--".to_owned(), self.host.clone()])
    }

    /// The machine as ssh understands it: a name of its settings is no name that a browser knows.
    pub(in crate::docker) async fn host_name(&self) -> String {
        let mut command = Command::new("ssh");
        command
            .arg("-G")
            .args(self.destination())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let found = match timeout(SETTINGS_WITHIN, command.output()).await {
            Ok(Ok(output)) => host_name_in(&String::from_utf8_lossy(&output.stdout)),
            _ => None,
        };
        let name = found.unwrap_or_else(|| self.host.clone());
        if name.contains(':') {
            format!("[{name}]")
        } else {
            name
        }
    }

    /// What to type to see it with one's own eyes.
    pub(super) fn command(&self) -> String {
        let words: Vec<String> = self.destination().filter(|word| word != "--").collect();
        format!("ssh {}", words.join(" "))
    }

    pub(super) fn engine_socket(&self) -> &str {
        &self.socket
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Its name in the file of known hosts.
    pub(super) fn known_as(&self) -> String {
        match self.port {
            Some(port) if port != 22 => format!("[{}]:{port}", self.host),
            _ => self.host.clone(),
        }
    }
}

fn host_name_in(settings: &str) -> Option<String> {
    let name = settings
        .lines()
        .find_map(|line| line.strip_prefix("hostname "))?;
    Some(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (Option<String>, String, Option<u16>, String) {
        let target = Target::parse(url).unwrap();
        (target.user, target.host, target.port, target.socket)
    }

    #[test]
    fn user_port_and_socket_may_be_left_to_the_settings() {
        let usual = REMOTE_SOCKET.to_owned();
        assert_eq!(
            parsed("ssh://far"),
            (None, "far".into(), None, usual.clone())
        );
        assert_eq!(
            parsed("ssh://ana@far.example:2222/"),
            (
                Some("ana".into()),
                "far.example".into(),
                Some(2222),
                usual.clone()
            )
        );
        assert_eq!(
            parsed("ssh://[fd00::1]:22"),
            (None, "fd00::1".into(), Some(22), usual)
        );
        assert_eq!(
            parsed("ssh://ana@far/run/user/1000/docker.sock").3,
            "/run/user/1000/docker.sock"
        );
    }

    #[test]
    fn what_ssh_would_take_for_an_option_is_refused() {
        for url in [
            "ssh://-oProxyCommand=touch",
            "ssh://-lroot@far",
            "ssh://",
            "ssh://@far",
            "ssh://ana:secret@far",
            "ssh://far:port",
            "ssh://far/%h",
            "ssh://far/a;b",
            "ssh://a b",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(
                matches!(error, EngineError::Context { .. }),
                "{url}: {error}"
            );
            assert!(error.hint().unwrap().contains("ssh://user@host"));
        }
    }

    #[test]
    fn the_host_is_the_last_argument_and_no_option() {
        let target = Target::parse("ssh://ana@far:2222").unwrap();
        let arguments = target.arguments(Path::new("/tmp/x/engine"));
        let end: Vec<_> = arguments.iter().rev().take(8).rev().collect();
        assert_eq!(
            end,
            [
                "-L",
                "/tmp/x/engine:/var/run/docker.sock",
                "-l",
                "ana",
                "-p",
                "2222",
                "--",
                "far"
            ]
        );
        assert_eq!(target.command(), "ssh -l ana -p 2222 far");
    }

    #[test]
    fn the_machine_is_named_as_the_settings_resolve_it() {
        let settings = "user ana\nhostname 10.0.0.7\nport 22\n";
        assert_eq!(host_name_in(settings).as_deref(), Some("10.0.0.7"));
    }
}
