//! Textbook RSA of the verifier: which keys it takes, and whose signature it believes.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::BigUint;
use serde_json::Value;

pub(super) fn number(member: &Value) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(member.as_str()?).ok()
}

/// What the RFCs want of a key for RS256, and a bound on its length.
pub(super) fn usable(key: &Value) -> bool {
    let (Some(modulus), Some(exponent)) = (number(&key["n"]), number(&key["e"])) else {
        return false;
    };
    let verifies = match &key["key_ops"] {
        Value::Array(operations) => operations.iter().any(|one| one == "verify"),
        _ => true,
    };
    key["kty"] == "RSA"
        && verifies
        && (key["use"].is_null() || key["use"] == "sig")
        && (key["alg"].is_null() || key["alg"] == "RS256")
        && key["d"].is_null()
        && (256..=1_024).contains(&modulus.len())
        && exponent.len() <= 4
        && exponent != [1]
        && exponent.last().is_some_and(|lowest| lowest % 2 == 1)
}

pub(super) fn is_huge(key: &Value) -> bool {
    number(&key["n"]).is_some_and(|modulus| modulus.len() > 1_024)
}

/// What stands before a SHA-256 hash, RFC 8017 §9.2 note 1.
const DIGEST_INFO: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// The modulus, and what a signature is of, RFC 8017 §5.2.2.
fn opened(key: &Value, signature: &[u8]) -> Option<(Vec<u8>, BigUint)> {
    let (n, e) = (number(&key["n"])?, number(&key["e"])?);
    let message = BigUint::from_bytes_be(signature)
        .modpow(&BigUint::from_bytes_be(&e), &BigUint::from_bytes_be(&n));
    Some((n, message))
}

/// The same without a look at what stands behind the hash.
pub(super) fn begins_signed_by(key: &Value, input: &str, signature: &[u8]) -> bool {
    let Some((n, message)) = opened(key, signature) else {
        return false;
    };
    let message = message.to_bytes_be();
    // The first byte is zero, and not there.
    let [1, padded @ ..] = message.as_slice() else {
        return false;
    };
    let padding = padded.iter().take_while(|byte| **byte == 0xff).count();
    let mut wanted = vec![0x00];
    wanted.extend_from_slice(DIGEST_INFO);
    wanted.extend_from_slice(digest(&SHA256, input.as_bytes()).as_ref());
    message.len() + 1 == n.len() && padded[padding..].starts_with(&wanted)
}

/// RSASSA-PKCS1-v1_5 with SHA-256 in plain arithmetic, RFC 8017 §8.2.2.
pub(super) fn signed_by(key: &Value, input: &str, signature: &[u8]) -> bool {
    let Some((n, message)) = opened(key, signature) else {
        return false;
    };
    let mut wanted = vec![0x00, 0x01];
    wanted.resize(n.len().saturating_sub(DIGEST_INFO.len() + 33), 0xff);
    wanted.push(0x00);
    wanted.extend_from_slice(DIGEST_INFO);
    wanted.extend_from_slice(digest(&SHA256, input.as_bytes()).as_ref());
    message == BigUint::from_bytes_be(&wanted)
}
