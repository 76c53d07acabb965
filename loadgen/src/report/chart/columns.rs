//! The columns of a chart over time: seconds, merged where there are too many to be told apart.

use crate::record::{LATENCY_BUCKETS, LatencyCounts, SecondRecord};

/// More columns than this are thinner than two points, and make the page large.
const COLUMNS_MAX: u64 = 300;

/// Lengths of a column that people count in, in seconds.
const LENGTHS_S: [u64; 11] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300];

/// Less of the last column than this share was measured too short for a rate.
const SHARE_FOR_A_RATE: f64 = 0.5;

/// A phase in columns of equal length.
pub(super) struct Columns {
    pub(super) seconds_each: u64,
    pub(super) list: Vec<Column>,
    elapsed_s: f64,
}

/// What came out of one stretch of time.
#[derive(Clone)]
pub(super) struct Column {
    pub(super) right: u64,
    pub(super) wrong: u64,
    pub(super) lost: u64,
    pub(super) max_ns: u64,
    /// Right answers by latency bucket.
    pub(super) latency: Vec<u64>,
}

impl Column {
    /// The latency at a quantile, where there is at least one sample beyond it.
    pub(super) fn quantile(&self, quantile: f64) -> Option<u64> {
        let counts = LatencyCounts::of_buckets(self.latency.iter().copied());
        let supported = count(counts.total()) * (1.0 - quantile) >= 1.0 - 1e-9;
        let value = supported.then(|| counts.value_at_quantile(quantile));
        value.flatten().map(|ns| ns.min(self.max_ns))
    }
}

impl Columns {
    /// `None` where there is nothing to see over time: fewer than three seconds.
    pub(super) fn of(timeline: &[SecondRecord], elapsed_ms: u64) -> Option<Self> {
        let final_second = timeline.iter().map(|second| second.second).max()?;
        if final_second < 2 {
            return None;
        }
        let fits = |length: &u64| final_second / length < COLUMNS_MAX;
        let seconds_each = LENGTHS_S.into_iter().find(fits);
        let seconds_each = seconds_each.unwrap_or(final_second / COLUMNS_MAX + 1);
        let place = |second: u64| usize::try_from(second / seconds_each).unwrap_or_default();
        let empty = Column {
            right: 0,
            wrong: 0,
            lost: 0,
            max_ns: 0,
            latency: vec![0; LATENCY_BUCKETS],
        };
        let mut list = vec![empty; place(final_second) + 1];
        for second in timeline {
            let column = &mut list[place(second.second)];
            column.right = column.right.saturating_add(second.right);
            column.wrong = column.wrong.saturating_add(second.wrong);
            column.lost = column.lost.saturating_add(second.lost);
            column.max_ns = column.max_ns.max(second.max_ns);
            for (bucket, count) in second.latency.iter() {
                column.latency[bucket] = column.latency[bucket].saturating_add(count);
            }
        }
        Some(Self {
            seconds_each,
            list,
            elapsed_s: count(elapsed_ms) / 1e3,
        })
    }

    /// Something of a column per second; `None` for a last column that was too short.
    pub(super) fn per_second(&self, index: usize, counted: u64) -> Option<f64> {
        let each = count(self.seconds_each);
        let mut covered = each;
        if index + 1 == self.list.len() {
            covered = (self.elapsed_s - count(index as u64) * each).min(each);
        }
        (covered >= SHARE_FOR_A_RATE * each).then(|| count(counted) / covered)
    }

    /// The buckets that hold something, from the first to one beyond the last, at least an octave.
    pub(super) fn bucket_range(&self) -> Option<(usize, usize)> {
        let holds = |bucket: &usize| self.list.iter().any(|column| column.latency[*bucket] > 0);
        let first = (0..LATENCY_BUCKETS).find(holds)?;
        let last = (0..LATENCY_BUCKETS).rev().find(holds)?;
        // An octave around a flat line; a free row above and below otherwise.
        let around = 4_usize.saturating_sub((last - first) / 2).max(1);
        Some((
            first.saturating_sub(around),
            (last + 1 + around).min(LATENCY_BUCKETS),
        ))
    }

    /// How long all columns are together, in seconds.
    pub(super) fn seconds(&self) -> u64 {
        (self.list.len() as u64).saturating_mul(self.seconds_each)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a place on a chart, or a rate with three digits"
)]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: u64, right: u64) -> SecondRecord {
        let latency = LatencyCounts::of_buckets([0, 0, right]);
        SecondRecord {
            second,
            right,
            wrong: 1,
            lost: 2,
            p50_ns: 0,
            p99_ns: 0,
            max_ns: 5_000,
            latency,
        }
    }

    #[test]
    fn a_long_phase_has_few_columns_and_loses_no_request() {
        for length in [3, 300, 301, 600, 86_400, 100_001] {
            let timeline: Vec<_> = (0..length).map(|s| second(s, 7)).collect();
            let columns = Columns::of(&timeline, length * 1000).expect("long enough");
            assert!(columns.list.len() <= 300, "{length} s");
            assert!(columns.seconds() >= length);
            let right: u64 = columns.list.iter().map(|column| column.right).sum();
            assert_eq!(right, 7 * length);
            assert_eq!(columns.per_second(0, columns.list[0].right), Some(7.0));
        }
    }

    #[test]
    fn a_second_that_a_file_makes_up_takes_no_memory() {
        let timeline = [second(0, 1), second(u64::MAX, 1)];
        let columns = Columns::of(&timeline, 1000).expect("long enough");
        assert!(columns.list.len() <= 301);
    }

    #[test]
    fn the_rate_of_a_last_column_is_that_of_what_was_measured_of_it() {
        let timeline = [second(0, 100), second(1, 100), second(2, 60)];
        let columns = Columns::of(&timeline, 2_600).expect("long enough");
        let rate = columns.per_second(2, 60).expect("0.6 s are enough");
        assert!((rate - 100.0).abs() < 1e-6, "{rate}");
        let columns = Columns::of(&timeline, 2_100).expect("long enough");
        assert_eq!(columns.per_second(2, 60), None);
    }

    #[test]
    fn a_quantile_without_a_sample_beyond_it_is_none() {
        let timeline = [second(0, 99), second(1, 100), second(2, 1)];
        let columns = Columns::of(&timeline, 3000).expect("long enough");
        assert!(columns.list[0].quantile(0.5).is_some());
        assert_eq!(columns.list[0].quantile(0.99), None);
        assert!(columns.list[1].quantile(0.99).is_some());
        assert_eq!(columns.list[2].quantile(0.5), None);
    }
}
