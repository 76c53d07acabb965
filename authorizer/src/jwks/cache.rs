//! The keys of one issuer over time: when a set is fresh, when it is fetched again, when it is too old to use.
//!
//! Every age is computed from the wall clock at the moment of use, which the caller passes in: Lambda freezes the process
//! between invocations, and timers and background tasks stop with it. Readers of a fresh set take no lock.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use http::Uri;
use thiserror::Error;
use tokio::sync::Mutex;

use super::{
    JwkSet, VerificationKey,
    fetch::{FetchError, JwksFetcher, TlsSetupError},
};
use crate::{Algorithm, Rejection};

/// Time from the start of one fetch to the next one that an unknown `kid` may cause. A flood of made-up key ids causes
/// one fetch in this time, and a rotated key waits no longer than this. aws-jwt-verify uses 10 s.
const UNKNOWN_KID_COOLDOWN: Duration = Duration::from_secs(5);

/// Time for which known keys keep working beyond their maximum age while the issuer cannot be reached. A withdrawn key
/// lives for at most the maximum age plus this.
const STALE_BOUND: Duration = Duration::from_hours(1);

/// Time from the start of a failed fetch to the next one; doubled with each further failure, up to the maximum. Without
/// jitter: each sandbox fetches when its own requests arrive, which spreads them well enough.
const MIN_BACK_OFF: Duration = Duration::from_secs(1);
const MAX_BACK_OFF: Duration = Duration::from_secs(30);

/// How far the clock of one request may lie behind that of a concurrent one before it counts as set back. Above the
/// longest wait for a fetch, far below the smallest maximum age.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// Keys cannot be had, and none in hand may be used. Says nothing about the token.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The fetch was abandoned, because the process is shutting down.
    #[error("the fetch of the signing keys was abandoned")]
    Abandoned,
    /// The last fetch failed.
    #[error("the signing keys could not be fetched")]
    Fetch(#[source] Arc<FetchError>),
}

/// The key set of one issuer, fetched when it is needed.
#[derive(Debug, Clone)]
pub struct JwksCache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fetcher: JwksFetcher,
    snapshot: ArcSwapOption<Snapshot>,
    /// Held across a fetch, so that there is one at a time. The read path does not touch it.
    fetches: Mutex<FetchHistory>,
}

/// One fetched set, never changed, only replaced as a whole.
#[derive(Debug)]
struct Snapshot {
    keys: JwkSet,
    fetched_at: SystemTime,
    max_age: Duration,
}

#[derive(Debug, Default)]
struct FetchHistory {
    last_start: Option<SystemTime>,
    /// The last failure and the number of failures in a row; `None` after a success.
    failing: Option<(Arc<FetchError>, u32)>,
}

/// What the present set says about a `kid`.
enum Lookup {
    /// A fresh set settles it.
    Settled(Result<Arc<VerificationKey>, Rejection>),
    /// The set is fresh and lacks the key.
    Unknown,
    /// The set is past its maximum age, within the stale bound, and has the key.
    Stale(Arc<VerificationKey>),
    /// There is no set, or none that may be used, or only a stale one that lacks the key.
    Unusable,
}

impl JwksCache {
    /// A cache without keys; the first use fetches them from `uri`.
    pub fn new(uri: Uri) -> Result<JwksCache, TlsSetupError> {
        Ok(JwksCache {
            shared: Arc::new(Shared {
                fetcher: JwksFetcher::new(uri)?,
                snapshot: ArcSwapOption::empty(),
                fetches: Mutex::default(),
            }),
        })
    }

    /// The key for a token's `kid` at the time `now`, fetching the set if need be.
    ///
    /// Only a token that breaks no rule that can be checked without a key may cause a fetch, so ask last. The outer error
    /// means that nothing can be said about the token.
    pub async fn key(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: SystemTime,
    ) -> Result<Result<Arc<VerificationKey>, Rejection>, KeyError> {
        if let Lookup::Settled(settled) = self.shared.lookup(kid, algorithm, now) {
            return Ok(settled);
        }
        // A task of its own: a caller that goes away does not take the fetch from those who wait for it.
        let shared = Arc::clone(&self.shared);
        let kid = kid.map(str::to_owned);
        tokio::spawn(async move { shared.refresh(kid.as_deref(), algorithm, now).await })
            .await
            .map_err(|_| KeyError::Abandoned)?
    }

    /// Fetches the set if there is no fresh one, for use before the first token arrives.
    pub async fn prefetch(&self, now: SystemTime) -> Result<(), KeyError> {
        let mut history = self.shared.fetches.lock().await;
        if self.shared.has_fresh_set(now) {
            return Ok(());
        }
        self.shared.fetch(&mut history, now).await;
        match &history.failing {
            None => Ok(()),
            Some((error, _)) => Err(KeyError::Fetch(Arc::clone(error))),
        }
    }
}

