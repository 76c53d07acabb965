//! A verifier that believes the key which a token brings along in `jwk`, whatever its kind.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::Value;

use super::rsa_key::{number, signed_by};

/// Whether a token is signed by the key in its own header.
pub(super) fn has_signed(header: &Value, input: &str, signature: &[u8]) -> bool {
    let key = &header["jwk"];
    let coordinate = |name: &str| number(&key[name]).unwrap_or_default();
    let (algorithm, bytes): (&dyn aws_lc_rs::signature::VerificationAlgorithm, _) =
        match header["alg"].as_str() {
            Some("RS256") => return signed_by(key, input, signature),
            // SEC 1 §2.3.3.
            Some("ES256") => {
                let point = [vec![4], coordinate("x"), coordinate("y")].concat();
                (&ECDSA_P256_SHA256_FIXED, point)
            }
            Some("EdDSA") => (&ED25519, coordinate("x")),
            _ => return false,
        };
    let key = UnparsedPublicKey::new(algorithm, bytes);
    key.verify(input.as_bytes(), signature).is_ok()
}
