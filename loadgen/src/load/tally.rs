//! What one user has seen, and the sum over users.

use std::time::{Duration, Instant};

use crate::conform::Expectation;
use crate::record::WrongDecision;
use crate::recorder::{Distribution, Recorder, Sample};
use crate::target::{CacheVerdict, Decision, Observation};

use super::arrival::Turn;
use super::phase::LATENESS_LIMIT;

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
    /// Right answers that the gateway gave from its cache.
    pub cache_hits: u64,
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
    /// Counts one answer.
    pub fn add(
        &mut self,
        turn: Turn,
        class: usize,
        class_name: &str,
        expected: Expectation,
        answer: &Observation,
    ) {
        self.last_sent = self.last_sent.max(Some(answer.sent));
        if let Some(intended) = turn.intended {
            let lateness = answer.sent.saturating_duration_since(intended);
            self.lateness.record(lateness);
            self.late_starts += u64::from(lateness > LATENESS_LIMIT);
            self.lateness_max = self.lateness_max.max(lateness);
        }
        match answer.decision {
            Decision::Fault => self.errors += 1,
            decision if is_right(decision, expected) => {
                self.right += 1;
                self.cache_hits += u64::from(answer.cache == CacheVerdict::Hit);
                let service = answer.finished - answer.sent;
                let response = turn
                    .intended
                    .map(|intended| answer.finished.saturating_duration_since(intended));
                self.recorder.record(class, Sample { service, response });
                return;
            }
            _ => self.wrong += 1,
        }
        if self.samples.len() < WRONG_SAMPLES {
            self.samples.push(WrongDecision {
                class: class_name.to_owned(),
                expected: if expected == Expectation::Allow {
                    "allow"
                } else {
                    "deny"
                }
                .to_owned(),
                observed: answer.summary(),
            });
        }
    }

    /// Adds another user's tally.
    pub fn merge(&mut self, other: Self) {
        self.recorder.merge(&other.recorder);
        self.right += other.right;
        self.wrong += other.wrong;
        self.errors += other.errors;
        self.cache_hits += other.cache_hits;
        self.lateness.merge(&other.lateness);
        self.lateness_max = self.lateness_max.max(other.lateness_max);
        self.late_starts += other.late_starts;
        self.last_sent = self.last_sent.max(other.last_sent);
        let room = WRONG_SAMPLES.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.into_iter().take(room));
    }
}

/// Under load only allow and deny are told apart; the status of a denial is a matter of conformance.
fn is_right(decision: Decision, expected: Expectation) -> bool {
    (decision == Decision::Allow) == (expected == Expectation::Allow)
}
