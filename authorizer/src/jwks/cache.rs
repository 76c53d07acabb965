//! The keys of one issuer over time, as their user sees them.
//!
//! Readers of a fresh set take no lock and wait for nobody. What the set says is `snapshot`'s, when to fetch `ledger`'s,
//! what to fetch `fetch`'s; `shared` brings them together.

mod shared;
mod under_way;

use std::{sync::Arc, time::SystemTime};

use thiserror::Error;

use self::shared::{Shared, Step};
use super::{
    VerificationKey, WantedKey,
    fetch::{FetchError, JwksFetcher, TlsSetupError},
    ledger::{Begin, Flight as _, Need, Plan},
    limits::KeyLimits,
    metrics::KeyMetrics,
    snapshot::{Lookup, Snapshot},
    source::KeySource,
};
use crate::{Algorithm, Algorithms, Rejection};

/// Fetches that one request waits for. One is the rule; a second is for a request whose fetch was given up, which
/// happens when the process was frozen under it. With the longest deadline that stays below the 10 s after which API
/// Gateway gives up on an authorizer.
const MAX_WAITS: usize = 2;

/// Keys cannot be had, and none in hand may be used. Says nothing about the token.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The fetch was abandoned, because the process is shutting down or was frozen.
    #[error("the fetch of the signing keys was abandoned")]
    Abandoned,
    /// The last fetch failed.
    #[error("the signing keys could not be fetched")]
    Fetch(#[source] Arc<FetchError>),
}

/// The key set of one issuer, fetched when it is needed. A clone is a handle of the same cache.
///
/// ```
/// use std::time::SystemTime;
///
/// use authorizer::{Algorithm, JwkSet, JwksCache, KeySource, Rejection};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Keys from the issuer's `jwks_uri` are `KeySource::Uri`, and from its metadata `KeySource::Discovery`. These are at hand.
/// let document = br#"{"keys":[{"kty":"RSA","kid":"2011-04-29","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#;
/// let keys = JwksCache::new(KeySource::Static(JwkSet::parse(document)?))?;
/// let now = SystemTime::now();
/// let key = keys.key(Some("2011-04-29"), Algorithm::Rs256, now).await?;
/// assert!(key.is_ok_and(|key| key.serves(Algorithm::Rs256)));
/// // The outer result is an outage of the issuer, the inner one what its keys say about the token.
/// let unknown = keys.key(Some("made-up"), Algorithm::Rs256, now).await?;
/// assert_eq!(unknown.unwrap_err(), Rejection::KidUnknown);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct JwksCache {
    shared: Arc<Shared>,
}

impl JwksCache {
    /// A cache of the keys of `source` with the default limits. Nothing is fetched yet.
    pub fn new(source: impl Into<KeySource>) -> Result<JwksCache, TlsSetupError> {
        JwksCache::with_limits(source, &Algorithms::default(), KeyLimits::default())
    }

