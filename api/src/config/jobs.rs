//! Background jobs: how many run here at a time, and when one counts as abandoned.

use std::time::Duration;

use super::Source;
use super::source::{count, duration};

const DEFAULT_WORKERS: usize = 2;
const DEFAULT_LEASE: Duration = Duration::from_secs(30);
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const DEFAULT_RETENTION: Duration = Duration::from_hours(30 * 24);

/// The job settings.
#[derive(Debug, Clone)]
pub(crate) struct Jobs {
    /// `SYSNDD_WORKERS`: how many jobs this replica runs at a time.
    pub(crate) workers: usize,
    /// `SYSNDD_JOB_LEASE`: how long after the last sign of its worker a job is given to another.
    pub(crate) lease: Duration,
    /// `SYSNDD_JOB_RETENTION`: how long finished jobs are kept.
    pub(crate) retention: Duration,
    /// `SYSNDD_DRILL`: whether the jobs of the drill are run here.
    pub(crate) drill: bool,
}

impl Jobs {
    pub(crate) fn read(source: &mut Source) -> Self {
        let lease = source.value("SYSNDD_JOB_LEASE", DEFAULT_LEASE, duration);
        if lease < SHORTEST_LEASE {
            source.fault("SYSNDD_JOB_LEASE", "must not be shorter than 1s");
        }
        Self {
            workers: source.value("SYSNDD_WORKERS", DEFAULT_WORKERS, count(0..=100)),
            lease,
            retention: source.value("SYSNDD_JOB_RETENTION", DEFAULT_RETENTION, duration),
            drill: source.value("SYSNDD_DRILL", false, |text| match text {
                "jobs" => Ok(true),
                _ => Err("must be jobs, or not be set".to_owned()),
            }),
        }
    }
}
