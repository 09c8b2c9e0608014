//! Tells the workers of this process that there may be something to do, before they would look.
//!
//! Whoever enqueues has a connection and need not know the application, so the bell hangs in the
//! process. Workers of other replicas find the job when they look, within a second.

use tokio::sync::Notify;

static BELL: Notify = Notify::const_new();

/// Rings. The job may not be committed yet: who hears it looks several times in short order.
pub(super) fn ring() {
    BELL.notify_one();
}

/// Waits for the next ring, or answers at once when there was one since the last wait.
pub(super) async fn rung() {
    BELL.notified().await;
}
