//! An RSA key of 1,024 bits, which RFC 7518 §3.3 forbids: it signs, so that a verifier can be asked whether it minds.
//!
//! One for all issuers, from a fixed seed, and as little of a secret as every key here.

use std::sync::LazyLock;

use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};

use crate::encoding::base64url;
use crate::recipe::EncodedMessage;
use crate::signing_key::{emsa, left_padded};

const MODULUS_BITS: usize = 1_024;

/// Generating it takes 20 to 100 ms, and few runs need it.
static KEY: LazyLock<RsaPrivateKey> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::from_seed(*b"authbench mock-idp rsa-1024 key\0");
    RsaPrivateKey::new(&mut rng, MODULUS_BITS)
        .expect("a key of a usual length and exponent is always found")
});

/// The public key as a JWK, under the `kid` `small-1024`.
pub(crate) fn public_jwk() -> Value {
    json!({
        "kty": "RSA", "kid": "small-1024", "use": "sig", "alg": "RS256",
        "n": base64url(&KEY.n().to_bytes_be()), "e": base64url(&KEY.e().to_bytes_be()),
    })
}

/// RS256 (RFC 8017 §8.2.1) by the raw operation: no library signs with so small a key.
pub(crate) fn sign(message: &[u8]) -> Vec<u8> {
    let length = MODULUS_BITS / 8;
    let encoded = emsa::pkcs1(EncodedMessage::Canonical, message, length);
    let signature = BigUint::from_bytes_be(&encoded).modpow(KEY.d(), KEY.n());
    left_padded(&signature, length)
}
