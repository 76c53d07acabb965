//! One RSA public key of a JWK Set: what makes it usable, and the verification with it.

use std::fmt;

use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::strict_json::{Member, read_object};

/// RS256: RSASSA-PKCS1-v1_5 with SHA-256 and a modulus of 2048 to 8192 bits.
static RS256: &RsaParameters = &RSA_PKCS1_2048_8192_SHA256;

/// Smallest modulus in bits (RFC 7518 §3.3).
const MIN_MODULUS_BITS: usize = 2048;

/// Largest modulus in bits: what the RSA implementation takes. Verification time grows with the square of the size.
const MAX_MODULUS_BITS: usize = 8192;

/// Largest public exponent in bytes. Every issuer uses 65537; AWS-LC refuses exponents above 33 bits, because they make
/// a verification as slow as a signature.
const MAX_EXPONENT_BYTES: usize = 4;

/// A public key that may verify RS256 signatures, parsed once.
pub struct VerificationKey {
    kid: Option<String>,
    public_key: ParsedPublicKey,
}

impl VerificationKey {
    /// The key of a JWK, or `None` if the JWK is not one that this authorizer may use:
    ///
    /// - `kty` is `RSA` (RFC 7517 §4.1); `use`, if present, is `sig` (§4.2); `key_ops`, if present, holds `verify` (§4.3);
    ///   `alg`, if present, is `RS256` (§4.4); `kid`, if present, is a string (§4.5);
    /// - the modulus has 2048 to 8192 bits and is odd, the exponent is odd and at least 3 (RFC 7518 §3.3, RFC 8017 §3.1);
    /// - it has no private member (RFC 7518 §6.3.2): a signing key that is published is everybody's, so a signature by it
    ///   proves nothing.
    pub(crate) fn from_jwk(jwk: &str) -> Option<VerificationKey> {
        let [kty, usage, key_ops, alg, kid, n, e, private @ ..] = read_object(
            jwk,
            &[
                "kty", "use", "key_ops", "alg", "kid", "n", "e", "d", "p", "q", "dp", "dq", "qi",
            ],
        )
        .ok()?;
        let is_absent_or = |member: Member<'_>, wanted: &str| match member {
            Member::Absent => true,
            Member::Text(text) => text == wanted,
            _ => false,
        };
        let may_verify = match key_ops {
            Member::Absent => true,
            Member::Texts(operations) => operations.iter().any(|operation| operation == "verify"),
            _ => false,
        };
        let is_public = private.iter().all(|member| *member == Member::Absent);
        let is_usable = kty == Member::Text("RSA".into())
            && is_absent_or(usage, "sig")
            && may_verify
            && is_absent_or(alg, "RS256")
            && is_public;
        if !is_usable {
            return None;
        }
        let kid = match kid {
            Member::Absent => None,
            Member::Text(kid) => Some(kid.into_owned()),
            _ => return None,
        };
        let public_key = public_key(&unsigned(&n)?, &unsigned(&e)?)?;
        Some(VerificationKey { kid, public_key })
    }

    /// The key id, if the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public_key.verify_sig(message, signature).is_ok()
    }

    pub(super) fn is_same_key(&self, other: &VerificationKey) -> bool {
        self.public_key.as_ref() == other.public_key.as_ref()
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerificationKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// A `Base64urlUInt` (RFC 7518 §2): big-endian, without leading zero octets.
fn unsigned(member: &Member<'_>) -> Option<Vec<u8>> {
    let Member::Text(text) = member else {
        return None;
    };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.as_bytes()).ok()?;
    bytes
        .first()
        .is_some_and(|first| *first != 0)
        .then_some(bytes)
}

fn public_key(n: &[u8], e: &[u8]) -> Option<ParsedPublicKey> {
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let leading_zeros = n.first()?.leading_zeros() as usize;
    let modulus_bits = n.len() * 8 - leading_zeros;
    let is_sound = (MIN_MODULUS_BITS..=MAX_MODULUS_BITS).contains(&modulus_bits)
        && is_odd(n)
        && e.len() <= MAX_EXPONENT_BYTES
        && is_odd(e)
        && e != [1];
    if !is_sound {
        return None;
    }
    RsaPublicKeyComponents { n, e }
        .to_parsed_public_key(RS256)
        .ok()
}
