//! When a phase gives its target up: requests in a row without a decision, over all users.
//!
//! A dead target is asked in vain as fast as the loop turns, a hanging one takes the longest wait of the client each
//! time. Both have to end, and neither says anything new after a while. One lost request says nothing: environments
//! restart, and a decision to anybody ends the row.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::target::Observation;

/// For each user: a restart loses what is in flight, one request a user, and some more until the new process listens.
const IN_A_ROW_PER_USER: usize = 50;

/// A target that has decided nothing for as long as a whole INIT may take (10 s on Lambda) is not restarting.
const LONGEST: Duration = Duration::from_secs(10);

/// With fewer than this a long row may be one lost packet and its time-out.
const FEWEST: usize = 3;

/// The row as it stands.
#[derive(Debug)]
pub(super) struct Silence {
    limit: usize,
    /// Whether there is a row, so that a right answer needs no lock.
    fell: AtomicBool,
    row: Mutex<Option<Row>>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    length: usize,
    since: Instant,
}

impl Silence {
    pub(super) fn new(users: usize) -> Self {
        Self {
            limit: IN_A_ROW_PER_USER.saturating_mul(users),
            fell: AtomicBool::new(false),
            row: Mutex::new(None),
        }
    }

    /// Takes note of an answer; true when the target is to be given up.
    pub(super) fn hears(&self, lost: bool, answer: &Observation) -> bool {
        if !lost {
            // Looked at before it is written: a write would take the line from all other users with each answer.
            if self.fell.load(Ordering::Relaxed) && self.fell.swap(false, Ordering::Relaxed) {
                *self.row.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            return false;
        }
        self.fell.store(true, Ordering::Relaxed);
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        let row = row.get_or_insert(Row {
            length: 0,
            since: answer.sent,
        });
        row.length += 1;
        row.length >= self.limit
            || (row.length >= FEWEST
                && answer.finished.saturating_duration_since(row.since) >= LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{CacheVerdict, Decision};

    /// Answers as `(decided, sent after so many seconds, waited so many seconds)`; the place of the one that ends it.
    fn given_up_at(users: usize, answers: &[(bool, u64, u64)]) -> Option<usize> {
        let (silence, start) = (Silence::new(users), Instant::now());
        answers.iter().position(|(decided, sent, waited)| {
            let sent = start + Duration::from_secs(*sent);
            silence.hears(
                !decided,
                &Observation {
                    decision: if *decided {
                        Decision::Allow
                    } else {
                        Decision::Fault
                    },
                    status: None,
                    rule: None,
                    cache: CacheVerdict::None,
                    cold: false,
                    fault: None,
                    loss: None,
                    set_up: None,
                    sent,
                    finished: sent + Duration::from_secs(*waited),
                    answer: None,
                },
            )
        })
    }

    #[test]
    fn a_target_is_given_up_after_many_requests_or_a_long_time_without_a_decision() {
        let refused = vec![(false, 0, 0); 200];
        assert_eq!(given_up_at(1, &refused), Some(49));
        assert_eq!(given_up_at(4, &refused), Some(199));
        let hanging = [(false, 0, 10), (false, 10, 10), (false, 20, 10)];
        assert_eq!(given_up_at(4, &hanging), Some(2));
        let at_once = [(false, 0, 10), (false, 0, 10), (false, 0, 10)];
        assert_eq!(given_up_at(4, &at_once), Some(2));
    }

    #[test]
    fn a_decision_ends_the_row() {
        let mut restarting = vec![(false, 0, 0); 49];
        restarting.push((true, 1, 0));
        restarting.extend(vec![(false, 20, 0); 49]);
        assert_eq!(given_up_at(1, &restarting), None);
    }
}
