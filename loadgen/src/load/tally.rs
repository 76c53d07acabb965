//! What one user has seen, and the sum over users.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::record::{LossRecord, WrongDecision};
use crate::recorder::{Distribution, Recorder, Sample};
use crate::target::{CacheVerdict, Loss, Observation};

use super::arrival::Turn;
use super::phase::LATENESS_LIMIT;
use super::token_pool::{Judged, PoolEntry};

/// Wrong answers that are kept in full; the rest is counted.
pub(super) const WRONG_SAMPLES: usize = 10;

/// The counts and distributions of one user, or of all of them after merging.
#[derive(Debug, Default)]
pub struct Tally {
    /// Latencies of the right answers.
    pub recorder: Recorder,
    /// Right answers.
    pub right: u64,
    /// Answers with another decision than the one that had to come.
    pub wrong: u64,
    /// Requests without a decision.
    pub errors: u64,
    /// The same by what became of them.
    pub losses: BTreeMap<Loss, u64>,
    /// How long connections took to set up that were opened while a request waited.
    pub set_up: Distribution,
    /// Right answers that the gateway gave from its cache.
    pub cache_hits: u64,
    /// Latencies of the right answers for which it asked the authorizer, as thresholds take them.
    pub misses: Distribution,
    /// Answers to tokens that had come to their end by then, other than they would have had to be before.
    pub outlived: u64,
    /// How late requests were sent; empty in a closed loop.
    pub lateness: Distribution,
    /// Requests that were sent later than 1 ms after they were due.
    pub late_starts: u64,
    /// The largest lateness.
    pub lateness_max: Duration,
    /// When the last request was sent.
    pub last_sent: Option<Instant>,
    /// The first wrong answers.
    pub samples: Vec<WrongDecision>,
}

impl Tally {
    /// Counts one answer, and says how it compares.
    pub fn add(&mut self, turn: Turn, entry: PoolEntry<'_>, answer: &Observation) -> Judged {
        self.last_sent = self.last_sent.max(Some(answer.sent));
        if let Some(intended) = turn.intended {
            let lateness = answer.sent.saturating_duration_since(intended);
            self.lateness.record(lateness);
            self.late_starts += u64::from(lateness > LATENESS_LIMIT);
            self.lateness_max = self.lateness_max.max(lateness);
        }
        if let Some(set_up) = answer.set_up {
            self.set_up.record(set_up);
        }
        let mut judged = entry.wanted.judge(answer);
        if judged == Judged::Wrong && entry.until.is_some_and(|until| answer.finished >= until) {
            judged = Judged::Outlived;
        }
        match judged {
            Judged::Right => {
                self.right += 1;
                self.cache_hits += u64::from(answer.cache == CacheVerdict::Hit);
                let service = answer.finished - answer.sent;
                let response = turn
                    .intended
                    .map(|intended| answer.finished.saturating_duration_since(intended));
                if answer.cache == CacheVerdict::Miss {
                    self.misses.record(response.unwrap_or(service));
                }
                self.recorder
                    .record(entry.class, Sample { service, response });
                return judged;
            }
            Judged::Wrong => self.wrong += 1,
            Judged::Lost => {
                self.errors += 1;
                *self
                    .losses
                    .entry(answer.loss.unwrap_or(Loss::NoDecision))
                    .or_default() += 1;
            }
            Judged::Outlived => {
                self.outlived += 1;
                return judged;
            }
        }
        if self.samples.len() < WRONG_SAMPLES {
            self.samples.push(WrongDecision {
                class: entry.name.to_owned(),
                expected: entry.wanted.to_string(),
                observed: answer.summary(),
            });
        }
        judged
    }

    /// What became of requests without a decision, most frequent first.
    pub fn to_losses(&self) -> Vec<LossRecord> {
        let mut losses: Vec<_> = self
            .losses
            .iter()
            .map(|(kind, count)| LossRecord {
                kind: *kind,
                count: *count,
            })
            .collect();
        losses.sort_by_key(|loss| std::cmp::Reverse(loss.count));
        losses
    }

    /// Adds another user's tally.
    pub fn merge(&mut self, other: Self) {
        self.recorder.merge(&other.recorder);
        self.right += other.right;
        self.wrong += other.wrong;
        self.errors += other.errors;
        for (loss, count) in other.losses {
            *self.losses.entry(loss).or_default() += count;
        }
        self.set_up.merge(&other.set_up);
        self.cache_hits += other.cache_hits;
        self.misses.merge(&other.misses);
        self.outlived += other.outlived;
        self.lateness.merge(&other.lateness);
        self.lateness_max = self.lateness_max.max(other.lateness_max);
        self.late_starts += other.late_starts;
        self.last_sent = self.last_sent.max(other.last_sent);
        let room = WRONG_SAMPLES.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.into_iter().take(room));
    }
}
