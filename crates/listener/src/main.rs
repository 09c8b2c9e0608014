//! A listening socket that outlives who serves on it.
//!
//! `listener hold` owns a port: it listens and never accepts. `listener serve -- COMMAND` fetches
//! that socket and becomes COMMAND, which accepts on it. Several can do so at the same time, since
//! the queue of connections is the kernel's: a new server starts beside the old one, the old one
//! stops accepting and finishes, and no connection is lost in between.
//!
//! No byte of a client ever passes through this program.

mod arguments;
mod handover;
mod hold;
mod serve;
mod watch;

use std::{env, fmt, io::Write as _, process::ExitCode};

use arguments::Role;

/// What was wrongly called ends so, as with other programs.
const WRONG_CALL: u8 = 2;

fn main() -> ExitCode {
    let role = match arguments::parse(env::args_os().skip(1), env::var_os("LISTENER_SOCKET")) {
        Ok(role) => role,
        Err(fault) => {
            say(format_args!("{fault}\n\n{}", arguments::USAGE));
            return ExitCode::from(WRONG_CALL);
        }
    };
    let Err(error) = match role {
        Role::Hold { listen, socket } => hold::hold(&listen, &socket),
        Role::Serve {
            socket,
            wait,
            command,
        } => serve::serve(socket.as_deref(), wait, &command),
        Role::Watch { pid } => watch::watch(pid),
    };
    say(format_args!("error: {error}"));
    ExitCode::FAILURE
}

/// One line to stderr, where logs are read. A stderr that is gone changes nothing.
fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "listener: {text}");
}

/// What was being done, and why it failed.
#[derive(Debug)]
struct Error(String);

impl Error {
    fn new(doing: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self(format!("{doing}: {cause}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
