//! A JWK Set (RFC 7517): which of its keys may verify, and which one a token means.
//!
//! Parsing happens once a rotation. Fetching is [`fetch`]'s, keeping is [`cache`]'s.

mod absent;
mod back_off;
pub(crate) mod cache;
pub(crate) mod fetch;
mod fingerprint;
mod freshness;
mod key;
mod ledger;
pub(crate) mod limits;
pub(crate) mod metrics;
mod snapshot;
pub(crate) mod source;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

pub use key::VerificationKey;

use crate::{Algorithm, Algorithms, Rejection};

/// Why a document is not a set of keys that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JwkSetError {
    /// No key of the set can verify with an allowed algorithm.
    #[error(
        "the JWK Set has no usable key: expected a public signature key for an allowed algorithm, RSA with 2048 to 8192 bits"
    )]
    NoUsableKey,
    /// The document is not a JSON object with an array `keys`.
    #[error(
        "the document is not a JWK Set, an object with an array \"keys\" (line {line}, column {column})"
    )]
    NotAJwkSet {
        /// Line of the first fault, from 1.
        line: usize,
        /// Column of the first fault, from 1.
        column: usize,
    },
}

/// What a token says about its key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WantedKey<'a> {
    pub(crate) kid: Option<&'a str>,
    pub(crate) algorithm: Algorithm,
}

/// The usable keys of one issuer.
#[derive(Debug)]
pub struct JwkSet {
    keys: Vec<Arc<VerificationKey>>,
    /// Key ids that several different usable keys share.
    ambiguous: Vec<String>,
}

#[derive(Deserialize)]
struct Document<'a> {
    // Other members of the set are ignored, as RFC 7517 §5 demands.
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl JwkSet {
    /// Parses a JWK Set document for tokens that are signed with RS256.
    pub fn parse(document: &[u8]) -> Result<JwkSet, JwkSetError> {
        JwkSet::parse_for(document, &Algorithms::default())
    }

    /// Parses a JWK Set document for tokens that are signed with one of these algorithms.
    ///
    /// Keys that this authorizer does not understand or must not use are skipped (RFC 7517 §5): one odd key does not
    /// spoil the set. Where several *different* usable keys share a `kid` and an algorithm, none of them is used and tokens
    /// that name it are refused, because nothing says which one the issuer meant (RFC 7517 §4.5); the same key listed twice
    /// is one key, for the algorithms of both listings.
    pub fn parse_for(document: &[u8], allowed: &Algorithms) -> Result<JwkSet, JwkSetError> {
        let document: Document<'_> =
            serde_json::from_slice(document).map_err(|error| JwkSetError::NotAJwkSet {
                line: error.line(),
                column: error.column(),
            })?;
        let mut set = JwkSet {
            keys: Vec::new(),
            ambiguous: Vec::new(),
        };
        for jwk in document.keys {
            if let Some(key) = VerificationKey::from_jwk(jwk.get(), allowed) {
                set.insert(key);
            }
        }
        if set.keys.is_empty() && set.ambiguous.is_empty() {
            return Err(JwkSetError::NoUsableKey);
        }
        Ok(set)
    }

    fn insert(&mut self, key: VerificationKey) {
        if let Some(kid) = key.kid() {
            if self.ambiguous.iter().any(|ambiguous| ambiguous == kid) {
                return;
            }
            // Keys of different types may share a key id (RFC 7517 §4.5); the token's algorithm tells them apart. And one
            // key may be listed again, perhaps with `alg` here and without it there.
            let mut rivals = self.keys.iter().filter(|other| other.kid() == Some(kid));
            if rivals.any(|rival| rival.contradicts(&key)) {
                self.ambiguous.push(kid.to_owned());
                self.keys.retain(|other| other.kid() != Some(kid));
                return;
            }
        }
        self.keys.push(Arc::new(key));
    }

    /// The key that a token means. A token without `kid` is taken only if there is exactly one key that it can mean, however
    /// often that one is listed.
    pub fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&Arc<VerificationKey>, Rejection> {
        let Some(kid) = kid else {
            let mut candidates = self.keys.iter().filter(|key| key.serves(algorithm));
            return match candidates.next() {
                Some(only)
                    if self.ambiguous.is_empty()
                        && candidates.all(|other| other.is_same_for(algorithm, only)) =>
                {
                    Ok(only)
                }
                _ => Err(Rejection::KidMissing),
            };
        };
        let mut of_kid = self
            .keys
            .iter()
            .filter(|key| key.kid() == Some(kid))
            .peekable();
        if of_kid.peek().is_some() {
            return of_kid
                .find(|key| key.serves(algorithm))
                .ok_or(Rejection::KeyNotForAlgorithm);
        }
        if self.ambiguous.iter().any(|ambiguous| ambiguous == kid) {
            return Err(Rejection::KidAmbiguous);
        }
        Err(Rejection::KidUnknown)
    }
}
