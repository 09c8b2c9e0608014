//! This terminal in the hands of a command in a container: what is typed goes there, what it prints
//! comes here, and its end is ours.

use std::{
    convert::Infallible,
    io::{IsTerminal as _, Read as _},
    process::ExitCode,
};

use futures::StreamExt as _;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{
    io::AsyncWriteExt as _,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use crate::{
    docker::{Conversation, Engine, EngineError, Partner, Piece},
    error::Error,
    exit::Exit,
    output::Printer,
};

/// Whether somebody sits in front of it.
pub(super) fn is_interactive() -> bool {
    isatty(std::io::stdin()) && std::io::stdout().is_terminal()
}

/// Goes on until the command ends; the answer is its exit code.
pub(super) async fn converse(
    engine: &Engine,
    printer: Printer,
    conversation: Conversation,
    tty: bool,
    interrupt: &CancellationToken,
) -> Result<ExitCode, Error> {
    let Conversation {
        with,
        mut input,
        mut output,
    } = conversation;
    // Taken back when this ends, however it does.
    let raw = tty.then(Raw::on).flatten();
    let typing = tokio::spawn(async move {
        let mut typed = typed();
        // The command may end before all is read; then nobody wants the rest.
        while let Some(bytes) = typed.recv().await {
            if input.write_all(&bytes).await.is_err() || input.flush().await.is_err() {
                return;
            }
        }
        let _ = input.shutdown().await;
    });
    let resizing = follow_size(engine, &with, tty);
    tokio::pin!(resizing);
    let ended = loop {
        tokio::select! {
            biased;
            piece = output.next() => match piece {
                Some(Ok(Piece::Out(bytes))) => printer.bytes(&bytes),
                Some(Ok(Piece::Err(bytes))) => printer.error_bytes(&bytes),
                Some(Err(error)) => break Err(Error::from(error)),
                None => break Ok(()),
            },
            () = interrupt.cancelled() => break Err(Error::new(Exit::Interrupted, "interrupted")),
            never = &mut resizing => match never {},
        }
    };
    typing.abort();
    drop(raw);
    ended?;
    let code = engine.exit_code(&with).await?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// What comes on standard input. A read of it cannot be called off, so it has a thread of its own,
/// which ends with the process.
fn typed() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = stdin.read(&mut buffer) {
            if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Keeps the far terminal as large as this one; never ends.
async fn follow_size(engine: &Engine, with: &Partner, tty: bool) -> Infallible {
    let changed = signal(SignalKind::window_change());
    if let (true, Ok(mut changed)) = (tty, changed) {
        loop {
            if let Err(error) = fit(engine, with).await {
                // It may have ended already; a terminal of another size is no reason to fail.
                tracing::debug!(%error, "the terminal keeps its size");
            }
            if changed.recv().await.is_none() {
                break;
            }
        }
    }
    std::future::pending().await
}

async fn fit(engine: &Engine, with: &Partner) -> Result<(), EngineError> {
    let Ok(size) = tcgetwinsize(std::io::stdout()) else {
        return Ok(());
    };
    engine.resize(with, size.ws_col, size.ws_row).await
}

/// The terminal hands on every key, Ctrl-C too.
struct Raw(Termios);

impl Raw {
    fn on() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
