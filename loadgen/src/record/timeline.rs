//! A phase second by second: what came out of the requests of each, and how long they took.
//!
//! Latency is kept in buckets that are a logarithmic scale made of integers: each doubling is cut into eight parts of equal
//! length, so that a value is at most 12.5 % off. The exact distributions are those of the series; these are for a picture.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Buckets to a doubling.
const BUCKETS_PER_OCTAVE: usize = 8;

/// The first bucket ends a little above 2^10 ns, which is a microsecond on this scale; shorter is in it, too.
const FIRST_OCTAVE: u32 = 10;

/// The last octave begins at 2^36 ns (69 s) and ends at 137 s, above every wait of the bench.
const LAST_OCTAVE: u32 = 36;

/// How many buckets there are.
pub const LATENCY_BUCKETS: usize = (LAST_OCTAVE - FIRST_OCTAVE + 1) as usize * BUCKETS_PER_OCTAVE;

/// The bucket of a latency.
pub fn latency_bucket(ns: u64) -> usize {
    let octave = ns.max(1).ilog2();
    if octave < FIRST_OCTAVE {
        return 0;
    }
    // The three bits below the highest one.
    let part = (ns >> (octave - 3)) & 7;
    let bucket = (octave - FIRST_OCTAVE) as usize * BUCKETS_PER_OCTAVE
        + usize::try_from(part).unwrap_or_default();
    bucket.min(LATENCY_BUCKETS - 1)
}

/// Where a bucket begins, in nanoseconds; it ends where the next one begins.
pub fn bucket_start_ns(bucket: usize) -> u64 {
    let (octave, part) = (bucket / BUCKETS_PER_OCTAVE, bucket % BUCKETS_PER_OCTAVE);
    ((BUCKETS_PER_OCTAVE + part) as u64) << (octave + FIRST_OCTAVE as usize - 3)
}

/// One second of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondRecord {
    /// Whole seconds since the phase began. A request belongs to the second in which it was due, in a closed loop to that in
    /// which it was sent; a second without any is not listed.
    pub second: u64,
    /// Requests answered with the decision that they had to get.
    pub right: u64,
    /// Requests answered with another decision.
    pub wrong: u64,
    /// Requests without a decision.
    pub lost: u64,
    /// Latency of the right answers at the 0.5 quantile in nanoseconds, as exact as the buckets are; 0 where there is none.
    pub p50_ns: u64,
    /// The same at the 0.99 quantile.
    pub p99_ns: u64,
    /// The longest latency of a right answer in nanoseconds, exact.
    pub max_ns: u64,
    /// Latency of the right answers: response time in an open loop, service time in a closed one.
    pub latency: LatencyCounts,
}

/// Latencies by bucket; those without any are left out. As text `57:3 58:120`, bucket and count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LatencyCounts {
    /// Rising by bucket, no count is 0.
    counts: Vec<(usize, u64)>,
}

/// Text that is no list of buckets.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no list of latency buckets such as \"57:3 58:120\", rising and below {LATENCY_BUCKETS}"
)]
pub struct LatencyCountsError(String);

impl LatencyCounts {
    /// From a count for each bucket.
    pub fn of_buckets(counts: impl IntoIterator<Item = u64>) -> Self {
        let counts = counts.into_iter().enumerate().take(LATENCY_BUCKETS);
        Self {
            counts: counts.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// The buckets that hold something, rising, each with its count.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> {
        self.counts.iter().copied()
    }

    /// How many latencies there are.
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// The latency at a quantile in nanoseconds: the middle of its bucket. `None` where there are none.
    pub fn value_at_quantile(&self, quantile: f64) -> Option<u64> {
        let found = self.bucket_at_quantile(quantile)?;
        Some(u64::midpoint(
            bucket_start_ns(found),
            bucket_start_ns(found + 1),
        ))
    }

    /// The bucket of a quantile; `None` where there is no sample beyond it.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a request count above 2^53 cannot be reached"
    )]
    pub fn bucket_at_supported_quantile(&self, quantile: f64) -> Option<usize> {
        let beyond = self.total() as f64 * (1.0 - quantile);
        // A hundredth of 100 is a little less than 1.
        let supported = beyond >= 1.0 - 1e-9;
        supported.then(|| self.bucket_at_quantile(quantile))?
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a request count above 2^53 cannot be reached"
    )]
    fn bucket_at_quantile(&self, quantile: f64) -> Option<usize> {
        let wanted = quantile * self.total() as f64;
        let mut seen = 0_u64;
        let reaches = |(_, count): &(usize, u64)| {
            seen = seen.saturating_add(*count);
            seen as f64 >= wanted
        };
        self.iter().find(reaches).map(|(bucket, _)| bucket)
    }
}

