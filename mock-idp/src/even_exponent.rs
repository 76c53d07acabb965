//! A key whose public exponent is 2, which RFC 8017 §3.1 forbids: no even exponent has an inverse, and not each message a
//! signature. Those that have one are squares, and whoever knows the primes finds the root. Nobody else does, as with any RSA key.
//!
//! One for all issuers, and no secret. Its primes are made like those of [`crate::key_length`], of `even-exponent`; both leave 3
//! when they are divided by 4, because roots are then a power (Handbook of Applied Cryptography, algorithm 3.36).

use std::sync::LazyLock;

use rsa::BigUint;
use serde_json::{Value, json};

use crate::encoding::base64url;
use crate::key_length::seeded;
use crate::recipe::EncodedMessage;
use crate::signing_key::{emsa, left_padded};

/// As long as the issuer's key.
const MODULUS_BYTES: usize = 256;

/// Signing inputs that are looked through. One in four has a root; that none of so many has one happens once in 10^31.
const TRIES_MAX: usize = 250;

/// The primes.
static PRIMES: LazyLock<[BigUint; 2]> = LazyLock::new(|| {
    // From the start of the search to the prime.
    [("p", 148_u32), ("q", 1_256)].map(|(name, distance)| {
        seeded(&format!("even-exponent {name}"), MODULUS_BYTES / 2) + BigUint::from(distance)
    })
});

/// The public key as a JWK, under the `kid` `exponent-two`.
pub(crate) fn public_jwk() -> Value {
    let [p, q] = &*PRIMES;
    json!({
        "kty": "RSA", "kid": "exponent-two", "use": "sig", "alg": "RS256",
        "n": base64url(&(p * q).to_bytes_be()), "e": base64url(&[2]),
    })
}

/// The first of these signing inputs that can be signed.
pub(crate) fn first_with_root(inputs: impl FnMut(usize) -> String) -> String {
    (0..TRIES_MAX)
        .map(inputs)
        .find(|input| {
            let encoded = encoded(input.as_bytes());
            let root = root(&encoded);
            let [p, q] = &*PRIMES;
            &root * &root % (p * q) == encoded
        })
        .expect("one of so many signing inputs has a root")
}

/// The root of the encoded message (RFC 8017 §9.2); of another number where it has none.
pub(crate) fn sign(message: &[u8]) -> Vec<u8> {
    left_padded(&root(&encoded(message)), MODULUS_BYTES)
}

fn encoded(message: &[u8]) -> BigUint {
    let encoded = emsa::pkcs1(EncodedMessage::Canonical, message, MODULUS_BYTES);
    BigUint::from_bytes_be(&encoded)
}

fn root(square: &BigUint) -> BigUint {
    let [p, q] = &*PRIMES;
    let one = BigUint::from(1_u8);
    let modulo = |prime: &BigUint| square.modpow(&((prime + &one) >> 2), prime);
    let (of_p, of_q) = (modulo(p), modulo(q));
    // Garner's formula: of_p + p * ((of_q - of_p) / p mod q), the inverse by Fermat.
    let inverse = p.modpow(&(q - 2_u8), q);
    let difference = (of_q + q - &of_p % q) % q;
    of_p + p * (difference * inverse % q)
}
