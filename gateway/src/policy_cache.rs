//! The policy cache: authorizer outputs by token, for as long as the API says.
//!
//! It keeps the whole output and no verdict: each hit is evaluated for that request's own method ARN (observed), which is
//! why a policy for one method refuses every other one until it expires. An output that denies is kept like one that
//! allows; errors and malformed answers never get here. The time to live counts from the put, and nothing renews it.
//!
//! One cache serves one authorizer of one stage of one API, so these parts of AWS's key are the cache's identity, and the
//! header's value is what is left of it. The cache reads no clock.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::decision::AuthorizerOutput;

/// Entries: more than a phase of the bench has tokens unless it asks for it, and few enough that the tokens alone, at 10 KB each,
/// stay within the bound on bytes three times over.
pub const ENTRIES_MAX: usize = 16_384;

/// Keys and outputs together. An output may have 6 MB, so counting entries alone would bound nothing.
const BYTES_MAX: usize = 512 * 1024 * 1024;

/// Outputs by token.
pub struct PolicyCache {
    ttl: Duration,
    entries_max: usize,
    bytes_max: usize,
    bytes: usize,
    outputs: HashMap<Arc<[u8]>, Entry>,
    /// In order of their puts, which is the order in which they expire. An entry that was put again is here twice, and
    /// only its later place counts.
    order: VecDeque<(Arc<[u8]>, Instant)>,
}

struct Entry {
    output: Arc<AuthorizerOutput>,
    put: Instant,
}

impl PolicyCache {
    /// An empty cache. A `ttl` of zero keeps nothing.
    pub fn new(ttl: Duration) -> Self {
        Self::bounded(ttl, ENTRIES_MAX, BYTES_MAX)
    }

    /// An empty cache of so many entries at most, one at least; never more than [`ENTRIES_MAX`].
    pub fn with_entries(ttl: Duration, entries: usize) -> Self {
        Self::bounded(ttl, entries.clamp(1, ENTRIES_MAX), BYTES_MAX)
    }

    fn bounded(ttl: Duration, entries_max: usize, bytes_max: usize) -> Self {
        Self {
            ttl,
            entries_max,
            bytes_max,
            bytes: 0,
            outputs: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether anything is kept at all.
    pub fn is_on(&self) -> bool {
        !self.ttl.is_zero()
    }

    /// The output that was put for this token less than the time to live ago.
    pub fn get(&self, token: &[u8], now: Instant) -> Option<Arc<AuthorizerOutput>> {
        let entry = self.outputs.get(token)?;
        self.is_fresh(entry.put, now)
            .then(|| Arc::clone(&entry.output))
    }

    /// Keeps an output. The oldest ones make room. Whether one was kept for this token already: then somebody else has asked
    /// for the same at the same time.
    pub fn put(&mut self, token: &[u8], output: Arc<AuthorizerOutput>, now: Instant) -> bool {
        if !self.is_on() {
            return false;
        }
        while let Some((_, put)) = self.order.front() {
            if self.is_fresh(*put, now) {
                break;
            }
            self.evict_oldest();
        }
        let size = size(token, &output);
        if size > self.bytes_max {
            return false;
        }
        while self.order.len() >= self.entries_max || self.bytes + size > self.bytes_max {
            self.evict_oldest();
        }
        let key: Arc<[u8]> = Arc::from(token);
        self.order.push_back((Arc::clone(&key), now));
        self.bytes += size;
        let Some(replaced) = self.outputs.insert(key, Entry { output, put: now }) else {
            return false;
        };
        self.bytes -= self::size(token, &replaced.output);
        self.is_fresh(replaced.put, now)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.outputs.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// How many outputs are kept, expired ones included until the next put.
    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    fn is_fresh(&self, put: Instant, now: Instant) -> bool {
        now.saturating_duration_since(put) < self.ttl
    }

    fn evict_oldest(&mut self) {
        let Some((token, put)) = self.order.pop_front() else {
            return;
        };
        let is_latest = self
            .outputs
            .get(&token)
            .is_some_and(|entry| entry.put == put);
        if let Some(evicted) = is_latest.then(|| self.outputs.remove(&token)).flatten() {
            self.bytes -= size(&token, &evicted.output);
        }
    }
}

/// What an entry holds. The parsed output is about as large as the payload that it was read from.
fn size(token: &[u8], output: &AuthorizerOutput) -> usize {
    token.len() + output.bytes()
}

/// Without the tokens.
impl fmt::Debug for PolicyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyCache")
            .field("ttl", &self.ttl)
            .field("entries", &self.outputs.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switches::Switches;

    const TTL: Duration = Duration::from_mins(5);

    fn output(principal: &str) -> Arc<AuthorizerOutput> {
        let text =
            format!(r#"{{"principalId":"{principal}","policyDocument":{{"Statement":[]}}}}"#);
        Arc::new(AuthorizerOutput::from_json(text.as_bytes(), &Switches::default()).unwrap())
    }

    fn principal(cache: &PolicyCache, token: &[u8], now: Instant) -> Option<String> {
        cache
            .get(token, now)
            .and_then(|output| output.principal_id().map(str::to_owned))
    }

    #[test]
    fn the_time_to_live_counts_from_the_put_and_a_hit_does_not_renew_it() {
        let mut cache = PolicyCache::new(TTL);
        let start = Instant::now();
        cache.put(b"a", output("a"), start);
        let last = start + TTL.saturating_sub(Duration::from_nanos(1));
        assert_eq!(principal(&cache, b"a", start).as_deref(), Some("a"));
        assert_eq!(principal(&cache, b"a", last).as_deref(), Some("a"));
        assert_eq!(principal(&cache, b"a", start + TTL), None);
        assert_eq!(principal(&cache, b"b", start), None);
        cache.put(b"b", output("b"), start + TTL);
        assert_eq!(cache.len(), 1, "what has expired makes room");
    }

    #[test]
    fn a_time_to_live_of_zero_keeps_nothing() {
        let mut cache = PolicyCache::new(Duration::ZERO);
        let start = Instant::now();
        cache.put(b"a", output("a"), start);
        assert!(!cache.is_on() && cache.is_empty());
    }

    #[test]
    fn the_oldest_entries_make_room_within_both_bounds() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut cache = PolicyCache::bounded(TTL, 2, BYTES_MAX);
        for (index, token) in [b"a", b"b", b"c"].into_iter().enumerate() {
            cache.put(
                token,
                output("x"),
                start + second * u32::try_from(index).unwrap(),
            );
        }
        assert_eq!((cache.get(b"a", start).is_some(), cache.len()), (false, 2));

        let one = size(b"a", &output("x"));
        let mut cache = PolicyCache::bounded(TTL, 10, 2 * one);
        for token in [b"a", b"b", b"c"] {
            cache.put(token, output("x"), start);
        }
        assert_eq!((cache.len(), cache.bytes), (2, 2 * one));
        cache.put(b"d", output(&"x".repeat(2 * one)), start);
        assert_eq!(cache.len(), 2, "an output that never fits evicts nothing");
        cache.clear();
        assert_eq!((cache.len(), cache.bytes), (0, 0));
    }

    #[test]
    fn an_entry_that_is_put_again_is_counted_once_and_outlives_its_first_put() {
        let start = Instant::now();
        let mut cache = PolicyCache::new(TTL);
        cache.put(b"a", output("first"), start);
        cache.put(b"a", output("later"), start + TTL / 2);
        assert_eq!(cache.bytes, size(b"a", &output("later")));
        cache.put(b"b", output("b"), start + TTL);
        assert_eq!(
            principal(&cache, b"a", start + TTL).as_deref(),
            Some("later")
        );
    }
}
