//! Which rounds a drill has. Pure.

use sysndd_migrator::Point;

use super::{
    round::Round,
    scenario::{self, Decision, Facts, Terms},
};

/// Kinds of rounds, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Kind {
    /// Nothing happens: exactly one applies
    Calm,
    /// Killed at random moments, several in a row
    Kill,
    /// Killed by itself at each named point
    Point,
    /// A statement that cannot be resumed safely is cut short
    Doubt,
    /// The applier's connection is cut
    Cut,
    /// The applier hangs, and those that wait give up
    Hung,
    /// The applier hangs until the server gives it up
    Stale,
    /// The database is restarted in the middle of a file
    Restart,
    /// The database is still starting
    Starting,
}

impl Kind {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Calm => "undisturbed",
            Self::Kill => "killed at random moments",
            Self::Point => "killed at each named point",
            Self::Doubt => "an unguarded CALL cut short, then resolved",
            Self::Cut => "connection cut at a random moment",
            Self::Hung => "holder hung, waiters give up and name it",
            Self::Stale => "holder hung until it is replaced",
            Self::Restart => "database restarted or killed mid-file",
            Self::Starting => "database still starting",
        }
    }
}

/// Which files a round migrates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    Wide,
    Doubtful,
}

/// One round.
pub(super) struct Task {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Counted from 0 within the kind.
    number: usize,
    /// For [`Kind::Point`].
    fault: String,
}

impl Task {
    pub(super) fn set(&self) -> Set {
        if self.kind == Kind::Doubt {
            Set::Doubtful
        } else {
            Set::Wide
        }
    }

    /// Whether it stops the server, which the others need.
    pub(super) fn needs_the_server_alone(&self) -> bool {
        matches!(self.kind, Kind::Restart | Kind::Starting)
    }

    pub(super) fn play(&self, round: &mut Round<'_>, terms: &mut Terms) -> anyhow::Result<Facts> {
        let odd = self.number % 2 == 1;
        match self.kind {
            Kind::Calm => scenario::calm(round, terms),
            Kind::Kill => scenario::kills(round, terms),
            Kind::Point => scenario::point(round, terms, &self.fault),
            Kind::Doubt if odd => scenario::doubt(round, terms, Decision::Retry),
            Kind::Doubt => scenario::doubt(round, terms, Decision::Done),
            Kind::Cut => scenario::cut(round, terms),
            Kind::Hung => scenario::hung(round, terms),
            Kind::Stale => scenario::stale(round, terms),
            // The harder one first.
            Kind::Restart => scenario::restart(round, terms, !odd),
            Kind::Starting => scenario::starting(round, terms),
        }
    }
}

/// The rounds of a drill. With few, those that take long by nature are left out.
pub(super) fn tasks(runs: usize, only: &[Kind]) -> Vec<Task> {
    let tenth = runs.div_ceil(10);
    let large = runs >= 10;
    // Worth it in a large drill, or when asked for.
    let extra = |kind, count| {
        if large || only.contains(&kind) {
            count
        } else {
            0
        }
    };
    let counts = [
        (Kind::Stale, extra(Kind::Stale, 1)),
        (Kind::Hung, tenth),
        (Kind::Doubt, 2),
        // Every drill begins with one.
        (Kind::Calm, extra(Kind::Calm, tenth)),
        (Kind::Kill, runs),
        (Kind::Cut, tenth),
        (Kind::Restart, if large { tenth.max(2) } else { 1 }),
        (Kind::Starting, 1),
    ];
    let wanted = |kind: Kind| only.is_empty() || only.contains(&kind);
    let mut tasks: Vec<Task> = Vec::new();
    for (kind, count) in counts {
        let numbers = 0..if wanted(kind) { count } else { 0 };
        tasks.extend(numbers.map(|number| Task {
            name: format!("{kind:?}-{}", number + 1).to_lowercase(),
            kind,
            number,
            fault: String::new(),
        }));
    }
    if wanted(Kind::Point) {
        tasks.extend(Point::ALL.iter().enumerate().map(|(number, point)| Task {
            name: format!("point-{point}"),
            kind: Kind::Point,
            number,
            fault: format!("migrate.{point}"),
        }));
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_a_large_drill_and_only_what_is_asked_for_in_another() {
        let kinds = |runs, only: &[Kind]| {
            let mut kinds: Vec<Kind> = tasks(runs, only).iter().map(|task| task.kind).collect();
            kinds.dedup();
            kinds
        };
        assert_eq!(kinds(100, &[]).len(), 9);
        assert_eq!(kinds(3, &[Kind::Stale]), [Kind::Stale]);
    }

    #[test]
    fn names_of_rounds_are_names_of_databases() {
        let fits = |name: &str| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        for task in tasks(100, &[]) {
            assert!(fits(&task.name), "{}", task.name);
        }
    }
}