impl From<LatencyCounts> for String {
    fn from(latency: LatencyCounts) -> Self {
        let mut text = Self::new();
        for (bucket, count) in latency.iter() {
            let space = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{space}{bucket}:{count}");
        }
        text
    }
}

impl TryFrom<String> for LatencyCounts {
    type Error = LatencyCountsError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let pairs: Option<Vec<(usize, u64)>> = text.split_ascii_whitespace().map(pair).collect();
        match pairs {
            Some(counts) if counts.is_sorted_by(|a, b| a.0 < b.0) => Ok(Self { counts }),
            _ => Err(LatencyCountsError(text)),
        }
    }
}

fn pair(text: &str) -> Option<(usize, u64)> {
    let (bucket, count) = text.split_once(':')?;
    let (bucket, count) = (bucket.parse().ok()?, count.parse().ok()?);
    (bucket < LATENCY_BUCKETS && count > 0).then_some((bucket, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_begins_where_the_one_before_ends_and_is_an_eighth_of_its_octave() {
        for bucket in 0..LATENCY_BUCKETS {
            let (start, end) = (bucket_start_ns(bucket), bucket_start_ns(bucket + 1));
            assert_eq!(latency_bucket(start), bucket);
            assert_eq!(latency_bucket(end - 1), bucket);
            assert!(8 * (end - start) <= start, "{start}..{end}");
        }
        assert_eq!(latency_bucket(0), 0);
        assert_eq!(latency_bucket(1000), 0, "a microsecond");
        let two_minutes = 120_000_000_000;
        assert!(latency_bucket(two_minutes) < LATENCY_BUCKETS - 1);
        assert_eq!(latency_bucket(u64::MAX), LATENCY_BUCKETS - 1);
    }

    #[test]
    fn a_quantile_is_within_its_bucket() {
        let mut counts = vec![0; LATENCY_BUCKETS];
        for us in 1..=1000 {
            counts[latency_bucket(us * 1000)] += 1;
        }
        let latency = LatencyCounts::of_buckets(counts);
        assert_eq!(latency.total(), 1000);
        for (quantile, true_ns) in [(0.5, 500_000_u64), (0.99, 990_000)] {
            let ns = latency.value_at_quantile(quantile).expect("there are some");
            assert!(ns.abs_diff(true_ns) * 8 <= true_ns, "{ns} for {true_ns}");
        }
        assert_eq!(LatencyCounts::default().value_at_quantile(0.5), None);
    }

    #[test]
    fn what_is_written_is_read_back_and_rubbish_is_refused() {
        let latency = LatencyCounts::of_buckets([0, 3, 0, 120]);
        let text = serde_json::to_string(&latency).expect("a text");
        assert_eq!(text, "\"1:3 3:120\"");
        let back: LatencyCounts = serde_json::from_str(&text).expect("our own");
        assert_eq!(back, latency);
        for rubbish in [
            "3", "3:", ":1", "1:0", "216:1", "2:1 1:1", "1:1 1:1", "1:-1",
        ] {
            assert!(
                LatencyCounts::try_from(rubbish.to_owned()).is_err(),
                "{rubbish}"
            );
        }
    }
}
