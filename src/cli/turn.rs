//! A command's turn, with the patience to wait for it.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::{
    config,
    error::Error,
    exit::Exit,
    release::{LockError, Turn, TurnError},
};

/// How often it is looked whether the lock is free.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The option of commands that take the deploy lock.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Wait {
    /// While someone else holds the deploy lock, wait for so long: 90s, 10m; by default not at all
    #[arg(long, value_name = "DURATION", value_parser = config::duration)]
    wait: Option<Duration>,
}

impl Wait {
    pub(super) fn duration(self) -> Duration {
        self.wait.unwrap_or_default()
    }
}

impl Session {
    /// Our turn, with `image` for its helpers; `command` is what the operator typed.
    pub(super) async fn turn(
        &self,
        image: &str,
        command: &str,
        interrupt: &CancellationToken,
    ) -> Result<Turn, Error> {
        let began = Instant::now();
        let mut is_told = false;
        loop {
            let held = match Turn::take(&self.engine, &self.stack, image, command).await {
                Err(TurnError::Lock(held @ LockError::Held { .. })) => held,
                turn => return Ok(turn?),
            };
            if began.elapsed() >= self.wait {
                return Err(held.into());
            }
            if !is_told {
                self.printer.note(format!("{held}; waiting for it"));
                is_told = true;
            }
            tokio::select! {
                () = sleep(LOOK_AGAIN) => {}
                () = interrupt.cancelled() => {
                    let stopped = "interrupted while waiting for the deploy lock: nothing was touched";
                    return Err(Error::new(Exit::Interrupted, stopped));
                }
            }
        }
    }
}
