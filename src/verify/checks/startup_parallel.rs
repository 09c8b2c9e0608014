//! `startup.parallel`: the replicas of a service were started at the same time, not one after
//! another. Says by how much, in numbers.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::{
    config::ServiceName,
    release::StartCall,
    verify::{Check, Context, Outcome, ReplicaEvidence, Suite},
};

pub(super) const CHECK: Check = Check {
    id: "startup.parallel",
    suite: Suite::Startup,
    requirements: &["TEST-02", "DEPLOY-03"],
    expected: "replicas that were brought up together were all asked to start before the engine had answered for one; without a record of that, all are starting at one moment, or start within verify.start_spread for every four of them, and within three quarters of it where each had to wait for the one before",
    strains: false,
    run: |context| Box::pin(async { check(context) }),
};

/// From the engine's start to the replica's own word that it is ready.
#[derive(Debug, Clone, Copy)]
struct Interval {
    started: DateTime<Utc>,
    ready: DateTime<Utc>,
}

impl Interval {
    fn length(&self) -> TimeDelta {
        self.ready - self.started
    }
}

#[derive(Debug, Serialize)]
struct Numbers {
    service: ServiceName,
    replicas: usize,
    /// Between the first and the last start.
    spread_ms: i64,
    /// How long all of them were starting at once; negative when the first was ready before the
    /// last was started, which an engine that starts slowly and a quick replica bring about.
    overlap_ms: i64,
    /// Most replicas that were starting at one moment; 1 is one after another.
    at_once: usize,
}

fn check(context: &Context<'_>) -> Outcome {
    let for_four = TimeDelta::from_std(context.stack.verify.start_spread).unwrap_or(TimeDelta::MAX);
    let (mut faults, mut all, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for service in context
        .stack
        .services
        .values()
        .filter(|service| service.replicas > 1)
    {
        let mut replicas = context.evidence.of(&service.name);
        if replicas.any(|evidence| evidence.replica.is_of_compose()) {
            unknown.push(format!(
                "{}: Docker Compose decided when its replicas were started",
                service.name
            ));
            continue;
        }
        for batch in batches(context.evidence.of(&service.name)) {
            let intervals: Vec<Interval> = batch.iter().filter_map(|e| interval(e)).collect();
            if intervals.len() < batch.len() {
                unknown.push(format!(
                    "{}: {} of {} told when they were ready",
                    service.name,
                    intervals.len(),
                    batch.len()
                ));
            }
            let Some((spread, overlap)) = measure(&intervals) else {
                continue;
            };
            let limit = limit(for_four, intervals.len());
            let numbers = Numbers {
                service: service.name.clone(),
                replicas: intervals.len(),
                spread_ms: spread.num_milliseconds(),
                overlap_ms: overlap.num_milliseconds(),
                at_once: at_once(&intervals),
            };
            // A busy engine alone can spread quick start-ups over a part of the limit.
            let waited = spread * 4 > limit * 3
                && numbers.at_once < 2
                && waiting_explains(spread, &intervals);
            let calls: Option<Vec<StartCall>> = batch.iter().map(|e| e.start_call).collect();
            let apart = overlap <= TimeDelta::zero() && (spread > limit || waited);
            // What was asked for at one moment is parallel, however long a busy engine took.
            if calls.map_or(apart, |calls| !asked_at_once(&calls)) {
                faults.push(describe(&numbers));
            }
            all.push(numbers);
        }
    }
    if all.is_empty() {
        let why = if unknown.is_empty() {
            "no service has several replicas that were brought up together and not restarted one by one since".into()
        } else {
            unknown.join("; ")
        };
        return Outcome::skip(why);
    }
    faults.extend(unknown);
    let text: Vec<String> = all.iter().map(describe).collect();
    Outcome::judge(&faults, text.join("; ")).with(all)
}

/// An engine takes its time for every start, so more of them may be further apart.
fn limit(for_four: TimeDelta, replicas: usize) -> TimeDelta {
    let fours = i32::try_from(replicas.div_ceil(4)).unwrap_or(i32::MAX);
    for_four.checked_mul(fours).unwrap_or(TimeDelta::MAX)
}

/// Whether all were asked for before the engine had answered the first.
fn asked_at_once(calls: &[StartCall]) -> bool {
    let last_request = calls.iter().map(|call| call.requested).max();
    let first_answer = calls.iter().map(|call| call.answered).min();
    last_request <= first_answer
}

fn describe(numbers: &Numbers) -> String {
    format!(
        "{}: {} replicas, starts spread over {} ms, up to {} starting at one moment, all at once for {} ms",
        numbers.service, numbers.replicas, numbers.spread_ms, numbers.at_once, numbers.overlap_ms
    )
}

/// Replicas that one run brought up: later ones (after `--replicas 8`, say) are a batch of their own.
fn batches<'a>(
    replicas: impl Iterator<Item = &'a ReplicaEvidence>,
) -> Vec<Vec<&'a ReplicaEvidence>> {
    let mut batches: Vec<(&str, Vec<&ReplicaEvidence>)> = Vec::new();
    for replica in replicas.filter(|evidence| evidence.replica.is_running()) {
        let run = replica.replica.run.as_str();
        match batches.iter_mut().find(|(of, _)| *of == run) {
            Some((_, batch)) => batch.push(replica),
            None => batches.push((run, vec![replica])),
        }
    }
    let batches = batches.into_iter().map(|(_, batch)| first_lives(batch));
    batches.filter(|batch| batch.len() > 1).collect()
}

