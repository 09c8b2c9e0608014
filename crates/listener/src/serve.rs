//! A server: fetches the sockets from the holder, and becomes the command that accepts on them.
//!
//! It does not stay as the command's parent: signals, output, exit code and orphans are between the
//! command and the engine, as if this program had never been there. What stays is a companion that
//! notices the holder's end (`watch`).

use std::{
    convert::Infallible,
    ffi::OsString,
    fmt::Write as _,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::Path,
    process::{self, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::{Error, handover, say};

/// The program's own file, whatever became of its name meanwhile.
const MYSELF: &str = "/proc/self/exe";
/// How nginx is told of sockets that are open already: their numbers, each with a semicolon.
const INHERITED: &str = "NGINX";
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Returns only when the command cannot be executed.
pub(crate) fn serve(
    socket: Option<&Path>,
    wait: Duration,
    command: &[OsString],
) -> Result<Infallible, Error> {
    let [program, arguments @ ..] = command else {
        return Err(Error::new("serve", "no command"));
    };
    let mut server = Command::new(program);
    server.args(arguments).env_remove(INHERITED);
    let _sockets = match socket {
        Some(path) => {
            let (holder, sockets) = fetch(path, wait)?;
            // Before the sockets are made inheritable: the companion must not keep them open.
            leave_companion(holder)
                .map_err(|error| Error::new("cannot start the companion", error))?;
            for socket in &sockets {
                fcntl_setfd(socket, FdFlags::empty())
                    .map_err(|error| Error::new("cannot pass the sockets on", error))?;
            }
            server.env(INHERITED, inherited(&sockets));
            sockets
        }
        None => Vec::new(),
    };
    let error = server.exec();
    Err(Error::new(
        format!("cannot execute {}", program.display()),
        error,
    ))
}

/// Waits for the holder: at the start of the machine the engine may start the server first.
fn fetch(path: &Path, wait: Duration) -> Result<(UnixStream, Vec<OwnedFd>), Error> {
    let began = Instant::now();
    let mut told = false;
    loop {
        let error = match ask(path) {
            Ok(fetched) => return Ok(fetched),
            Err(error) => error,
        };
        let at = path.display();
        if !can_pass(&error) {
            return Err(Error::new(
                format!("cannot fetch the sockets from the listener at {at}"),
                error,
            ));
        }
        if began.elapsed() >= wait {
            return Err(Error::new(
                format!("no listener at {at} within {wait:?}"),
                error,
            ));
        }
        if !told {
            say(format_args!("waits for the listener at {at}: {error}"));
            told = true;
        }
        thread::sleep(TRY_AGAIN);
    }
}

fn ask(path: &Path) -> io::Result<(UnixStream, Vec<OwnedFd>)> {
    let holder = UnixStream::connect(path)?;
    // A holder that hangs is none.
    holder.set_read_timeout(Some(Duration::from_secs(1)))?;
    let sockets = handover::receive(&holder)?;
    holder.set_read_timeout(None)?;
    Ok((holder, sockets))
}

/// Whether the holder may be there in a moment.
fn can_pass(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, NotFound, PermissionDenied, UnexpectedEof, WouldBlock,
    };
    // Permission: between the making of the socket's file and its mode.
    matches!(
        error.kind(),
        ConnectionRefused
            | ConnectionReset
            | NotFound
            | PermissionDenied
            | UnexpectedEof
            | WouldBlock
    )
}

fn leave_companion(holder: UnixStream) -> io::Result<()> {
    Command::new(MYSELF)
        .arg0("listener")
        .args(["watch", "--pid", &process::id().to_string()])
        .stdin(OwnedFd::from(holder))
        .stdout(Stdio::null())
        .spawn()
        .map(drop)
}

fn inherited(sockets: &[OwnedFd]) -> String {
    sockets.iter().fold(String::new(), |mut list, socket| {
        // Writing to a string cannot fail.
        let _ = write!(list, "{};", socket.as_raw_fd());
        list
    })
}
