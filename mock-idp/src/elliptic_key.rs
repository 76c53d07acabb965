//! An attacker's P-256 key (RFC 7518 §3.4, §6.2.1): a token of another kind of signature than the issuer's.
//!
//! One for all issuers, from a fixed seed. It signs by plain arithmetic, with a nonce that is made of the message: AWS-LC draws
//! its nonces, and the same recipe has to give the same token. The key is no secret, so that nobody learns anything by it.

use std::sync::LazyLock;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{SHA256, digest};
use rsa::BigUint;
use serde_json::{Value, json};

use crate::encoding::base64url;
use crate::signing_key::left_padded;

/// Bytes of a coordinate, of a private key and of either half of a signature.
const FIELD_BYTES: usize = 32;

/// The order of the base point, SP 800-186 §3.2.1.3.
static ORDER: LazyLock<BigUint> = LazyLock::new(|| {
    BigUint::from_bytes_be(&[
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ])
});

static KEY: LazyLock<BigUint> = LazyLock::new(|| scalar(b"authbench mock-idp p-256 key"));

/// The public key as a JWK, under the `kid` `attacker-p256`.
pub(crate) fn public_jwk() -> Value {
    let [x, y] = times_base_point(&KEY);
    json!({
        "kty": "EC", "crv": "P-256", "kid": "attacker-p256", "use": "sig", "alg": "ES256",
        "x": base64url(&x), "y": base64url(&y),
    })
}

/// `ES256`, RFC 7518 §3.4: ECDSA as FIPS 186-5 §6.4.1 has it, both halves of the signature in 32 bytes.
pub(crate) fn sign(message: &[u8]) -> Vec<u8> {
    let order = &*ORDER;
    let hash = BigUint::from_bytes_be(digest(&SHA256, message).as_ref());
    let nonce = scalar(&[b"authbench mock-idp p-256 nonce", message].concat());
    let [x, _] = times_base_point(&nonce);
    let r = BigUint::from_bytes_be(&x) % order;
    // The order is a prime, and so the power of the order less two is the inverse.
    let inverse = nonce.modpow(&(order - 2_u8), order);
    let s = inverse * (hash + &r * &*KEY) % order;
    [left_padded(&r, FIELD_BYTES), left_padded(&s, FIELD_BYTES)].concat()
}

/// A number below the order and, but for one chance in 2^256, above zero.
fn scalar(seed: &[u8]) -> BigUint {
    BigUint::from_bytes_be(digest(&SHA256, seed).as_ref()) % &*ORDER
}

/// The coordinates of a multiple of the base point.
fn times_base_point(number: &BigUint) -> [Vec<u8>; 2] {
    let point = PrivateKey::from_private_key(&ECDH_P256, &left_padded(number, FIELD_BYTES))
        .and_then(|key| Ok(key.compute_public_key()?))
        .expect("a number between zero and the order is a private key");
    // SEC 1 §2.3.3: 04, and both coordinates.
    let (x, y) = point.as_ref()[1..].split_at(FIELD_BYTES);
    [x.to_vec(), y.to_vec()]
}
