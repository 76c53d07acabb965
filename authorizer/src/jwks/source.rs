//! Where the keys of an issuer come from. Nothing here comes from a token.

mod issuer;

use std::{sync::Arc, time::SystemTime};

use http::Uri;

pub(crate) use issuer::is_plain_loopback;
pub use issuer::{Issuer, IssuerError};

use super::{
    JwkSet, JwkSetError,
    fetch::Validators,
    fingerprint::Fingerprint,
    limits::KeySettings,
    snapshot::{Lifetime, Snapshot},
};
use crate::Algorithms;

/// Where the keys come from.
#[derive(Debug)]
pub enum KeySource {
    /// The `jwks_uri` of the issuer's metadata (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).
    Discovery {
        /// The issuer whose metadata is read.
        issuer: Issuer,
    },
    /// A URI, and a set that is used until it is older than its maximum age. It saves a cold start the fetch.
    Preloaded {
        /// The URI that is fetched from when the set grows old or lacks a key.
        uri: Uri,
        /// The set.
        keys: PreloadedKeys,
    },
    /// A set that is never fetched and never grows old. Revocation is then a new deployment.
    Static(JwkSet),
    /// A URI.
    Uri(Uri),
}

impl From<Uri> for KeySource {
    fn from(uri: Uri) -> KeySource {
        KeySource::Uri(uri)
    }
}

impl From<Issuer> for KeySource {
    fn from(issuer: Issuer) -> KeySource {
        KeySource::Discovery { issuer }
    }
}

impl From<JwkSet> for KeySource {
    fn from(keys: JwkSet) -> KeySource {
        KeySource::Static(keys)
    }
}

/// A key set that was packed with the function, and the time at which it was got.
#[derive(Debug)]
pub struct PreloadedKeys {
    keys: JwkSet,
    fingerprint: Option<Fingerprint>,
    got_at: SystemTime,
}

impl PreloadedKeys {
    /// Reads a JWK Set document that was fetched at `got_at`. It obeys the same maximum age and stale bound as a set that
    /// was fetched just then without cache headers, so a file that was packed weeks ago does no harm and no good.
    pub fn parse(
        document: &[u8],
        algorithms: &Algorithms,
        got_at: SystemTime,
    ) -> Result<PreloadedKeys, JwkSetError> {
        Ok(PreloadedKeys {
            keys: JwkSet::parse_for(document, algorithms)?,
            fingerprint: Fingerprint::of(document),
            got_at,
        })
    }

    pub(super) fn into_snapshot(self, settings: &KeySettings) -> Snapshot {
        Snapshot {
            keys: Arc::new(self.keys),
            generation: 1,
            fingerprint: self.fingerprint,
            validators: Validators::default(),
            lifetime: Some(Lifetime {
                document_at: self.got_at,
                fetched_at: self.got_at,
                max_age: settings.default_max_age,
            }),
        }
    }
}
