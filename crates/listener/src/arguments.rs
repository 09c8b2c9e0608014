//! The command line. Reads nothing but what it is given.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

pub(crate) const USAGE: &str = "\
usage:
  listener hold --listen ADDRESS:PORT … --socket PATH
      Listens, never accepts, and hands the sockets to each who connects to PATH.
  listener serve [--socket PATH] [--wait SECONDS] -- COMMAND …
      Fetches the sockets and becomes COMMAND, with them in NGINX, as nginx inherits sockets.
      PATH is by default $LISTENER_SOCKET; without either it just becomes COMMAND.";

/// How long `serve` waits for a holder before it ends and leaves trying again to the engine. As
/// process 1 of a container it cannot be ended by a signal meanwhile. More than the ten seconds
/// after which the engine forgets earlier restarts and starts the next without a pause.
const WAIT: Duration = Duration::from_secs(12);

/// What the program is to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Hold {
        listen: Vec<SocketAddr>,
        socket: PathBuf,
    },
    Serve {
        /// Absent: there is no holder, the command listens itself.
        socket: Option<PathBuf>,
        wait: Duration,
        command: Vec<OsString>,
    },
    /// The companion of a command that serves; `serve` starts it.
    Watch { pid: i32 },
}

/// `socket` is where the holder is, by the environment.
pub(crate) fn parse(
    arguments: impl Iterator<Item = OsString>,
    socket: Option<OsString>,
) -> Result<Role, String> {
    let mut socket = socket.filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut arguments = arguments;
    let role = arguments.next().ok_or("what shall it be?")?;
    let mut listen = Vec::new();
    let mut wait = WAIT;
    let mut pid = None;
    let mut command = Vec::new();
    while let Some(option) = arguments.next() {
        if option == "--" {
            command = arguments.by_ref().collect();
            break;
        }
        let option = option.to_string_lossy().into_owned();
        let value = arguments
            .next()
            .ok_or_else(|| format!("{option} has no value"))?;
        let text = value.to_string_lossy();
        let wrong = |expected: &str| format!("{option} {text}: expected {expected}");
        match option.as_str() {
            "--socket" => socket = Some(value.into()),
            "--listen" => listen.push(
                text.parse()
                    .map_err(|_| wrong("an address and a port, such as 0.0.0.0:8000"))?,
            ),
            "--wait" => {
                let seconds = text.parse().map_err(|_| wrong("seconds"))?;
                wait = Duration::try_from_secs_f64(seconds).map_err(|_| wrong("seconds"))?;
            }
            "--pid" => pid = Some(text.parse().map_err(|_| wrong("a process id"))?),
            _ => return Err(format!("{option} is unknown")),
        }
    }
    match role.to_string_lossy().as_ref() {
        "hold" if listen.is_empty() => Err("hold: --listen says where".into()),
        "hold" => Ok(Role::Hold {
            listen,
            socket: socket.ok_or("hold: --socket says where the sockets are fetched")?,
        }),
        "serve" if command.is_empty() => Err("serve: a command must follow --".into()),
        "serve" => Ok(Role::Serve {
            socket,
            wait,
            command,
        }),
        "watch" => Ok(Role::Watch {
            pid: pid.ok_or("watch: --pid says whom")?,
        }),
        other => Err(format!("{other} is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, socket: Option<&str>) -> Result<Role, String> {
        parse(
            line.split_whitespace().map(OsString::from),
            socket.map(OsString::from),
        )
    }

    #[test]
    fn a_holder_has_addresses_and_a_socket() {
        assert_eq!(
            read(
                "hold --listen 0.0.0.0:8000 --listen [::1]:80 --socket /run/s",
                None
            ),
            Ok(Role::Hold {
                listen: vec![
                    "0.0.0.0:8000".parse().expect("an address"),
                    "[::1]:80".parse().expect("an address")
                ],
                socket: "/run/s".into(),
            })
        );
    }

    #[test]
    fn a_server_takes_the_socket_from_the_option_then_the_environment_and_can_do_without() {
        let socket = |line, environment| match read(line, environment) {
            Ok(Role::Serve { socket, .. }) => socket,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            socket("serve --socket /a -- nginx", Some("/b")),
            Some("/a".into())
        );
        assert_eq!(socket("serve -- nginx", Some("/b")), Some("/b".into()));
        assert_eq!(socket("serve -- nginx", Some("")), None);
        assert_eq!(socket("serve -- nginx", None), None);
    }

    #[test]
    fn what_follows_the_dashes_is_the_commands_own() {
        let Ok(Role::Serve { command, wait, .. }) =
            read("serve --wait 0.5 -- nginx --socket -- x", None)
        else {
            panic!("it serves")
        };
        assert_eq!(command, ["nginx", "--socket", "--", "x"]);
        assert_eq!(wait, Duration::from_millis(500));
    }

    #[test]
    fn wrong_calls_say_what_is_wrong() {
        for (line, fault) in [
            ("", "what shall it be?"),
            ("hold --socket /s", "hold: --listen says where"),
            (
                "hold --listen 0.0.0.0:1",
                "hold: --socket says where the sockets are fetched",
            ),
            (
                "hold --listen 8000 --socket /s",
                "--listen 8000: expected an address and a port, such as 0.0.0.0:8000",
            ),
            ("serve --socket", "--socket has no value"),
            ("serve --socket /s", "serve: a command must follow --"),
            ("serve --wait -1 -- x", "--wait -1: expected seconds"),
            ("serve --what x -- y", "--what is unknown"),
            ("watch", "watch: --pid says whom"),
            ("wait", "wait is unknown"),
        ] {
            assert_eq!(read(line, None), Err(fault.to_owned()), "{line}");
        }
    }
}
