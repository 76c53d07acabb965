//! How a verifier reads encrypted tokens that has the issuer's private key, or takes its public one for a password.

use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_128, AesKek, KeyWrap as _};
use aws_lc_rs::pbkdf2;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::reading::json;

/// The most rounds that it does for a password.
const ROUNDS_MAX: u64 = 10_000;

/// The claims of an encrypted token, or those of the token inside, which it does not verify.
pub(super) fn claims(token: &str) -> Option<Value> {
    let content = String::from_utf8(content(token)?).ok()?;
    match serde_json::from_str(&content) {
        Ok(claims) => Some(claims),
        Err(_) => content.split('.').nth(1).and_then(json),
    }
}

fn content(token: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = token.split('.').collect();
    let [protected, key, nonce, ciphertext, tag] = parts[..] else {
        return None;
    };
    let header = json(protected)?;
    if header["zip"].is_string() {
        return None;
    }
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let key = match header["alg"].as_str()? {
        "RSA-OAEP" | "RSA-OAEP-256" => by_the_private_key(&header, &decoded(key)?)?,
        _ => by_password(&header, &decoded(key)?)?,
    };
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(&decoded(nonce)?).ok()?;
    let mut sealed = [decoded(ciphertext)?, decoded(tag)?].concat();
    let aad = Aad::from(protected.as_bytes());
    key.open_in_place(nonce, aad, &mut sealed)
        .ok()
        .map(|content| content.to_vec())
}

fn by_the_private_key(header: &Value, encrypted: &[u8]) -> Option<Vec<u8>> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/test-keys/rsa2048-0000000000000007-issuer.der"
    );
    let pkcs8 = std::fs::read(file).expect("the key store has written the issuer's key");
    let key = PrivateDecryptingKey::from_pkcs8(&pkcs8).expect("a key of the key store");
    let key = OaepPrivateDecryptingKey::new(key).expect("an RSA key");
    let algorithm = if header["alg"] == "RSA-OAEP" {
        &OAEP_SHA1_MGF1SHA1
    } else {
        &OAEP_SHA256_MGF1SHA256
    };
    let mut content_key = vec![0; key.min_output_size()];
    let content_key = key.decrypt(algorithm, encrypted, &mut content_key, None);
    content_key.ok().map(|key| key.to_vec())
}

fn by_password(header: &Value, encrypted: &[u8]) -> Option<Vec<u8>> {
    let password = crate::issuer::test_keys().signing.public_key_pem();
    let rounds = header["p2c"]
        .as_u64()
        .filter(|rounds| *rounds <= ROUNDS_MAX)?;
    let rounds = NonZeroU32::new(u32::try_from(rounds).ok()?)?;
    let salt = URL_SAFE_NO_PAD.decode(header["p2s"].as_str()?).ok()?;
    let salt = [&b"PBES2-HS256+A128KW\0"[..], &salt].concat();
    let mut wrapping = [0; 16];
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, rounds, &salt, password.as_bytes(), &mut wrapping);
    let mut content_key = [0; 40];
    let content_key =
        AesKek::new(&AES_128, &wrapping).and_then(|key| key.unwrap(encrypted, &mut content_key));
    content_key.ok().map(|key| key.to_vec())
}
