//! A command's turn, with the patience to wait for it.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::{
    config,
    error::Error,
    exit::Exit,
    release::{self, LockError, LockStatus, Turn, TurnError},
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
    /// Until when.
    pub(super) fn deadline(self) -> Option<Instant> {
        Instant::now().checked_add(self.wait?)
    }
}

impl Session {
    /// For commands that go by what runs: it is not to be told before another's turn has ended. Without
    /// `--wait` it does nothing.
    pub(super) async fn wait_for_lock(&self) -> Result<(), Error> {
        let project = &self.stack.project;
        let mut is_told = false;
        while self.wait_until.is_some() {
            let LockStatus::Held(holder) = release::lock_status(&self.engine, project).await?
            else {
                break;
            };
            let held = LockError::Held {
                project: project.clone(),
                holder: Box::new(holder),
            };
            self.patience(held, &mut is_told)?;
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Our turn, with `image` for its helpers; `command` is what the operator typed.
    pub(super) async fn turn(
        &self,
        image: &str,
        command: &str,
        interrupt: &CancellationToken,
    ) -> Result<Turn, Error> {
        let mut is_told = false;
        loop {
            let held = match Turn::take(&self.engine, &self.stack, image, command).await {
                Err(TurnError::Lock(held @ LockError::Held { .. })) => held,
                turn => return Ok(turn?),
            };
            self.patience(held, &mut is_told)?;
            tokio::select! {
                () = sleep(LOOK_AGAIN) => {}
                () = interrupt.cancelled() => {
                    let stopped = "interrupted while waiting for the deploy lock: nothing was touched";
                    return Err(Error::new(Exit::Interrupted, stopped));
                }
            }
        }
    }

    /// Says once that it waits; an error when it has waited long enough.
    fn patience(&self, held: LockError, is_told: &mut bool) -> Result<(), Error> {
        if self.wait_until.is_none_or(|until| Instant::now() >= until) {
            return Err(held.into());
        }
        if !*is_told {
            self.printer.note(format!("{held}; waiting for it"));
            *is_told = true;
        }
        Ok(())
    }
}
