//! Verified tokens. They cannot be made up, so these are signed.

use std::sync::LazyLock;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::{JwkSet, VerifiedToken, Verifier};

/// 2026-11-23T10:00:00Z.
pub(super) const EXPIRES_AT: i64 = 1_795_428_000;

static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

/// A token with these scopes that expires at [`EXPIRES_AT`].
pub(super) fn token(scope: &str) -> VerifiedToken {
    let header = json!({"alg": "RS256", "kid": "k"}).to_string();
    let claims = json!({"iss": "i", "aud": "a", "sub": "s", "exp": EXPIRES_AT, "scope": scope});
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let input = encode(header.as_bytes()) + "." + &encode(claims.to_string().as_bytes());
    let mut signature = vec![0; KEY.public_modulus_len()];
    let message = input.as_bytes();
    KEY.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message,
        &mut signature,
    )
    .unwrap();
    let jwk = json!({
        "kty": "RSA",
        "kid": "k",
        "n": encode(modulus()),
        "e": "AQAB",
    });
    let keys = JwkSet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let token = input + "." + &encode(&signature);
    Verifier::new("i", "a")
        .verify(&token, &keys, EXPIRES_AT - 60)
        .unwrap()
}

/// The modulus of the test key, from the DER of `RSAPublicKey` (RFC 8017 §A.1.1): for 2048 bits it is always the 256
/// bytes before the exponent 65537, which takes the last five.
fn modulus() -> &'static [u8] {
    let der = KEY.public_key().as_ref();
    &der[der.len() - 5 - 256..der.len() - 5]
}
