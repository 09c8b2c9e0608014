//! What is disturbed in each round, by whose death, and when. Pure.

use std::{fmt, time::Duration};

use crate::drill::random::Random;

/// What is under way when somebody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    /// A backup is made.
    Dump,
    /// A backup is brought back.
    Restore,
    /// The same, and death comes only when the tables are about to change places.
    Exchange,
}

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Victim {
    /// The replica that does it.
    Api,
    Database,
    /// Where copies of backups go.
    Storage,
}

impl Deed {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Dump => "a backup",
            Self::Restore => "a restore",
            Self::Exchange => "the exchange and what follows",
        }
    }

    /// The job that does it.
    pub(super) fn job(self) -> &'static str {
        match self {
            Self::Dump => "backup.create",
            Self::Restore | Self::Exchange => "backup.restore",
        }
    }
}

impl Victim {
    pub(super) const ALL: [Self; 3] = [Self::Api, Self::Database, Self::Storage];

    /// Its name in the stack.
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Database => "db",
            Self::Storage => "minio",
        }
    }
}

/// What is disturbed by whom; the first three, which are all that a small drill has, differ in everything.
const KINDS: [(Deed, Victim); 7] = [
    (Deed::Exchange, Victim::Api),
    (Deed::Restore, Victim::Database),
    (Deed::Dump, Victim::Api),
    (Deed::Exchange, Victim::Database),
    (Deed::Restore, Victim::Api),
    (Deed::Dump, Victim::Database),
    // Copies are made after the backup. No restore asks the storage.
    (Deed::Dump, Victim::Storage),
];

/// How long each takes when nobody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calm {
    pub(super) dump: Duration,
    pub(super) restore: Duration,
    /// From the moment when the exchange is announced.
    pub(super) exchange: Duration,
    /// Until a copy of a new backup is in the storage as well; the same as `dump` without one.
    pub(super) copy: Duration,
}

/// One round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) deed: Deed,
    pub(super) victim: Victim,
    /// Since the deed began, or since the exchange was announced.
    pub(super) delay: Duration,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (deed, service) = (self.deed.title(), self.victim.service());
        let at = self.delay.as_millis();
        write!(f, "{service} dies {at} ms into {deed}")
    }
}

/// So many rounds, in turn of each kind whose victim is there.
pub(super) fn tasks(runs: usize, there: &[Victim], calm: Calm, random: &mut Random) -> Vec<Task> {
    let kinds = KINDS.iter().filter(|(_, victim)| there.contains(victim));
    let task = |(deed, victim): &(Deed, Victim)| {
        let window = match (deed, victim) {
            (_, Victim::Storage) => calm.copy,
            (Deed::Dump, _) => calm.dump,
            (Deed::Restore, _) => calm.restore,
            (Deed::Exchange, _) => calm.exchange,
        };
        Task {
            deed: *deed,
            victim: *victim,
            delay: random.time(window),
        }
    };
    kinds.cycle().take(runs).map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Calm = Calm {
        dump: Duration::from_millis(100),
        restore: Duration::from_millis(900),
        exchange: Duration::from_millis(50),
        copy: Duration::from_millis(300),
    };

    #[test]
    fn each_kind_has_its_turn_and_its_own_stretch_of_time() {
        let tasks = tasks(70, &Victim::ALL, CALM, &mut Random::of(7, "delays"));
        for (deed, victim) in KINDS {
            let of: Vec<&Task> = tasks
                .iter()
                .filter(|task| (task.deed, task.victim) == (deed, victim))
                .collect();
            assert_eq!(of.len(), 10, "{deed:?} {victim:?}");
            let window = match (deed, victim) {
                (_, Victim::Storage) => CALM.copy,
                (Deed::Dump, _) => CALM.dump,
                (Deed::Restore, _) => CALM.restore,
                (Deed::Exchange, _) => CALM.exchange,
            };
            assert!(of.iter().all(|task| task.delay < window), "{of:?}");
            let longest = of.iter().map(|task| task.delay).max().expect("some");
            assert!(longest > window / 3, "{longest:?} of {window:?}");
        }
    }

    #[test]
    fn who_is_not_there_does_not_die_and_the_first_rounds_have_all_deeds() {
        let there = [Victim::Api, Victim::Database];
        let tasks = tasks(6, &there, CALM, &mut Random::of(7, "delays"));
        assert!(tasks.iter().all(|task| task.victim != Victim::Storage));
        let mut deeds: Vec<Deed> = tasks[..3].iter().map(|task| task.deed).collect();
        deeds.sort_unstable();
        assert_eq!(deeds, [Deed::Dump, Deed::Restore, Deed::Exchange]);
        assert!(tasks[..3].iter().any(|task| task.victim == Victim::Api));
        assert!(
            tasks[..3]
                .iter()
                .any(|task| task.victim == Victim::Database)
        );
    }
}