impl Shared {
    fn has_fresh_set(&self, now: SystemTime) -> bool {
        let snapshot = self.snapshot.load();
        snapshot
            .as_ref()
            .is_some_and(|set| set.is_within(now, Duration::ZERO))
    }

    fn lookup(&self, kid: Option<&str>, algorithm: Algorithm, now: SystemTime) -> Lookup {
        let snapshot = self.snapshot.load();
        let Some(set) = snapshot.as_ref() else {
            return Lookup::Unusable;
        };
        let selected = set.keys.select(kid, algorithm);
        if set.is_within(now, Duration::ZERO) {
            return match selected {
                Err(Rejection::KidUnknown) => Lookup::Unknown,
                settled => Lookup::Settled(settled.cloned()),
            };
        }
        match selected {
            Ok(key) if set.is_within(now, STALE_BOUND) => Lookup::Stale(Arc::clone(key)),
            _ => Lookup::Unusable,
        }
    }

    /// Fetches the set if that is due, and answers from what there is then.
    async fn refresh(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: SystemTime,
    ) -> Result<Result<Arc<VerificationKey>, Rejection>, KeyError> {
        let mut history = match self.lookup(kid, algorithm, now) {
            // Someone else is fetching: a key that may still be used does not wait for the outcome.
            Lookup::Stale(key) => match self.fetches.try_lock() {
                Ok(history) => history,
                Err(_) => return Ok(Ok(key)),
            },
            _ => self.fetches.lock().await,
        };
        // The set may have been replaced while this request waited.
        let due = match self.lookup(kid, algorithm, now) {
            Lookup::Settled(settled) => return Ok(settled),
            Lookup::Unknown => history.allows_for_unknown_kid(now),
            Lookup::Stale(_) | Lookup::Unusable => history.allows(now),
        };
        if due {
            self.fetch(&mut history, now).await;
        }
        let answer = match self.lookup(kid, algorithm, now) {
            Lookup::Settled(settled) => Some(settled),
            Lookup::Stale(key) => Some(Ok(key)),
            Lookup::Unknown => Some(Err(Rejection::KidUnknown)),
            Lookup::Unusable => None,
        };
        match (answer, &history.failing) {
            // After a failed fetch nothing proves that the key does not exist.
            (Some(Err(Rejection::KidUnknown)) | None, Some((error, _))) => {
                Err(KeyError::Fetch(Arc::clone(error)))
            }
            (Some(answer), _) => Ok(answer),
            (None, None) => Err(KeyError::Abandoned),
        }
    }

    /// One fetch; its outcome is in `history` and, if it brought a set, in the snapshot. A failure never replaces a set.
    async fn fetch(&self, history: &mut FetchHistory, now: SystemTime) {
        history.last_start = Some(now);
        match self.fetcher.fetch().await {
            Ok(fetched) => {
                history.failing = None;
                self.snapshot.store(Some(Arc::new(Snapshot {
                    keys: fetched.keys,
                    fetched_at: now,
                    max_age: fetched.max_age,
                })));
            }
            Err(error) => {
                let failures = history
                    .failing
                    .as_ref()
                    .map_or(0, |(_, failures)| *failures);
                history.failing = Some((Arc::new(error), failures.saturating_add(1)));
            }
        }
    }
}

impl Snapshot {
    /// Whether the set is at most `extra` past its maximum age. A clock that was set back makes every age a guess, so the
    /// set counts as too old.
    fn is_within(&self, now: SystemTime, extra: Duration) -> bool {
        age(self.fetched_at, now).is_some_and(|age| age < self.max_age + extra)
    }
}

impl FetchHistory {
    /// Whether a set that is missing or too old may be fetched.
    fn allows(&self, now: SystemTime) -> bool {
        match &self.failing {
            None => true,
            Some((_, failures)) => self.has_passed(back_off(*failures), now),
        }
    }

    /// Whether a fresh set may be fetched again because it lacks a key. While fetches fail, the back-off stands in for the
    /// cooldown.
    fn allows_for_unknown_kid(&self, now: SystemTime) -> bool {
        match &self.failing {
            None => self.has_passed(UNKNOWN_KID_COOLDOWN, now),
            Some((_, failures)) => self.has_passed(back_off(*failures), now),
        }
    }

    fn has_passed(&self, wait: Duration, now: SystemTime) -> bool {
        self.last_start
            .and_then(|start| age(start, now))
            .is_none_or(|age| age >= wait)
    }
}

/// The time from `then` to `now`; `None` if the clock was set back in between.
fn age(then: SystemTime, now: SystemTime) -> Option<Duration> {
    match now.duration_since(then) {
        Ok(age) => Some(age),
        Err(ahead) if ahead.duration() <= CLOCK_TOLERANCE => Some(Duration::ZERO),
        Err(_) => None,
    }
}

/// 1 s after the first failure, then 2 s, 4 s, … up to 30 s.
fn back_off(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(5);
    (MIN_BACK_OFF * 2_u32.pow(doublings)).min(MAX_BACK_OFF)
}