/// A replica that ended and was started again says nothing about how the batch was brought up. Only
/// where all were started again is that what is judged; not where an operator asked for it, since
/// `restart` goes one by one.
fn first_lives(batch: Vec<&ReplicaEvidence>) -> Vec<&ReplicaEvidence> {
    let first: Vec<&ReplicaEvidence> = batch
        .iter()
        .copied()
        .filter(|evidence| evidence.lives() < 2)
        .collect();
    if !first.is_empty() {
        return first;
    }
    let by_themselves = batch.into_iter().filter(|evidence| !evidence.was_restarted);
    by_themselves.collect()
}

fn interval(evidence: &ReplicaEvidence) -> Option<Interval> {
    Some(Interval {
        started: evidence.replica.started_at?,
        ready: evidence.ready_at()?,
    })
}

/// Whether the time between the starts went into waiting for replicas to be ready. A replica that is
/// ready within milliseconds is so before an engine has started the next, however it was asked to:
/// then only the spread says something.
fn waiting_explains(spread: TimeDelta, intervals: &[Interval]) -> bool {
    let last = intervals.iter().max_by_key(|interval| interval.started);
    let all: TimeDelta = intervals.iter().map(Interval::length).sum();
    last.is_some_and(|last| (all - last.length()) * 2 >= spread)
}

/// Spread of the starts, and length of the moment that all intervals share.
fn measure(intervals: &[Interval]) -> Option<(TimeDelta, TimeDelta)> {
    let first = intervals.iter().map(|interval| interval.started).min()?;
    let last = intervals.iter().map(|interval| interval.started).max()?;
    let first_ready = intervals.iter().map(|interval| interval.ready).min()?;
    (intervals.len() > 1).then_some((last - first, first_ready - last))
}

/// Most intervals that share one moment. The fullest moment is always the start of one.
fn at_once(intervals: &[Interval]) -> usize {
    let starting = |moment| {
        intervals
            .iter()
            .filter(|i| i.started <= moment && moment < i.ready)
            .count()
    };
    intervals
        .iter()
        .map(|interval| starting(interval.started))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(started: i64, ready: i64) -> Interval {
        let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
        Interval {
            started: at(started),
            ready: at(ready),
        }
    }

    fn measured(intervals: &[Interval]) -> (i64, i64) {
        let (spread, overlap) = measure(intervals).unwrap();
        (spread.num_milliseconds(), overlap.num_milliseconds())
    }

    #[test]
    fn starts_at_the_same_time_overlap() {
        assert_eq!(
            measured(&[interval(0, 900), interval(100, 800), interval(250, 950)]),
            (250, 550)
        );
    }

    #[test]
    fn one_after_another_do_not() {
        assert_eq!(
            measured(&[interval(0, 400), interval(500, 900)]),
            (500, -100)
        );
    }

    #[test]
    fn an_engine_that_is_slower_than_its_replicas_is_no_waiting() {
        let explained =
            |intervals: &[Interval]| waiting_explains(measure(intervals).unwrap().0, intervals);
        assert!(!explained(&[
            interval(0, 8),
            interval(90, 98),
            interval(180, 290)
        ]));
        assert!(explained(&[
            interval(0, 400),
            interval(500, 900),
            interval(1000, 1400)
        ]));
    }

    #[test]
    fn one_after_another_is_never_two_at_once_however_quick() {
        assert_eq!(
            at_once(&[interval(0, 10), interval(10, 20), interval(25, 30)]),
            1
        );
        // An engine that needs 150 ms for each start, replicas that are ready after 200 ms.
        assert_eq!(
            at_once(&[interval(0, 200), interval(150, 350), interval(300, 500)]),
            2
        );
        assert_eq!(
            at_once(&[interval(0, 900), interval(100, 800), interval(250, 950)]),
            3
        );
    }

    #[test]
    fn more_replicas_may_be_further_apart() {
        let seconds = |replicas| limit(TimeDelta::seconds(2), replicas).num_seconds();
        assert_eq!([2, 4, 5, 16].map(seconds), [2, 2, 4, 8]);
    }

    #[test]
    fn starts_are_parallel_when_all_were_asked_for_before_one_was_answered() {
        let calls = |calls: &[(i64, i64)]| -> Vec<StartCall> {
            let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
            let call = |(requested, answered): &(i64, i64)| StartCall {
                requested: at(*requested),
                answered: at(*answered),
            };
            calls.iter().map(call).collect()
        };
        assert!(asked_at_once(&calls(&[(0, 900), (3, 400), (5, 2000)])));
        assert!(!asked_at_once(&calls(&[(0, 90), (91, 180), (181, 270)])));
    }

    #[test]
    fn one_replica_has_nothing_to_overlap_with() {
        assert!(measure(&[interval(0, 1)]).is_none());
    }
}
