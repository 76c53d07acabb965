//! Encrypted tokens, read by AWS-LC with the issuer's private key.

use std::io::Read as _;
use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_128, AesKek, KeyWrap as _};
use aws_lc_rs::pbkdf2;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use flate2::read::DeflateDecoder;
use mock_idp::{KeyStore, Recipe};
use serde_json::Value;

use crate::fixture::{SEED, claims, decode, header, keys, mint};

/// The five parts of RFC 7516 §7.1, decoded; the first also as text, which is the additional data.
struct Encrypted {
    protected: String,
    header: Value,
    wrapped_key: Vec<u8>,
    nonce: Vec<u8>,
    sealed: Vec<u8>,
}

impl Encrypted {
    fn of(token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let [protected, key, nonce, ciphertext, tag] = parts[..] else {
            panic!("{} parts", parts.len());
        };
        Self {
            protected: protected.to_owned(),
            header: serde_json::from_slice(&decode(protected)).unwrap(),
            wrapped_key: decode(key),
            nonce: decode(nonce),
            sealed: [decode(ciphertext), decode(tag)].concat(),
        }
    }

    fn opened(&self, content_key: &[u8]) -> Vec<u8> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(&self.nonce).unwrap();
        let mut sealed = self.sealed.clone();
        let aad = Aad::from(self.protected.as_bytes());
        key.open_in_place(nonce, aad, &mut sealed).unwrap().to_vec()
    }

    fn opened_by_the_issuer(&self, algorithm: &'static OaepAlgorithm) -> Vec<u8> {
        let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/issuer-keys");
        // The store has written it.
        KeyStore::open(folder).signing_key(SEED, "issuer").unwrap();
        let pkcs8 = std::fs::read(format!("{folder}/rsa2048-{SEED:016x}-issuer.der")).unwrap();
        let key = PrivateDecryptingKey::from_pkcs8(&pkcs8).unwrap();
        let key = OaepPrivateDecryptingKey::new(key).unwrap();
        let mut content_key = vec![0; key.min_output_size()];
        let content_key = key
            .decrypt(algorithm, &self.wrapped_key, &mut content_key, None)
            .unwrap();
        self.opened(content_key)
    }
}

#[test]
fn forged_claims_are_really_encrypted_to_the_issuer() {
    for (alg, algorithm) in [
        ("RSA-OAEP", &OAEP_SHA1_MGF1SHA1),
        ("RSA-OAEP-256", &OAEP_SHA256_MGF1SHA256),
    ] {
        let token = mint(&format!(
            "claims = {{ sub = 'admin' }}\nsign = 'none'\n\
             tamper = [{{ encrypt = {{ alg = '{alg}', content = 'payload', header = {{ typ = '$absent', x = '{{kid}}' }} }} }}]"
        ));
        let encrypted = Encrypted::of(&token);
        let kid = keys().signing.kid().to_owned();
        let wanted = serde_json::json!({"alg": alg, "enc": "A256GCM", "kid": kid, "x": kid});
        assert_eq!(encrypted.header, wanted);
        let content = encrypted.opened_by_the_issuer(algorithm);
        let unencrypted = claims(&mint("claims = { sub = 'admin' }"));
        assert_eq!(
            serde_json::from_slice::<Value>(&content).unwrap(),
            unencrypted
        );
    }
}

#[test]
fn a_nested_token_is_the_whole_token() {
    let inner = mint("sign = 'attacker'");
    let outer =
        "sign = 'attacker'\ntamper = [{ encrypt = { alg = 'RSA-OAEP', content = 'token' } }]";
    let encrypted = Encrypted::of(&mint(outer));
    assert_eq!(encrypted.header["cty"], "JWT");
    let content = encrypted.opened_by_the_issuer(&OAEP_SHA1_MGF1SHA1);
    assert_eq!(content, inner.as_bytes());
    assert_eq!(header(&inner)["alg"], "RS256");
}

#[test]
fn a_deflated_payload_inflates_to_what_was_asked_for() {
    let token =
        mint("tamper = [{ encrypt = { alg = 'RSA-OAEP', content = 'payload', deflate_mb = 3 } }]");
    assert!(token.len() < 8_000, "{}", token.len());
    let encrypted = Encrypted::of(&token);
    assert_eq!(encrypted.header["zip"], "DEF");
    let content = encrypted.opened_by_the_issuer(&OAEP_SHA1_MGF1SHA1);
    let mut inflated = Vec::new();
    DeflateDecoder::new(&content[..])
        .read_to_end(&mut inflated)
        .unwrap();
    let inflated: Value = serde_json::from_slice(&inflated).unwrap();
    assert_eq!(
        inflated["padding"].as_str().map(str::len),
        Some(3 * 1024 * 1024)
    );
    assert_eq!(inflated["sub"], claims(&mint(""))["sub"]);
}

#[test]
fn a_password_wraps_the_key_by_its_own_rounds_whatever_the_header_says() {
    for (said, wanted) in [
        ("", 50),
        (", header = { p2c = 2147483647 }", 2_147_483_647_u64),
    ] {
        let token = mint(&format!(
            "tamper = [{{ encrypt = {{ alg = 'PBES2-HS256+A128KW', content = 'payload', \
             password = 'text:{{client_id}}', rounds = 50{said} }} }}]"
        ));
        let encrypted = Encrypted::of(&token);
        assert_eq!(encrypted.header["p2c"], wanted);
        let salt = decode(encrypted.header["p2s"].as_str().unwrap());
        let salt = [&b"PBES2-HS256+A128KW\0"[..], &salt].concat();
        let mut wrapping = [0; 16];
        let rounds = NonZeroU32::new(50).unwrap();
        let password = b"client-1";
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &salt,
            password,
            &mut wrapping,
        );
        let mut content_key = [0; 40];
        let content_key = AesKek::new(&AES_128, &wrapping)
            .unwrap()
            .unwrap(&encrypted.wrapped_key, &mut content_key)
            .unwrap();
        let content = encrypted.opened(content_key);
        let content: Value = serde_json::from_slice(&content).unwrap();
        assert_eq!(content["sub"], claims(&mint(""))["sub"]);
    }
}

#[test]
fn what_cannot_be_encrypted_is_told_with_its_reason() {
    for (encrypt, reason) in [
        ("alg = 'RSA1_5', content = 'payload'", "`RSA1_5`"),
        ("alg = 'RSA-OAEP', content = 'all'", "`all`"),
        (
            "alg = 'RSA-OAEP', content = 'payload', rounds = 5",
            "`password` and `rounds` are for PBES2-HS256+A128KW",
        ),
        (
            "alg = 'PBES2-HS256+A128KW', content = 'payload'",
            "needs `password`",
        ),
        (
            "alg = 'PBES2-HS256+A128KW', content = 'payload', password = 'empty', rounds = 2147483647",
            "it takes 1 to 100000",
        ),
        (
            "alg = 'RSA-OAEP', content = 'payload', deflate_mb = 2000",
            "it takes 1 to 256",
        ),
        (
            "alg = 'RSA-OAEP', content = 'token', deflate_mb = 2",
            "needs content = \"payload\"",
        ),
    ] {
        let text = format!("tamper = [{{ encrypt = {{ {encrypt} }} }}]");
        let error = toml::from_str::<Recipe>(&text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
