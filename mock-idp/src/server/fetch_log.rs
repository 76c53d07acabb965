//! The record of JWKS fetches, which tells how a verifier treats its key cache.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::jwks_document::JwksDocument;

/// Enough to see every fetch of a verifier that fetches once per unknown `kid` in a flood of thousands; 160 kB.
const FETCHES_KEPT: usize = 4_096;

/// One answered request for the JWKS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwksFetch {
    /// When the request's head was read.
    pub received: Instant,
    /// When the answer was ready to be written; of a silent issuer, when it fell silent.
    pub answered: Instant,
    /// The answer's status; `None` where the connection ended without one.
    pub status: Option<u16>,
    /// What was served.
    pub answer: JwksAnswer,
}

/// What a fetch of the JWKS got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwksAnswer {
    /// A key set.
    Document(JwksDocument),
    /// A fault, by the name of its kind.
    Fault(&'static str),
}

#[derive(Debug, Default)]
pub(super) struct FetchLog(Mutex<Fetches>);

#[derive(Debug, Default)]
struct Fetches {
    count: u64,
    recent: VecDeque<JwksFetch>,
}

impl FetchLog {
    pub(super) fn record(&self, received: Instant, status: Option<u16>, answer: JwksAnswer) {
        let mut fetches = self.lock();
        fetches.count += 1;
        if fetches.recent.len() == FETCHES_KEPT {
            fetches.recent.pop_front();
        }
        fetches.recent.push_back(JwksFetch {
            received,
            answered: Instant::now(),
            status,
            answer,
        });
    }

    pub(super) fn recent(&self) -> Vec<JwksFetch> {
        self.lock().recent.iter().copied().collect()
    }

    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    /// No holder of the lock leaves the log half-written, so a poisoned one is still good.
    fn lock(&self) -> MutexGuard<'_, Fetches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_forgets_the_oldest_fetches_and_never_the_count() {
        let log = FetchLog::default();
        let first = Instant::now();
        for _ in 0..=FETCHES_KEPT {
            log.record(
                Instant::now(),
                Some(200),
                JwksAnswer::Document(JwksDocument::Default),
            );
        }
        assert_eq!(log.count(), FETCHES_KEPT as u64 + 1);
        assert_eq!(log.recent().len(), FETCHES_KEPT);
        assert!(log.recent().iter().all(|fetch| fetch.received >= first));
        assert!(log.recent().is_sorted_by_key(|fetch| fetch.answered));
    }
}
