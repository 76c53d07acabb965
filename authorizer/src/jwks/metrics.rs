//! Counts of what the cache did, for a metrics line that somebody else writes.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a cache did since it was made. Every number only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyMetrics {
    /// Fetches that were given up because the clock says that they began long ago: the process was frozen under them.
    pub abandoned: u64,
    /// Fetches that failed.
    pub failures: u64,
    /// Fetches that were started, of any cause and outcome.
    pub fetches: u64,
    /// Answers `304 Not Modified`.
    pub not_modified: u64,
    /// Times that a key was handed out beyond the maximum age of its set, because the issuer could not be reached.
    pub stale_uses: u64,
    /// Those of the fetches that an unknown `kid` caused.
    pub unknown_kid_fetches: u64,
}

impl std::iter::Sum for KeyMetrics {
    fn sum<I: Iterator<Item = KeyMetrics>>(metrics: I) -> KeyMetrics {
        metrics.fold(KeyMetrics::default(), |sum, next| KeyMetrics {
            abandoned: sum.abandoned + next.abandoned,
            failures: sum.failures + next.failures,
            fetches: sum.fetches + next.fetches,
            not_modified: sum.not_modified + next.not_modified,
            stale_uses: sum.stale_uses + next.stale_uses,
            unknown_kid_fetches: sum.unknown_kid_fetches + next.unknown_kid_fetches,
        })
    }
}

impl KeyMetrics {
    /// What was done since an earlier reading.
    pub(crate) fn since(self, earlier: KeyMetrics) -> KeyMetrics {
        KeyMetrics {
            abandoned: self.abandoned.saturating_sub(earlier.abandoned),
            failures: self.failures.saturating_sub(earlier.failures),
            fetches: self.fetches.saturating_sub(earlier.fetches),
            not_modified: self.not_modified.saturating_sub(earlier.not_modified),
            stale_uses: self.stale_uses.saturating_sub(earlier.stale_uses),
            unknown_kid_fetches: self
                .unknown_kid_fetches
                .saturating_sub(earlier.unknown_kid_fetches),
        }
    }
}

/// The counters behind [`KeyMetrics`]. They order nothing, so relaxed operations are enough.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) abandoned: Counter,
    pub(super) failures: Counter,
    pub(super) fetches: Counter,
    pub(super) not_modified: Counter,
    pub(super) stale_uses: Counter,
    pub(super) unknown_kid_fetches: Counter,
}

impl Counters {
    pub(super) fn snapshot(&self) -> KeyMetrics {
        KeyMetrics {
            abandoned: self.abandoned.value(),
            failures: self.failures.value(),
            fetches: self.fetches.value(),
            not_modified: self.not_modified.value(),
            stale_uses: self.stale_uses.value(),
            unknown_kid_fetches: self.unknown_kid_fetches.value(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
