//! How sockets go from one process to another: one message of one byte over a unix socket, with the
//! sockets attached (`SCM_RIGHTS`). The byte is the version of this agreement, so that a server and a
//! holder of different releases know that they understand each other.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

const VERSION: u8 = b'1';
/// How many sockets one holder can have; far more than anybody publishes.
pub(crate) const MOST: usize = 16;

/// Sends the sockets; they stay open here as well.
pub(crate) fn send(to: &UnixStream, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    if sockets.len() > MOST || !attached.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::other(format!("more than {MOST} sockets")));
    }
    // A client that is gone is an error of this call, not a signal that ends the holder.
    let flags = SendFlags::NOSIGNAL;
    sendmsg(to, &[IoSlice::new(&[VERSION])], &mut attached, flags)?;
    Ok(())
}

/// Waits for the sockets. They are closed when another program is executed, until it is said that
/// they shall not.
pub(crate) fn receive(from: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut version = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let read = recvmsg(
        from,
        &mut [IoSliceMut::new(&mut version)],
        &mut attached,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if read.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let sockets: Vec<OwnedFd> = attached
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        })
        .flatten()
        .collect();
    if version != [VERSION] || sockets.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the holder speaks otherwise: it is of another version",
        ));
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        os::fd::AsFd as _,
    };

    use super::*;

    #[test]
    fn a_socket_that_was_handed_over_is_the_same_socket() {
        let (holder, server) = UnixStream::pair().expect("a pair");
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("an address");
        send(&holder, &[socket.as_fd()]).expect("it is sent");
        let received = receive(&server).expect("it arrives").remove(0);
        let received = TcpListener::from(received);
        assert_eq!(received.local_addr().expect("an address"), address);

        // One queue: who connected before the first owner closed is served by the second.
        let mut client = TcpStream::connect(address).expect("it listens");
        drop(socket);
        let (mut accepted, _) = received.accept().expect("the connection is in the queue");
        accepted.write_all(b"x").expect("it is open");
        let mut byte = [0];
        client.read_exact(&mut byte).expect("it is served");
        assert_eq!(&byte, b"x");
    }

    #[test]
    fn several_sockets_arrive_in_their_order() {
        let (holder, server) = UnixStream::pair().expect("a pair");
        let sockets: Vec<TcpListener> = (0..MOST)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let borrowed: Vec<_> = sockets.iter().map(|socket| socket.as_fd()).collect();
        send(&holder, &borrowed).expect("they are sent");
        let received = receive(&server).expect("they arrive");
        let address = |socket: &TcpListener| socket.local_addr().expect("an address");
        let received: Vec<_> = received.into_iter().map(TcpListener::from).collect();
        assert_eq!(
            received.iter().map(address).collect::<Vec<_>>(),
            sockets.iter().map(address).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_holder_that_ends_or_says_something_else_is_told() {
        let (holder, server) = UnixStream::pair().expect("a pair");
        drop(holder);
        let error = receive(&server).expect_err("nobody is there");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);

        let (mut holder, server) = UnixStream::pair().expect("a pair");
        holder.write_all(b"2").expect("it is open");
        let error = receive(&server).expect_err("no socket came");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn more_sockets_than_there_is_room_for_are_refused() {
        let (holder, _server) = UnixStream::pair().expect("a pair");
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        assert!(send(&holder, &[socket.as_fd(); MOST + 1]).is_err());
    }
}
