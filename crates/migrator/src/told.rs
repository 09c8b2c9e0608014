//! What a waiter has said about whom it waits for, so that it says it once, again when someone else
//! holds the lock, and now and then while it takes long. Pure but for the clock.

use std::time::{Duration, Instant};

use sysndd_protocol::Level;

use crate::holder::Holder;

/// What was said so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    last: Option<(Holder, Instant)>,
    /// A connection of which nothing could be seen.
    unseen: Option<u32>,
}

impl Told {
    /// Whether this holder must be looked at.
    pub(crate) fn wants(&self, connection: u32, every: Duration) -> bool {
        self.last
            .as_ref()
            .is_none_or(|(holder, at)| holder.connection != connection || at.elapsed() >= every)
    }

    /// Takes note of a holder; what there is to say.
    pub(crate) fn say(&mut self, holder: Holder, every: Duration) -> Option<(Level, String)> {
        if holder.is_unseen() && self.unseen.replace(holder.connection) != Some(holder.connection) {
            // Most likely it ended in this moment, and the next look sees who comes after it.
            return None;
        }
        let (known, due, at) = match &self.last {
            Some((before, at)) => (before.is_same_as(&holder), at.elapsed() >= every, *at),
            None => (false, false, Instant::now()),
        };
        let said = match (known, due) {
            (false, _) => Some((Level::Info, holder.to_string())),
            (true, true) => Some((Level::Warn, holder.to_string())),
            (true, false) => None,
        };
        let at = if said.is_some() { Instant::now() } else { at };
        self.last = Some((holder, at));
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1000);

    fn holder(connection: u32, replica: &str) -> Holder {
        Holder {
            replica: Some(replica.to_owned()),
            ..Holder::unnamed(connection)
        }
    }

    #[test]
    fn a_holder_is_told_once_and_another_at_once() {
        let mut told = Told::default();
        assert!(told.wants(1, LONG));
        assert!(told.say(holder(1, "a"), LONG).is_some());
        assert!(!told.wants(1, LONG));
        assert!(told.wants(2, LONG));
        // The same applier on its next session.
        assert_eq!(told.say(holder(2, "a"), LONG), None);
        assert!(told.say(holder(3, "b"), LONG).is_some());
    }

    #[test]
    fn a_long_wait_is_told_again() {
        let mut told = Told::default();
        told.say(holder(1, "a"), LONG);
        assert!(told.wants(1, Duration::ZERO));
        let again = told.say(holder(1, "a"), Duration::ZERO);
        assert!(matches!(again, Some((Level::Warn, _))));
    }

    #[test]
    fn a_connection_that_just_ended_is_not_told() {
        let mut told = Told::default();
        assert_eq!(told.say(Holder::unnamed(1), LONG), None);
        assert!(told.wants(1, LONG));
        // It is still there: another user's, of which nothing can be seen.
        assert!(told.say(Holder::unnamed(1), LONG).is_some());
    }
}
