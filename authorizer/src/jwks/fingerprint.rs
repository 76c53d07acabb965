//! Whether two documents hold the same keys.

use aws_lc_rs::digest::{Context, Digest, SHA256};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a document says about its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl Fingerprint {
    /// The fingerprint of a JWK Set, or `None` for another document.
    ///
    /// Keys count with their exact text, so that no change of a key can hide behind a reading of it; their order, other
    /// members of the set and the space around them mean nothing (RFC 7517 §5) and do not count. A replica that lists the
    /// same keys in another order is not a change of keys.
    pub(super) fn of(document: &[u8]) -> Option<Fingerprint> {
        let document: Document<'_> = serde_json::from_slice(document).ok()?;
        let mut keys: Vec<_> = document.keys.iter().map(|jwk| jwk.get()).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut context = Context::new(&SHA256);
        for jwk in keys {
            // The length ends one text and the next begins: two keys cannot pass for one.
            context.update(&(jwk.len() as u64).to_be_bytes());
            context.update(jwk.as_bytes());
        }
        let digest: Digest = context.finish();
        Some(Fingerprint(digest.as_ref().try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_space_do_not_count_and_any_byte_of_a_key_does() {
        let of = |document: &str| Fingerprint::of(document.as_bytes()).unwrap();
        let base = of(r#"{"keys":[{"kid":"a","n":"AA"},{"kid":"b","n":"AA"}]}"#);
        for same in [
            r#"{"keys":[{"kid":"b","n":"AA"},{"kid":"a","n":"AA"}]}"#,
            r#"{"keys" : [ {"kid":"a","n":"AA"} , {"kid":"b","n":"AA"} ], "next": 1}"#,
            r#"{"keys":[{"kid":"a","n":"AA"},{"kid":"b","n":"AA"},{"kid":"a","n":"AA"}]}"#,
        ] {
            assert_eq!(of(same), base, "{same}");
        }
        for other in [
            r#"{"keys":[{"kid":"a","n":"AA"}]}"#,
            r#"{"keys":[{"kid":"a","n":"AA"},{"kid":"b","n":"AB"}]}"#,
            r#"{"keys":[{"kid":"a","n":"AA"},{"kid":"b","n":"AA","alg":"RS256"}]}"#,
            r#"{"keys":[]}"#,
        ] {
            assert_ne!(of(other), base, "{other}");
        }
        assert_eq!(Fingerprint::of(b"{\"keys\":{}}"), None);
    }
}
