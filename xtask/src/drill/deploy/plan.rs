//! Which runs are killed, when, and what is called next. Pure.

use std::{fmt, time::Duration};

use super::Random;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// `up` of a changed release
    Up,
    /// `rollback` to the release before
    Rollback,
    /// `up` of a release that cannot start, and its way back
    Broken,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Up, Self::Rollback, Self::Broken];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Rollback => "rollback",
            Self::Broken => "up that fails",
        }
    }
}

/// When it is killed.
#[derive(Debug, Clone)]
pub(super) enum When {
    /// So long after its start.
    After(Duration),
    /// By itself, at a named point.
    At(String),
}

/// What the operator calls next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The same command again.
    Same,
    /// Looks first.
    StatusThenSame,
    PlanThenSame,
    /// The command that goes the other way.
    Other,
}

/// One round.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) kind: Kind,
    pub(super) when: When,
    pub(super) next: Next,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, killed ", self.kind.title())?;
        match &self.when {
            When::After(time) => write!(f, "after {} ms", time.as_millis())?,
            When::At(point) => write!(f, "at `{point}`")?,
        }
        write!(f, ", then {:?}", self.next)
    }
}

fn next(number: usize) -> Next {
    [
        Next::Same,
        Next::Other,
        Next::StatusThenSame,
        Next::PlanThenSame,
    ][number % 4]
}

/// Each point once. Of operations that differ only in their number, as those of four replicas do,
/// the first and the last.
pub(super) fn named(kind: Kind, points: &[String]) -> Vec<Task> {
    let sorts: Vec<String> = points.iter().map(|point| sort(point)).collect();
    let is_first_or_last = |number: usize| {
        let of_sort = |other: &String| *other == sorts[number];
        sorts.iter().position(of_sort) == Some(number)
            || sorts.iter().rposition(of_sort) == Some(number)
    };
    let chosen = points.iter().enumerate();
    let chosen = chosen.filter(|(number, _)| is_first_or_last(*number));
    let task = |(number, (_, point)): (usize, (usize, &String))| Task {
        kind,
        when: When::At(point.clone()),
        next: next(number),
    };
    chosen.enumerate().map(task).collect()
}

/// `stop 21/33 begins` → `stop /33 begins`: the total tells the way forward from the way back.
fn sort(point: &str) -> String {
    let words = point.split(' ').map(|word| match word.split_once('/') {
        Some((_, total)) => format!("/{total}"),
        None if word.parse::<u32>().is_ok() => String::new(),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// So many kills within the time that it usually takes.
pub(super) fn random(kind: Kind, count: usize, usual: Duration, seed: u64) -> Vec<Task> {
    let mut random = Random::of(seed, kind.title());
    let task = |number| Task {
        kind,
        when: When::After(random.time(usual)),
        next: next(number),
    };
    (0..count).map(task).collect()
}

/// Leaves so many of each sort.
pub(super) fn thin(
    tasks: &mut Vec<Task>,
    moments: usize,
    points: Option<usize>,
    random: &mut Random,
) {
    let is_named = |task: &Task| matches!(task.when, When::At(_));
    let (mut named, mut other): (Vec<Task>, Vec<Task>) = tasks.drain(..).partition(is_named);
    // One kind after another may have been rounded up.
    while other.len() > moments {
        drop_one(&mut other, random);
    }
    while points.is_some_and(|points| named.len() > points) {
        drop_one(&mut named, random);
    }
    tasks.extend(other);
    tasks.extend(named);
}

fn drop_one(tasks: &mut Vec<Task>, random: &mut Random) {
    let count = u64::try_from(tasks.len()).unwrap_or(u64::MAX);
    if let Ok(index) = usize::try_from(random.below(count)) {
        tasks.remove(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_points_that_differ_in_a_number_the_first_and_the_last_are_taken() {
        let points = [
            "the lock is taken",
            "stop 1/9 begins",
            "stop 2/9 begins",
            "stop 3/9 begins",
            "stop 1/9 has ended",
            "stop 1/4 begins",
            "record 1 is written",
            "record 2 is written",
            "record 3 is written",
        ];
        let points: Vec<String> = points.map(str::to_owned).to_vec();
        let tasks = named(Kind::Up, &points);
        let chosen: Vec<String> = tasks
            .into_iter()
            .map(|task| match task.when {
                When::At(point) => point,
                When::After(time) => format!("{time:?}"),
            })
            .collect();
        let expected = [0, 1, 3, 4, 5, 6, 8].map(|index: usize| points[index].clone());
        assert_eq!(chosen, expected);
    }

    #[test]
    fn so_many_of_each_sort_are_left() {
        let points: Vec<String> = (b'a'..=b't')
            .map(|letter| format!("point {}", char::from(letter)))
            .collect();
        let mut tasks = Vec::new();
        for kind in Kind::ALL {
            tasks.extend(named(kind, &points));
            tasks.extend(self::random(kind, 4, Duration::from_secs(2), 7));
        }
        thin(&mut tasks, 10, Some(5), &mut Random::of(7, "choice"));
        let named = |task: &&Task| matches!(task.when, When::At(_));
        assert_eq!(tasks.iter().filter(named).count(), 5);
        assert_eq!(tasks.len(), 15);
    }
}
