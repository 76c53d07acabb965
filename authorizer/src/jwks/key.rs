//! One public key of a JWK Set: what makes it usable, and the verification with it.

use std::fmt;

use aws_lc_rs::{
    digest,
    signature::{ParsedPublicKey, RsaPublicKeyComponents},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    Algorithm, Algorithms,
    algorithm::KeyKind,
    strict_json::{Member, Wanted, read_object},
};

/// Smallest modulus in bits (RFC 7518 §3.3).
const MIN_MODULUS_BITS: usize = 2048;

/// Largest modulus in bits: what the RSA implementation takes. Verification time grows with the square of the size.
const MAX_MODULUS_BITS: usize = 8192;

/// Largest public exponent in bytes. Every issuer uses 65537; AWS-LC refuses exponents above 33 bits, because they make
/// a verification as slow as a signature.
const MAX_EXPONENT_BYTES: usize = 4;

/// The first octet of an uncompressed point (SEC 1 §2.3.3); JWK has no other form.
const UNCOMPRESSED: u8 = 4;

/// Bytes of an Ed25519 public key (RFC 8032 §5.1.5).
const ED25519_BYTES: usize = 32;

/// The two points of order eight, without the sign bit. The other points of small order have a y of -1, 0 or 1.
const ED25519_ORDER_EIGHT: [[u8; ED25519_BYTES]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// The members of a JWK that matter, the private ones last.
static JWK_NAMES: Wanted<17> = Wanted::new([
    "kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y", "d", "p", "q", "dp", "dq",
    "qi", "k",
]);

/// A public key that may verify signatures, parsed once for each algorithm that it may serve.
pub struct VerificationKey {
    kid: Option<String>,
    /// Never empty. Nearly always of one entry: an RSA key whose JWK names no `alg` has one for each allowed algorithm.
    parsed: Vec<(Algorithm, ParsedPublicKey)>,
}

impl VerificationKey {
    /// The key of a JWK, or `None` if the JWK is not one that this authorizer may use:
    ///
    /// - `kty` and `crv` fit an allowed algorithm (RFC 7517 §4.1, RFC 7518 §6, RFC 8037 §2); `use`, if present, is `sig`
    ///   (§4.2); `key_ops`, if present, holds `verify` (§4.3); `alg`, if present, is an allowed algorithm (§4.4), and the
    ///   only one that the key is then used with (RFC 8725 §3.1); `kid`, if present, is a string (§4.5);
    /// - an RSA modulus has 2048 to 8192 bits and is odd, the exponent is odd and at least 3 (RFC 7518 §3.3, RFC 8017
    ///   §3.1); a point lies on its curve and not in its small subgroup (RFC 8725 §3.4);
    /// - it has no private member (RFC 7518 §6.3.2): a signing key that is published is everybody's, so a signature by it
    ///   proves nothing.
    pub(crate) fn from_jwk(jwk: &str, allowed: &Algorithms) -> Option<VerificationKey> {
        let [kty, usage, key_ops, alg, kid, n, e, crv, x, y, private @ ..] =
            read_object(jwk, &JWK_NAMES).ok()?;
        let is_for_signatures = matches!(&usage, Member::Absent) || is_text(&usage, "sig");
        let may_verify = match key_ops {
            Member::Absent => true,
            Member::Texts(operations) => operations.iter().any(|operation| operation == "verify"),
            _ => false,
        };
        let is_public = private.iter().all(|member| *member == Member::Absent);
        if !(is_for_signatures && may_verify && is_public) {
            return None;
        }
        let pinned = match alg {
            Member::Absent => None,
            Member::Text(name) => Some(Algorithm::from_name(&name)?),
            _ => return None,
        };
        let kid = match kid {
            Member::Absent => None,
            Member::Text(kid) => Some(kid.into_owned()),
            _ => return None,
        };
        let material = Material {
            kty,
            crv,
            n,
            e,
            x,
            y,
        };
        let parsed: Vec<_> = allowed
            .iter()
            .filter(|algorithm| pinned.is_none_or(|pinned| pinned == *algorithm))
            .filter_map(|algorithm| Some((algorithm, material.parse(algorithm)?)))
            .collect();
        (!parsed.is_empty()).then_some(VerificationKey { kid, parsed })
    }

    /// The key id, if the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether the key may be used with this algorithm.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.parsed.iter().any(|(served, _)| *served == algorithm)
    }

    /// Whether `signature` is one of this key over `message`. A key never verifies with an algorithm that it does not serve.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let mut parsed = self.parsed.iter();
        let Some((_, key)) = parsed.find(|(served, _)| *served == algorithm) else {
            return false;
        };
        match algorithm.hash() {
            // One per cent of an RSA verification faster than to leave the hash to it, which copies its state.
            Some(hash) => key.verify_digest_sig(&digest::digest(hash, message), signature),
            None => key.verify_sig(message, signature),
        }
        .is_ok()
    }

    /// Whether both are one key to a token of this algorithm.
    pub(super) fn is_same_for(&self, algorithm: Algorithm, other: &VerificationKey) -> bool {
        let of = |key: &VerificationKey| {
            let mut parsed = key.parsed.iter();
            parsed
                .find(|(served, _)| *served == algorithm)
                .map(|(_, key)| key.as_ref().to_vec())
        };
        of(self).is_some_and(|key| of(other) == Some(key))
    }

    /// Whether an algorithm that both serve has different keys in them.
    pub(super) fn contradicts(&self, other: &VerificationKey) -> bool {
        let mut pairs = self.parsed.iter().flat_map(|one| {
            let others = other.parsed.iter();
            others.map(move |other| (one, other))
        });
        pairs.any(|((algorithm, key), (other_algorithm, other_key))| {
            algorithm == other_algorithm && key.as_ref() != other_key.as_ref()
        })
    }
}

