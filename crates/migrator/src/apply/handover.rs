//! Changing to a fresh session in the middle of a pass.

use std::time::{Duration, Instant};

use super::Applier;
use crate::error::MigrateError;
use crate::point::Point;
use crate::session::close;

/// How long taking over the other key may take. Only a starter that looks, or a session that is
/// just ending, can have it.
const KEY_PATIENCE: Duration = Duration::from_secs(10);
const KEY_RETRY: Duration = Duration::from_millis(20);

impl Applier<'_> {
    /// Changes to a fresh session without ever being without the lock (see `lock`).
    pub(super) async fn renew(&mut self) -> Result<(), MigrateError> {
        let mut fresh = self.dialer.connect().await?;
        self.dialer.prepare(&mut fresh).await?;
        let (keys, old_key, new_key) = (self.keys, self.key, self.key.other());
        let deadline = Instant::now() + KEY_PATIENCE;
        while !self
            .dialer
            .bounded("taking the lock over", keys.take(&mut fresh, new_key))
            .await?
        {
            if Instant::now() > deadline {
                return Err(MigrateError::Lost {
                    reason: "the lock could not be taken over to a new session".to_owned(),
                });
            }
            tokio::time::sleep(KEY_RETRY).await;
        }
        self.events.reached(Point::SessionChanged);
        // Only a session that still has its key now had it all the time.
        if !self
            .dialer
            .bounded("looking after the lock", keys.has(&mut self.conn, old_key))
            .await?
        {
            return Err(MigrateError::Lost {
                reason: "the session no longer held the migration lock".to_owned(),
            });
        }
        self.key = new_key;
        close(std::mem::replace(&mut self.conn, fresh));
        Ok(())
    }
}
