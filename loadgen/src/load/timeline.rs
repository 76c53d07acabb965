//! A phase second by second, while it runs: each user counts its current second and hands it over when the second changes.
//!
//! Users share one lock that each takes once a second, and not once a request. Memory grows with the length of the phase,
//! about 1 KB a second, and not with the number of users.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::record::{LATENCY_BUCKETS, LatencyCounts, SecondRecord, latency_bucket};

use super::breach::{Breach, Breaches};
use super::token_pool::Judged;

/// A later second than this is not told apart: a schedule takes at most a day, and memory has a bound.
const LAST_SECOND: usize = 100_000;

/// What the users of one phase have handed over.
#[derive(Debug, Default)]
pub struct Timeline {
    started: OnceLock<Instant>,
    handed_over: Mutex<HandedOver>,
    breaches: Breaches,
}

#[derive(Debug, Default)]
struct HandedOver {
    seconds: Vec<Second>,
    /// Over all seconds.
    total: Second,
}

/// A phase from its beginning to a moment of its run, as far as users have handed over.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) wrong: u64,
    pub(super) lost: u64,
    pub(super) max_ns: u64,
    pub(super) latency: LatencyCounts,
}

/// One second: of one user, or of all of them.
#[derive(Debug, Clone)]
struct Second {
    right: u64,
    wrong: u64,
    lost: u64,
    max_ns: u64,
    /// Right answers by latency; a bucket cannot be full, for a user sends less than 2^32 requests a second.
    latency: [u32; LATENCY_BUCKETS],
}

/// One user's current second.
#[derive(Debug)]
pub struct UserTimeline<'a> {
    shared: &'a Timeline,
    second: usize,
    /// Requests of the second, handed over or not.
    requests: u64,
    current: Second,
    /// Its last second had one request at most. It hands each over at once, for the next one may be far.
    seldom: bool,
}

/// A phase at a moment of its run.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Since the phase began.
    pub elapsed: Duration,
    /// Requests with an answer, right or wrong, and those without.
    pub requests: u64,
    /// Answers with another decision than the one that had to come.
    pub wrong: u64,
    /// Requests without a decision.
    pub lost: u64,
    /// The last second that is over, if there is one.
    pub last: Option<SecondRecord>,
    /// Thresholds and limits that were broken so far.
    pub breaches: Vec<Breach>,
}

impl Default for Second {
    fn default() -> Self {
        Self {
            right: 0,
            wrong: 0,
            lost: 0,
            max_ns: 0,
            latency: [0; LATENCY_BUCKETS],
        }
    }
}

impl Second {
    fn requests(&self) -> u64 {
        self.right + self.wrong + self.lost
    }

    fn add(&mut self, judged: Judged, latency: Duration) {
        match judged {
            Judged::Right => {
                let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                self.right += 1;
                self.max_ns = self.max_ns.max(ns);
                self.latency[latency_bucket(ns)] += 1;
            }
            Judged::Wrong => self.wrong += 1,
            Judged::Lost => self.lost += 1,
            // The phase is invalid, and says why.
            Judged::Outlived => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.lost += other.lost;
        self.max_ns = self.max_ns.max(other.max_ns);
        for (ours, theirs) in self.latency.iter_mut().zip(&other.latency) {
            *ours = ours.saturating_add(*theirs);
        }
    }

    fn latency(&self) -> LatencyCounts {
        LatencyCounts::of_buckets(self.latency.iter().map(|count| u64::from(*count)))
    }

    fn to_record(&self, second: usize) -> SecondRecord {
        let latency = self.latency();
        // The middle of a bucket may lie above the largest value that is in it.
        let at = |quantile| {
            latency
                .value_at_quantile(quantile)
                .unwrap_or_default()
                .min(self.max_ns)
        };
        SecondRecord {
            second: second as u64,
            right: self.right,
            wrong: self.wrong,
            lost: self.lost,
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            max_ns: self.max_ns,
            latency,
        }
    }
}

impl Timeline {
    /// A user's part of it.
    pub fn user(&self) -> UserTimeline<'_> {
        UserTimeline {
            shared: self,
            second: 0,
            requests: 0,
            current: Second::default(),
            seldom: false,
        }
    }

    /// Says when the phase began; the first one to say so is right.
    pub fn start(&self, started: Instant) {
        let _ = self.started.set(started);
    }

    /// The seconds in which there was something.
    pub fn to_records(&self) -> Vec<SecondRecord> {
        let handed_over = self.handed_over();
        let seconds = handed_over.seconds.iter().enumerate();
        let told = seconds.filter(|(_, second)| second.requests() > 0);
        told.map(|(place, second)| second.to_record(place))
            .collect()
    }

