//! An attacker's Ed25519 key (RFC 8037 §2): a token of another kind of signature than the issuer's.
//!
//! One for all issuers, from a fixed seed.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::encoding::base64url;

static KEY: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
    Ed25519KeyPair::from_seed_unchecked(b"authbench mock-idp ed25519 key\0\0")
        .expect("every seed of 32 bytes makes a key")
});

/// The public key as a JWK, under the `kid` `attacker-ed25519`.
pub(crate) fn public_jwk() -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "attacker-ed25519", "use": "sig", "alg": "EdDSA",
        "x": base64url(KEY.public_key().as_ref()),
    })
}

/// `EdDSA`, RFC 8037 §3.1. Deterministic, RFC 8032 §5.1.6.
pub(crate) fn sign(message: &[u8]) -> Vec<u8> {
    KEY.sign(message).as_ref().to_vec()
}