fn is_text(member: &Member<'_>, wanted: &str) -> bool {
    matches!(member, Member::Text(text) if text == wanted)
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

/// The members of a JWK that make up the public key.
struct Material<'a> {
    kty: Member<'a>,
    crv: Member<'a>,
    n: Member<'a>,
    e: Member<'a>,
    x: Member<'a>,
    y: Member<'a>,
}

impl Material<'_> {
    /// The key for an algorithm; `None` if it is of another kind or unsound.
    fn parse(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        match algorithm.key_kind() {
            KeyKind::Rsa if is_text(&self.kty, "RSA") => {
                rsa_key(algorithm, &unsigned(&self.n)?, &unsigned(&self.e)?)
            }
            KeyKind::Ec {
                curve,
                coordinate_bytes,
            } if is_text(&self.kty, "EC") && is_text(&self.crv, curve) => {
                let mut point = vec![UNCOMPRESSED];
                point.extend(octets(&self.x, coordinate_bytes)?);
                point.extend(octets(&self.y, coordinate_bytes)?);
                ParsedPublicKey::new(algorithm.point_verification()?, point).ok()
            }
            KeyKind::Ed25519 if is_text(&self.kty, "OKP") && is_text(&self.crv, "Ed25519") => {
                let point = octets(&self.x, ED25519_BYTES)?;
                if has_small_order(&point) {
                    return None;
                }
                ParsedPublicKey::new(algorithm.point_verification()?, point).ok()
            }
            _ => None,
        }
    }
}

/// An octet string of exactly this length (RFC 7518 §6.2.1.2, RFC 8037 §2).
fn octets(member: &Member<'_>, length: usize) -> Option<Vec<u8>> {
    let Member::Text(text) = member else {
        return None;
    };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.as_bytes()).ok()?;
    (bytes.len() == length).then_some(bytes)
}

/// Whether an Ed25519 point has an order of at most eight, in any of its encodings. Signatures that hold for every message
/// or for every eighth can be made up for such a key: it is what the exponent 1 is to RSA.
fn has_small_order(point: &[u8]) -> bool {
    let Some((last, rest)) = point.split_last() else {
        return false;
    };
    // The top bit is the sign of x, and both signs have the same order.
    let last = last & 0x7f;
    let is = |y: &[u8; ED25519_BYTES]| y[..rest.len()] == *rest && y[rest.len()] == last;
    // y is 0 or 1, or one of p - 1, p and p + 1 for p = 2^255 - 19: little-endian, so the first octet tells them apart.
    let is_near_zero = last == 0 && rest[1..].iter().all(|octet| *octet == 0) && rest[0] <= 1;
    let is_near_p = last == 0x7f
        && rest[1..].iter().all(|octet| *octet == 0xff)
        && (0xec..=0xee).contains(&rest[0]);
    is_near_zero || is_near_p || ED25519_ORDER_EIGHT.iter().any(is)
}

fn rsa_key(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Option<ParsedPublicKey> {
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
        .to_parsed_public_key(algorithm.rsa_parameters()?)
        .ok()
}

#[cfg(test)]
mod vectors;
