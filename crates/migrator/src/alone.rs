//! A connection that holds the migration lock for a decision of a person, outside of any start.

use mysql_async::Conn;

use crate::error::MigrateError;
use crate::holder::Holder;
use crate::lock::{Key, Keys};
use crate::session::{Dialer, close};

/// The lock, held. Whoever took it leaves it, whatever became of what was done under it: who tries
/// again at once must not meet the lock of this attempt.
pub(crate) struct Alone {
    pub(crate) conn: Conn,
    keys: Keys,
}

impl Alone {
    /// Takes the lock without waiting; else says who is at work.
    pub(crate) async fn take(dialer: &Dialer) -> Result<Result<Self, String>, MigrateError> {
        let mut conn = dialer.connect().await?;
        dialer.prepare(&mut conn).await?;
        let keys = Keys::of(dialer.database());
        if dialer
            .bounded("taking the lock", keys.begin(&mut conn))
            .await?
        {
            return Ok(Ok(Self { conn, keys }));
        }
        let holder = match keys.used_by(&mut conn).await? {
            Some(id) => Holder::of(&mut conn, id).await.to_string(),
            None => "someone".to_owned(),
        };
        Ok(Err(format!(
            "{holder} holds the migration lock and is at work"
        )))
    }

    pub(crate) async fn leave(mut self, dialer: &Dialer) -> Result<(), MigrateError> {
        let freed = dialer
            .bounded(
                "releasing the lock",
                self.keys.free(&mut self.conn, Key::Zero),
            )
            .await;
        close(self.conn);
        freed
    }
}
