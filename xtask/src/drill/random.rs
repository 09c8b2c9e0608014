//! Chance that can be repeated: everything random of a run comes from the seed and the run's name.

use std::time::{Duration, SystemTime};

/// A small generator (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(seed, |mixed, byte| {
            (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mixed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut next = self.0;
        next = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        next = (next ^ (next >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (next ^ (next >> 31)) % limit.max(1)
    }

    /// Between nothing and `limit`, to the millisecond.
    pub(crate) fn time(&mut self, limit: Duration) -> Duration {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.below(millis))
    }
}

/// Another one every time.
pub(crate) fn any_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(1, |since| u64::from(since.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_name_give_the_same_numbers_again() {
        let draw = |seed, name| {
            let mut random = Random::of(seed, name);
            [(); 4].map(|()| random.below(1000))
        };
        assert_eq!(draw(7, "kill 1"), draw(7, "kill 1"));
        assert_ne!(draw(7, "kill 1"), draw(7, "kill 2"));
        assert_ne!(draw(7, "kill 1"), draw(8, "kill 1"));
    }
}
