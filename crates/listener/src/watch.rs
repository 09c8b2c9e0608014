//! The companion of a command that serves: when the holder is gone, so is the network that the
//! command's socket belongs to, and nobody can reach it any more. The companion then asks the
//! command to finish; the engine's restart policy starts it anew, with the new holder's socket.
//!
//! It is a child of the command and ends with it.

use std::{
    convert::Infallible,
    io, thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Signal, getppid, kill_process, set_parent_process_death_signal, test_kill_process,
};

use crate::{Error, say};

/// For requests that came by other ways than the holder's socket. Those that came through it have
/// lost their clients already, so it is short: the page is away meanwhile.
const FINISH_WITHIN: Duration = Duration::from_secs(1);
/// Then it is told to end at once, and from here on not asked: only outside of a container, since
/// process 1 of one cannot be killed from inside.
const END_WITHIN: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The holder is at the other end of stdin.
pub(crate) fn watch(pid: i32) -> Result<Infallible, Error> {
    let server = Pid::from_raw(pid).ok_or_else(|| Error::new("--pid", "not a process id"))?;
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Error::new("cannot follow the server", error))?;
    // It may have ended before that was said.
    if getppid() != Some(server) {
        return Err(Error::new("cannot follow the server", "it has ended"));
    }
    wait_for_end(&mut io::stdin().lock());
    say(format_args!(
        "the listener is gone: the server is asked to finish, and to be started again"
    ));
    let began = Instant::now();
    let mut last = None;
    while test_kill_process(server).is_ok() {
        let signal = due(began.elapsed());
        // SIGQUIT once; the others again and again, in case the server was not ready to hear them.
        if last != Some(signal) || signal != Signal::QUIT {
            // It ended meanwhile: then the loop ends.
            let _ = kill_process(server, signal);
            last = Some(signal);
        }
        thread::sleep(ASK_AGAIN);
    }
    Err(Error::new("the server", "has ended"))
}

fn due(waited: Duration) -> Signal {
    if waited < FINISH_WITHIN {
        Signal::QUIT
    } else if waited < END_WITHIN {
        Signal::TERM
    } else {
        Signal::KILL
    }
}

/// Whatever goes wrong with the connection is its end.
fn wait_for_end(holder: &mut impl io::Read) {
    let mut byte = [0];
    loop {
        match holder.read(&mut byte) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_then_tells_then_kills() {
        let after = |millis| due(Duration::from_millis(millis));
        assert_eq!(after(0), Signal::QUIT);
        assert_eq!(after(999), Signal::QUIT);
        assert_eq!(after(1000), Signal::TERM);
        assert_eq!(after(4999), Signal::TERM);
        assert_eq!(after(5000), Signal::KILL);
    }

    #[test]
    fn it_waits_for_the_end_of_the_connection_and_not_for_a_word() {
        struct Scripted(Vec<io::Result<usize>>);
        impl io::Read for Scripted {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0.remove(0)
            }
        }
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        for last in [Ok(0), Err(reset())] {
            let interrupted = Err(io::ErrorKind::Interrupted.into());
            let mut holder = Scripted(vec![Ok(1), interrupted, last]);
            wait_for_end(&mut holder);
            assert!(holder.0.is_empty());
        }
    }
}