    /// The phase at this moment; `None` before it begins.
    pub fn snapshot(&self, now: Instant) -> Option<Snapshot> {
        let elapsed = now.saturating_duration_since(*self.started.get()?);
        let handed_over = self.handed_over();
        let total = &handed_over.total;
        // A user hands a second over with its first request of the next one, so that the one before is still coming in.
        let over = usize::try_from(elapsed.as_secs()).unwrap_or(usize::MAX);
        let complete = over.checked_sub(2).map(|place| {
            let second = handed_over.seconds.get(place).cloned();
            second.unwrap_or_default().to_record(place)
        });
        Some(Snapshot {
            elapsed,
            requests: total.requests(),
            wrong: total.wrong,
            lost: total.lost,
            last: complete,
            breaches: self.breaches.seen(),
        })
    }

    /// How long the phase has been running, and what came of it so far; `None` before it begins.
    pub(super) fn totals(&self, now: Instant) -> Option<(Duration, Totals)> {
        let elapsed = now.saturating_duration_since(*self.started.get()?);
        let total = &self.handed_over().total;
        let totals = Totals {
            wrong: total.wrong,
            lost: total.lost,
            max_ns: total.max_ns,
            latency: total.latency(),
        };
        Some((elapsed, totals))
    }

    /// What of the phase was broken so far.
    pub(super) fn breaches(&self) -> &Breaches {
        &self.breaches
    }

    fn handed_over(&self) -> MutexGuard<'_, HandedOver> {
        self.handed_over
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl UserTimeline<'_> {
    /// Counts one answer to a request that was due, or sent in a closed loop, at a time.
    pub fn add(&mut self, due: Instant, finished: Instant, judged: Judged) {
        let started = self.shared.started.get().copied().unwrap_or(due);
        let since = due.saturating_duration_since(started).as_secs();
        let second = usize::try_from(since)
            .unwrap_or(usize::MAX)
            .min(LAST_SECOND);
        if second != self.second {
            self.hand_over();
            self.seldom = self.requests <= 1;
            (self.second, self.requests) = (second, 0);
        }
        self.requests += 1;
        self.current
            .add(judged, finished.saturating_duration_since(due));
        if self.seldom {
            self.hand_over();
        }
    }

    /// Hands over what has been counted so far.
    pub fn hand_over(&mut self) {
        let current = &self.current;
        if current.requests() == 0 {
            return;
        }
        let mut handed_over = self.shared.handed_over();
        handed_over.total.merge(current);
        let seconds = &mut handed_over.seconds;
        if seconds.len() <= self.second {
            seconds.resize_with(self.second + 1, Second::default);
        }
        seconds[self.second].merge(current);
        drop(handed_over);
        self.current = Second::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_request_belongs_to_the_second_in_which_it_was_due() {
        let timeline = Timeline::default();
        let started = Instant::now();
        timeline.start(started);
        let mut user = timeline.user();
        user.add(started + 900 * MS, started + 3000 * MS, Judged::Right);
        user.add(started + 901 * MS, started + 902 * MS, Judged::Wrong);
        assert!(timeline.to_records().is_empty(), "the second is not over");
        user.add(started + 2100 * MS, started + 2101 * MS, Judged::Lost);
        user.hand_over();
        let records = timeline.to_records();
        let counts = |r: &SecondRecord| (r.second, r.right, r.wrong, r.lost, r.max_ns);
        let counts: Vec<_> = records.iter().map(counts).collect();
        assert_eq!(counts, [(0, 1, 1, 0, 2_100_000_000), (2, 0, 0, 1, 0)]);
        assert_eq!(
            records[0].latency.total(),
            1,
            "a wrong answer has no latency"
        );
    }

    #[test]
    fn users_that_seldom_send_are_seen_while_they_wait() {
        let timeline = Timeline::default();
        let started = Instant::now();
        timeline.start(started);
        let mut user = timeline.user();
        for second in [0, 4, 9] {
            let due = started + 1000 * second * MS;
            user.add(due, due + MS, Judged::Right);
        }
        let now = started + 11_500 * MS;
        let seen = timeline.snapshot(now).expect("it has begun");
        assert_eq!((seen.requests, seen.elapsed), (3, 11_500 * MS));
        let last = seen.last.expect("a second is over");
        assert_eq!((last.second, last.right, last.max_ns), (9, 1, 1_000_000));
    }
}
