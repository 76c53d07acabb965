//! One key set as it was fetched, and what it says about a `kid` at a given time.
//!
//! Every age is computed from the wall clock at the moment of use: Lambda freezes the process between invocations, and
//! timers stop with it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{JwkSet, VerificationKey, WantedKey, fetch::Validators, fingerprint::Fingerprint};
use crate::Rejection;

/// How far the clock of one request may lie behind that of a concurrent one before it counts as set back. Above the
/// longest wait for a fetch, and no more than half of the smallest maximum age.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// The last part of the maximum age, as a divisor of it, in which a request starts a refresh without waiting for it: 2 of
/// 10 minutes. Long enough that a function with a request a minute refreshes ahead, and that an issuer may fail for a
/// while before a request has to wait; short enough that an issuer sees a quarter more fetches at most.
const REFRESH_AHEAD_DIVISOR: u32 = 5;

/// One set, never changed, only replaced as a whole.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Shared with the snapshots that renewed it.
    pub(super) keys: Arc<JwkSet>,
    /// From 1, one more with each set whose keys differ from those of the one before.
    pub(super) generation: u64,
    /// `None` if the set did not come as a document.
    pub(super) fingerprint: Option<Fingerprint>,
    /// With what the document can be asked for again.
    pub(super) validators: Validators,
    /// `None` for a set that does not age.
    pub(super) lifetime: Option<Lifetime>,
}

/// From when to when a set is fresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    /// The start of the fetch that brought the document.
    pub(super) document_at: SystemTime,
    /// The start of the last fetch that brought or confirmed the document; not the end: while a fetch is frozen, the set
    /// that it brings grows old.
    pub(super) fetched_at: SystemTime,
    pub(super) max_age: Duration,
}

/// What the present set says about a `kid`.
#[derive(Debug)]
pub(super) enum Lookup {
    /// A fresh set settles it.
    Fresh {
        answer: Result<Arc<VerificationKey>, Rejection>,
        /// The set is in the last part of its maximum age.
        refresh_due: bool,
    },
    /// The set is past its maximum age, within the stale bound, and has the key.
    Stale(Arc<VerificationKey>),
    /// The set is fresh and lacks the key.
    Unknown,
    /// There is no set, or none that may be used, or only a stale one that lacks the key.
    Unusable,
}

impl Snapshot {
    /// A set that is never fetched and does not age.
    pub(super) fn permanent(keys: JwkSet) -> Snapshot {
        Snapshot {
            keys: Arc::new(keys),
            generation: 1,
            fingerprint: None,
            validators: Validators::default(),
            lifetime: None,
        }
    }

    /// What the set says about a key at the time `now`.
    pub(super) fn lookup(
        &self,
        wanted: WantedKey<'_>,
        stale_bound: Duration,
        now: SystemTime,
    ) -> Lookup {
        let selected = self.keys.select(wanted.kid, wanted.algorithm);
        let Some(lifetime) = self.lifetime else {
            return Lookup::Fresh {
                answer: selected.cloned(),
                refresh_due: false,
            };
        };
        // A clock that was set back makes every age a guess, so the set counts as too old.
        let age = age(lifetime.fetched_at, now).unwrap_or(Duration::MAX);
        match selected {
            Err(Rejection::KidUnknown) if age < lifetime.max_age => Lookup::Unknown,
            settled if age < lifetime.max_age => Lookup::Fresh {
                answer: settled.cloned(),
                refresh_due: age >= lifetime.refresh_age(),
            },
            Ok(key) if age < lifetime.max_age.saturating_add(stale_bound) => {
                Lookup::Stale(Arc::clone(key))
            }
            _ => Lookup::Unusable,
        }
    }

    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        self.lifetime.is_none_or(|lifetime| lifetime.is_fresh(now))
    }

    pub(super) fn is_refresh_due(&self, now: SystemTime) -> bool {
        self.lifetime
            .is_some_and(|lifetime| lifetime.is_refresh_due(now))
    }
}

impl Lifetime {
    fn is_fresh(&self, now: SystemTime) -> bool {
        self.is_below(self.max_age, now)
    }

    fn is_refresh_due(&self, now: SystemTime) -> bool {
        !self.is_below(self.refresh_age(), now)
    }

    /// The age from which a refresh is due.
    fn refresh_age(&self) -> Duration {
        let last_part = self.max_age / REFRESH_AHEAD_DIVISOR;
        self.max_age.saturating_sub(last_part)
    }

    /// Whether the age is below `bound`; it is not if the clock was set back.
    fn is_below(&self, bound: Duration, now: SystemTime) -> bool {
        age(self.fetched_at, now).is_some_and(|age| age < bound)
    }
}

/// The time from `then` to `now`; `None` if the clock was set back in between.
pub(super) fn age(then: SystemTime, now: SystemTime) -> Option<Duration> {
    match now.duration_since(then) {
        Ok(age) => Some(age),
        Err(ahead) if ahead.duration() <= CLOCK_TOLERANCE => Some(Duration::ZERO),
        Err(_) => None,
    }
}
