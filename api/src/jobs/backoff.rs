//! How long a job waits after it failed.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(20);

/// Twice as long each time, and never quite as long as another's: `chance` spreads over a
/// quarter, so that jobs that failed together do not all come back together.
pub(super) fn backoff(attempt: u16, chance: u32) -> Duration {
    let doublings = u32::from(attempt.saturating_sub(1)).min(16);
    let pause = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    pause.mul_f64(0.75 + 0.25 * f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_a_bound_and_is_spread() {
        let longest = |attempt| backoff(attempt, u32::MAX).as_secs();
        assert_eq!([1, 2, 3, 4].map(longest), [2, 4, 8, 16]);
        assert_eq!(longest(u16::MAX), LONGEST.as_secs());
        assert_eq!(backoff(1, 0), Duration::from_millis(1_500));
        assert!(backoff(5, 7) < backoff(5, u32::MAX));
    }

    #[test]
    fn a_letter_is_tried_for_about_two_hours() {
        let all: Duration = (1..18).map(|attempt| backoff(attempt, u32::MAX / 2)).sum();
        assert!((7_000..10_000).contains(&all.as_secs()), "{all:?}");
    }
}
