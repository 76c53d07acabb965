//! Tokens that were verified a moment ago, so that the same token costs a hash and not a signature check.
//!
//! Useful where API Gateway's own cache is off (a TTL of 0) or does not hit. A token is known by the SHA-256 of its whole
//! text and is never kept itself; what is kept is what the verification found. An entry ends with the token, after the
//! settings' time, and at once when the issuer's keys change.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::digest;

use crate::VerifiedToken;

/// Most entries that can be asked for. At an estimated 300 bytes for an entry with its token's principal and scopes that is
/// 20 MB, a sixth of the smallest Lambda function.
pub const MAX_TOKEN_CACHE_ENTRIES: usize = 65_536;

/// A digest of SHA-256.
type Digest = [u8; 32];

/// A table with one place for each value of the digest's first bytes. The bound needs no bookkeeping: two tokens that
/// share a place take turns, and the loser is verified again.
pub(crate) struct TokenCache {
    places: Box<[Mutex<Option<Entry>>]>,
    ttl_s: i64,
}

struct Entry {
    digest: Digest,
    /// The issuer, by its place in the settings.
    issuer: usize,
    /// The generation of the issuer's keys that the signature was verified with.
    generation: u64,
    /// First second at which the entry no longer counts.
    ends_at: i64,
    token: VerifiedToken,
}

/// What a token is known by.
#[derive(Clone, Copy)]
pub(crate) struct TokenDigest(Digest);

impl TokenDigest {
    pub(crate) fn of(token: &str) -> TokenDigest {
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        // `SHA256` makes 32 bytes; another length could only come from another algorithm.
        TokenDigest(hash.as_ref().try_into().unwrap_or_default())
    }
}

impl TokenCache {
    /// A cache of so many entries, at most [`MAX_TOKEN_CACHE_ENTRIES`]; `None` for 0, which is no cache.
    pub(crate) fn new(entries: usize, ttl_s: i64) -> Option<TokenCache> {
        let places = (0..entries.min(MAX_TOKEN_CACHE_ENTRIES)).map(|_| Mutex::new(None));
        let places: Box<[_]> = places.collect();
        (!places.is_empty()).then_some(TokenCache { places, ttl_s })
    }

    /// The token, if it was verified with the keys that its issuer has now. `generation` gives the generation of an
    /// issuer's keys, or `None` where they are not fresh.
    pub(crate) fn get(
        &self,
        digest: TokenDigest,
        now_s: i64,
        generation: impl FnOnce(usize) -> Option<u64>,
    ) -> Option<VerifiedToken> {
        let place = self
            .place(digest)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = place.as_ref()?;
        let counts = entry.digest == digest.0
            && now_s < entry.ends_at
            && generation(entry.issuer) == Some(entry.generation);
        counts.then(|| entry.token.clone())
    }

    /// Keeps a token that was just verified with keys of this generation.
    pub(crate) fn insert(
        &self,
        digest: TokenDigest,
        issuer: usize,
        generation: u64,
        now_s: i64,
        token: &VerifiedToken,
    ) {
        let ends_at = token.expires_at().min(now_s.saturating_add(self.ttl_s));
        // A token that only the leeway lets in must not push out one that is good for longer.
        if ends_at <= now_s {
            return;
        }
        let entry = Entry {
            digest: digest.0,
            issuer,
            generation,
            ends_at,
            token: token.clone(),
        };
        *self
            .place(digest)
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(entry);
    }

    fn place(&self, TokenDigest(digest): TokenDigest) -> &Mutex<Option<Entry>> {
        let first = digest
            .first_chunk()
            .map_or(0, |first| u64::from_le_bytes(*first));
        let count = self.places.len() as u64;
        // Smaller than the number of places, which is a `usize`.
        &self.places[usize::try_from(first % count).unwrap_or_default()]
    }
}

/// Neither digests nor tokens are for a log.
impl fmt::Debug for TokenCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenCache")
            .field("places", &self.places.len())
            .field("ttl_s", &self.ttl_s)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000;

    fn cache_with(text: &str, expires_at: i64, ttl_s: i64) -> TokenCache {
        let cache = TokenCache::new(8, ttl_s).unwrap();
        let token = VerifiedToken::for_tests("someone", expires_at);
        cache.insert(TokenDigest::of(text), 0, 7, NOW, &token);
        cache
    }

    #[test]
    fn an_entry_ends_with_the_token_and_after_its_time() {
        let found = |cache: &TokenCache, now| {
            cache
                .get(TokenDigest::of("a.b.c"), now, |_| Some(7))
                .is_some()
        };
        let by_token = cache_with("a.b.c", NOW + 10, 300);
        assert!(found(&by_token, NOW + 9));
        assert!(!found(&by_token, NOW + 10));
        let by_ttl = cache_with("a.b.c", NOW + 1_000, 300);
        assert!(found(&by_ttl, NOW + 299));
        assert!(!found(&by_ttl, NOW + 300));
    }

    #[test]
    fn an_entry_ends_when_the_keys_change_or_are_not_fresh() {
        let cache = cache_with("a.b.c", NOW + 1_000, 300);
        let with = |generation| cache.get(TokenDigest::of("a.b.c"), NOW, |_| generation);
        assert!(with(Some(7)).is_some());
        assert!(with(Some(8)).is_none());
        assert!(with(None).is_none());
    }

    #[test]
    fn a_token_past_its_end_pushes_out_no_other() {
        let cache = TokenCache::new(1, 300).unwrap();
        let good = VerifiedToken::for_tests("good", NOW + 100);
        cache.insert(TokenDigest::of("good"), 0, 7, NOW, &good);
        let late = VerifiedToken::for_tests("late", NOW);
        cache.insert(TokenDigest::of("late"), 0, 7, NOW, &late);
        let found = |text| cache.get(TokenDigest::of(text), NOW, |_| Some(7)).is_some();
        assert!(found("good") && !found("late"));
    }

    #[test]
    fn another_text_is_another_token() {
        let cache = cache_with("a.b.c", NOW + 1_000, 300);
        for other in ["a.b.C", "a.b.c.", "a.b", "", "a.b.d"] {
            assert!(
                cache
                    .get(TokenDigest::of(other), NOW, |_| Some(7))
                    .is_none(),
                "{other}"
            );
        }
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        assert!(TokenCache::new(0, 300).is_none());
        assert_eq!(
            TokenCache::new(usize::MAX, 1).unwrap().places.len(),
            MAX_TOKEN_CACHE_ENTRIES
        );
    }
}
