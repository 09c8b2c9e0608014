//! The holder: listens, and hands its sockets to each who asks. It never accepts a connection of a
//! client, so there is nothing in it that could fail under load, and no reason to ever replace it.

use std::{
    convert::Infallible,
    fs, io,
    net::SocketAddr,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::{
            fs::{FileTypeExt as _, PermissionsExt as _},
            net::{UnixListener, UnixStream},
        },
    },
    path::Path,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt},
};

use crate::{Error, handover, say};

/// Connections that wait while nobody accepts; the kernel's own limit (`somaxconn`) cuts it.
const BACKLOG: i32 = 4096;

/// Holds until the process is ended.
pub(crate) fn hold(listen: &[SocketAddr], socket: &Path) -> Result<Infallible, Error> {
    if listen.len() > handover::MOST {
        return Err(Error::new(
            "--listen",
            format!("at most {} addresses", handover::MOST),
        ));
    }
    // First the place where the sockets are fetched, then the sockets: who finds the port open
    // also finds this.
    let door = open_door(socket)
        .map_err(|error| Error::new(format!("cannot listen at {}", socket.display()), error))?;
    let mut sockets = Vec::new();
    for &address in listen {
        let bound = open(address)
            .map_err(|error| Error::new(format!("cannot listen on {address}"), error))?;
        say(format_args!("holds {address}"));
        sockets.push(bound);
    }
    let sockets: Vec<BorrowedFd<'_>> = sockets.iter().map(|socket| socket.as_fd()).collect();
    let mut servers = Vec::new();
    loop {
        attend(&door, &sockets, &mut servers)
            .map_err(|error| Error::new("cannot hand the sockets over", error))?;
    }
}

fn open(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    // nginx takes an inherited socket as it is, and needs one that does not block.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn open_door(path: &Path) -> io::Result<UnixListener> {
    // What the holder before this one left; anything but a socket was put there by somebody else.
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other("something else than a socket is there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let door = UnixListener::bind(path)?;
    // Who may fetch the sockets is decided by who has the volume, not by user: a server may run as
    // another user than the holder.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    door.set_nonblocking(true)?;
    Ok(door)
}

/// Waits until somebody comes or goes. The connections to servers are kept, because their end tells
/// the servers that the holder is gone.
fn attend(
    door: &UnixListener,
    sockets: &[BorrowedFd<'_>],
    servers: &mut Vec<UnixStream>,
) -> io::Result<()> {
    let mut watched = vec![PollFd::new(door, PollFlags::IN)];
    // Nothing is asked of a server, so anything that happens there is its end.
    let ends = |server| PollFd::new(server, PollFlags::IN);
    watched.extend(servers.iter().map(ends));
    match poll(&mut watched, None) {
        Err(rustix::io::Errno::INTR) => return Ok(()),
        other => other?,
    };
    let mut happened = watched.iter().map(|fd| !fd.revents().is_empty());
    let someone_came = happened.next().unwrap_or_default();
    let mut gone: Vec<bool> = happened.collect();
    gone.reverse();
    let before = servers.len();
    servers.retain(|_| !gone.pop().unwrap_or_default());
    let changed = servers.len() != before;
    if changed {
        say(format_args!("{} serve", servers.len()));
    }
    if someone_came {
        match door.accept() {
            Ok((server, _)) => welcome(server, sockets, servers),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A server that went away again while it was in the queue.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn welcome(server: UnixStream, sockets: &[BorrowedFd<'_>], servers: &mut Vec<UnixStream>) {
    match handover::send(&server, sockets) {
        Ok(()) => {
            servers.push(server);
            say(format_args!("{} serve", servers.len()));
        }
        Err(error) => say(format_args!(
            "a server left before it had the sockets: {error}"
        )),
    }
}