    /// A cache of the keys of `source` for these algorithms. Nothing is fetched yet.
    pub fn with_limits(
        source: impl Into<KeySource>,
        algorithms: &Algorithms,
        limits: KeyLimits,
    ) -> Result<JwksCache, TlsSetupError> {
        let settings = *limits.settings();
        let (snapshot, fetcher) = match source.into() {
            KeySource::Discovery { issuer } => (
                None,
                Some(JwksFetcher::from_issuer(issuer, algorithms, &settings)?),
            ),
            KeySource::Preloaded { uri, keys } => (
                Some(keys.into_snapshot(&settings)),
                Some(JwksFetcher::from_uri(uri, algorithms, &settings)?),
            ),
            KeySource::Static(keys) => (Some(Snapshot::permanent(keys)), None),
            KeySource::Uri(uri) => (
                None,
                Some(JwksFetcher::from_uri(uri, algorithms, &settings)?),
            ),
        };
        Ok(JwksCache {
            shared: Arc::new(Shared::new(settings, snapshot, fetcher)),
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
        let wanted = WantedKey { kid, algorithm };
        if let Lookup::Fresh {
            answer,
            refresh_due,
        } = self.shared.lookup(wanted, now)
        {
            if refresh_due && self.shared.would_refresh(now) {
                Shared::refresh(&self.shared, now);
            }
            return Ok(answer);
        }
        let mut now = now;
        for _ in 0..MAX_WAITS {
            let flight = match Shared::next_step(&self.shared, wanted, now) {
                Step::Answer(answer) => return answer,
                Step::Wait(flight) => flight,
            };
            // A request that was frozen while it waited may have joined a fetch that began long after it.
            now = now.max(flight.started_at);
            if let Some(outcome) = flight.outcome().await {
                return self.shared.answer_after(wanted, &flight, outcome, now);
            }
        }
        Err(KeyError::Abandoned)
    }

    /// Fetches the set if there is no fresh one, for use before the first token arrives.
    pub async fn prefetch(&self, now: SystemTime) -> Result<(), KeyError> {
        for _ in 0..MAX_WAITS {
            let plan = {
                let mut plans = self.shared.plans();
                if self.shared.has_fresh_set(now) {
                    return Ok(());
                }
                Shared::plan(
                    &self.shared,
                    &mut plans,
                    Need::Scheduled,
                    Begin::Always,
                    now,
                )
            };
            let (Plan::Begun(flight) | Plan::Joined(flight)) = plan else {
                break;
            };
            if let Some(outcome) = flight.outcome().await {
                return outcome.map_err(KeyError::Fetch);
            }
        }
        Err(KeyError::Abandoned)
    }

    /// Waits until no fetch is under way, for a caller whose process is about to be frozen.
    pub async fn settle(&self) {
        loop {
            let flight = self.shared.plans().ledger.under_way().cloned();
            match flight {
                Some(flight) if !flight.is_dead() => flight.outcome().await,
                _ => return,
            };
        }
    }

    /// Which set of keys is the present one: 0 before the first, and one more each time that the issuer's keys change. An
    /// answer with the same keys, or with none because nothing changed, keeps it.
    pub fn generation(&self) -> u64 {
        let snapshot = self.shared.snapshot();
        snapshot.as_ref().map_or(0, |set| set.generation)
    }

    /// The generation of the present set, unless it is due for a refresh at the time `now` or too old.
    ///
    /// A memory of verified tokens may answer as long as this is what it was when the token was verified. On `None` it has
    /// to ask [`JwksCache::key`] again, which refreshes the set: a memory that compared [`JwksCache::generation`] alone
    /// would keep the set from ever growing old, and a withdrawn key alive.
    pub fn fresh_generation(&self, now: SystemTime) -> Option<u64> {
        let snapshot = self.shared.snapshot();
        let set = snapshot.as_ref()?;
        (set.is_fresh(now) && !set.is_refresh_due(now)).then_some(set.generation)
    }

    /// Counts of what the cache did so far.
    pub fn metrics(&self) -> KeyMetrics {
        self.shared.metrics()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
        time::{Duration, UNIX_EPOCH},
    };

    use super::*;
    use crate::{JwkSet, PreloadedKeys, jwks::fetch::Fetched};

    /// The key of RFC 7515, appendix A.2, with a key id.
    const JWKS: &[u8] = br#"{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(1_000) + Duration::from_secs(seconds)
    }

    fn preloaded() -> JwksCache {
        JwksCache::new(KeySource::Preloaded {
            uri: "http://127.0.0.1:9/jwks.json".parse().unwrap(),
            keys: PreloadedKeys::parse(JWKS, &Algorithms::default(), at(0)).unwrap(),
        })
        .unwrap()
    }

    /// No runtime is there to run a task or a timer, the lock is taken, and the first poll has the answer.
    #[test]
    fn a_fresh_set_answers_without_lock_and_without_wait() {
        let cache = preloaded();
        let taken = cache.shared.plans();
        // In the last part of the maximum age, too: who cannot have the lock leaves the refresh to who has it.
        for seconds in [0, 479, 480, 599] {
            let key = pin!(cache.key(Some("a"), Algorithm::Rs256, at(seconds)));
            match key.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(Ok(key))) => assert_eq!(key.kid(), Some("a")),
                other => panic!("{seconds}: {other:?}"),
            }
            assert_eq!(cache.generation(), 1);
        }
        drop(taken);
    }

    /// Its task is stopped as well, so only a fetch that ends in that moment gets as far.
    #[test]
    fn what_a_fetch_brings_that_was_given_up_is_dropped() {
        let cache = preloaded();
        let snapshot = Snapshot {
            generation: 7,
            ..Snapshot::permanent(JwkSet::parse(JWKS).unwrap())
        };
        let fetched = Fetched {
            snapshot,
            not_modified: true,
        };
        assert!(cache.shared.land(1, Ok(fetched)).is_none());
        assert_eq!(cache.generation(), 1);
        let failed = FetchError::Deadline(Duration::ZERO);
        assert!(cache.shared.land(1, Err(failed)).is_none());
        assert_eq!(cache.metrics(), KeyMetrics::default());
    }
}
