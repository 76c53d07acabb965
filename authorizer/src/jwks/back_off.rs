//! How long to wait after a failure: doubling, bounded, and not in step with other processes.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use super::limits::KeySettings;

/// The jitter lengthens a wait by less than this fraction of it.
const JITTER_DIVISOR: u32 = 4;

/// The waits of one process.
///
/// Sandboxes that start in the same second, as in a cold-start storm, fail in the same second; without jitter those under
/// steady load would return in step, as one wave against an issuer that is trying to recover. The jitter only lengthens,
/// so that the stated back-off stays a lower bound, and it is a function of a seed and the count of failures: one process
/// can be replayed, and no random source is read while the issuer is down.
#[derive(Debug, Clone, Copy)]
pub(super) struct BackOff {
    min: Duration,
    max: Duration,
    seed: u64,
}

impl BackOff {
    pub(super) fn new(settings: &KeySettings) -> BackOff {
        BackOff {
            min: settings.back_off_min,
            max: settings.back_off_max,
            // The standard library's hash keys are the random numbers that are at hand without a dependency.
            seed: settings
                .jitter_seed
                .unwrap_or_else(|| RandomState::new().hash_one(0)),
        }
    }

    /// Time from the start of the last of `failures` failed fetches in a row to the next fetch.
    pub(super) fn wait(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let wait = self.min.saturating_mul(1 << doublings).min(self.max);
        let share = splitmix64(self.seed ^ u64::from(failures)) % 1_024;
        let share = u32::try_from(share).expect("a remainder of 1,024 fits");
        wait + wait / JITTER_DIVISOR / 1_024 * share
    }
}

/// Spreads neighbouring seeds (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn splitmix64(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeded(seed: u64) -> BackOff {
        BackOff::new(&KeySettings {
            jitter_seed: Some(seed),
            ..KeySettings::default()
        })
    }

    #[test]
    fn waits_double_up_to_the_maximum_and_the_jitter_only_lengthens() {
        for seed in 0..1_000 {
            let back_off = seeded(seed);
            for (failures, base_s) in [(0, 1), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (99, 30)] {
                let base = Duration::from_secs(base_s);
                let wait = back_off.wait(failures);
                assert!(wait >= base, "{wait:?}");
                assert!(wait < base + base / JITTER_DIVISOR, "{wait:?}");
            }
        }
    }

    #[test]
    fn one_seed_repeats_itself_and_two_differ() {
        assert_eq!(seeded(1).wait(3), seeded(1).wait(3));
        let waits: std::collections::HashSet<_> =
            (0..100).map(|seed| seeded(seed).wait(3)).collect();
        assert!(waits.len() > 80, "{}", waits.len());
    }
}
