//! The key sets by name: what stands in them, and which tokens they make good.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mock_idp::{JwksAnswer, JwksDocument};
use serde_json::Value;

use crate::fixture::{
    AUTH0, NOW, decode, keys, minter, opened, profile, recipe, split, start, verifies,
};
use crate::http::get;

fn set(name: &str) -> Vec<Value> {
    let document: JwksDocument = serde_json::from_value(name.into()).unwrap();
    let set = document.render(&profile(AUTH0), &keys());
    set["keys"].as_array().unwrap().clone()
}

fn key<'a>(set: &'a [Value], kid: &str) -> &'a Value {
    set.iter().find(|key| key["kid"] == kid).unwrap()
}

fn mint(text: &str) -> String {
    minter(AUTH0).mint(&recipe(text), NOW).unwrap()
}

/// The encoded message behind a token's signature, without the zero bytes before it.
fn block(key: &Value, token: &str) -> Vec<u8> {
    let signature = decode(&split(token)[2]);
    let encoded = opened(key, &signature);
    encoded.into_iter().skip_while(|byte| *byte == 0).collect()
}

#[test]
fn the_issuers_key_is_in_every_set_but_those_without_it_and_the_attackers_in_none() {
    let keys = keys();
    let table = [
        ("default", 1, true),
        ("duplicate-kid", 2, true),
        ("empty", 0, false),
        ("exponent-one", 2, true),
        ("exponent-two", 2, true),
        ("extra-members", 1, true),
        ("huge-key", 2, true),
        ("key-ops-encrypt", 2, true),
        ("many-keys", 2_001, true),
        ("odd-keys", 10, true),
        ("other-alg", 2, true),
        ("rotated", 2, true),
        ("same-kid", 1, false),
        ("same-kid-other-kind", 2, true),
        ("small-key", 2, true),
        ("symmetric", 2, true),
        ("unknown-kinds", 5, true),
        ("use-enc", 2, true),
        ("withdrawn", 1, false),
        ("without-alg", 1, true),
    ];
    let genuine = keys.signing.public_jwk();
    let attacker = keys.attacker.public_jwk();
    for (name, count, holds) in table {
        let set = set(name);
        assert_eq!(set.len(), count, "{name}");
        let held = set.iter().any(|key| {
            key["n"] == genuine["n"] && key["kid"] == genuine["kid"] && key["e"] == genuine["e"]
        });
        assert_eq!(held, holds, "{name}");
        assert!(set.iter().all(|key| key["n"] != attacker["n"]), "{name}");
    }
}

#[test]
fn tokens_of_the_next_key_are_good_under_it_alone() {
    let token = mint("header = { kid = \"{next_kid}\" }\nsign = \"next\"");
    let rotated = set("rotated");
    assert!(verifies(
        &token,
        Algorithm::RS256,
        key(&rotated, keys().next.kid())
    ));
    assert!(!verifies(
        &token,
        Algorithm::RS256,
        key(&rotated, keys().signing.kid())
    ));
    let renamed = set("same-kid");
    assert!(verifies(
        &token,
        Algorithm::RS256,
        key(&renamed, keys().signing.kid())
    ));
}

#[test]
fn each_odd_entry_says_what_it_is_for() {
    let next = keys().next.kid().to_owned();
    assert_eq!(key(&set("use-enc"), &next)["use"], "enc");
    assert_eq!(key(&set("key-ops-encrypt"), &next)["key_ops"][0], "encrypt");
    assert_eq!(key(&set("other-alg"), &next)["alg"], "RS512");
    let bare = &set("without-alg")[0];
    assert!(
        bare.get("alg").is_none() && bare.get("use").is_none(),
        "{bare}"
    );
    let huge = decode(key(&set("huge-key"), "huge-16k")["n"].as_str().unwrap());
    assert_eq!((huge.len(), huge[0] & 0x80), (2_048, 0x80));
    let kinds: Vec<_> = set("same-kid-other-kind")
        .iter()
        .map(|key| key["kty"].clone())
        .collect();
    assert_eq!(kinds, ["EC", "RSA"]);
    let many = set("many-keys");
    let moduli: std::collections::HashSet<_> =
        many.iter().map(|key| key["n"].to_string()).collect();
    assert_eq!(moduli.len(), many.len());
}

#[test]
fn a_small_key_and_an_exponent_of_one_verify_by_arithmetic() {
    let token = mint("header = { kid = \"small-1024\" }\nsign = \"small\"");
    let small = set("small-key");
    let small = key(&small, "small-1024");
    assert_eq!(decode(small["n"].as_str().unwrap()).len(), 128);
    let encoded = block(small, &token);
    assert!(
        encoded.len() == 127 && encoded.starts_with(&[1, 0xff]),
        "{encoded:02x?}"
    );

    let token = mint("header = { kid = \"exponent-one\" }\nsign = \"exponent-one\"");
    let set = set("exponent-one");
    let encoded = block(key(&set, "exponent-one"), &token);
    assert!(
        encoded.len() == 255 && encoded.starts_with(&[1, 0xff]),
        "{encoded:02x?}"
    );
}

/// Three of four payloads have no signature as they are.
#[test]
fn every_token_of_an_even_exponent_verifies_by_arithmetic() {
    let set = set("exponent-two");
    let key = key(&set, "exponent-two");
    assert_eq!(decode(key["e"].as_str().unwrap()), [2]);
    assert_eq!(decode(key["n"].as_str().unwrap()).len(), 256);
    for number in 0..16 {
        let text = format!("claims = {{ jti = \"{number}\" }}\nsign = \"exponent-two\"");
        let token = mint(&text);
        let encoded = block(key, &token);
        assert!(
            encoded.len() == 255 && encoded.starts_with(&[1, 0xff]),
            "{encoded:02x?}"
        );
        assert_eq!(crate::fixture::claims(&token)["jti"], number.to_string());
        assert_eq!(token, mint(&text));
    }
}

#[test]
fn keys_of_other_lengths_verify_by_arithmetic() {
    for (bits, document, kid) in [
        (512, "tiny-key", "tiny-512"),
        (1024, "small-key", "small-1024"),
        (3072, "key-of-3072-bits", "large-3072"),
        (4096, "key-of-4096-bits", "large-4096"),
    ] {
        let token = mint(&format!("sign = {{ rsa_bits = {bits} }}"));
        let set = set(document);
        let key = key(&set, kid);
        assert_eq!(decode(key["n"].as_str().unwrap()).len() * 8, bits);
        let encoded = block(key, &token);
        assert_eq!(encoded.len() * 8, bits - 8);
        assert!(encoded.starts_with(&[1, 0xff]), "{encoded:02x?}");
    }
    let unknown = toml::from_str::<mock_idp::Recipe>("sign = { rsa_bits = 2048 }").unwrap_err();
    assert!(
        unknown.to_string().contains("512, 1024, 3072 and 4096"),
        "{unknown}"
    );
}

#[test]
fn a_cube_root_begins_like_an_encoded_message() {
    let token = mint("header = { kid = \"exponent-three\" }\nsign = \"exponent-three\"");
    let set = set("exponent-three");
    let encoded = block(key(&set, "exponent-three"), &token);
    // 01, eight bytes of padding, 00, and a DigestInfo of 51 bytes whose last are the hash.
    let (input, _) = token.rsplit_once('.').unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, input.as_bytes());
    assert_eq!(encoded.len(), 255);
    assert_eq!(
        encoded[..10],
        [1, 255, 255, 255, 255, 255, 255, 255, 255, 0]
    );
    assert_eq!(&encoded[29..61], hash.as_ref());
}

#[test]
fn a_token_of_the_ed25519_key_is_good_under_the_jwk_that_it_brings() {
    let token = mint(
        "header = { alg = \"EdDSA\", jwk = \"$attacker_ed25519_jwk\" }\nsign = \"attacker-ed25519\"",
    );
    let jwk = crate::fixture::header(&token)["jwk"].clone();
    let x = decode(jwk["x"].as_str().unwrap());
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, x);
    let (input, signature) = token.rsplit_once('.').unwrap();
    key.verify(input.as_bytes(), &decode(signature)).unwrap();
}

#[test]
fn a_token_of_the_p256_key_is_good_under_the_jwk_that_it_brings() {
    let text =
        "header = { alg = \"ES256\", jwk = \"$attacker_p256_jwk\" }\nsign = \"attacker-p256\"";
    let token = mint(text);
    let jwk = serde_json::from_value(crate::fixture::header(&token)["jwk"].clone()).unwrap();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let good = |input: &str| {
        jsonwebtoken::crypto::verify(signature, input.as_bytes(), &key, Algorithm::ES256).unwrap()
    };
    assert!(good(input));
    assert!(!good(&input[1..]));
    assert_eq!(decode(signature).len(), 64);
    assert_eq!(token, mint(text), "nothing is drawn");
}

#[test]
fn a_symmetric_key_signs_by_its_published_secret() {
    let symmetric = set("symmetric");
    let secret = decode(key(&symmetric, "symmetric")["k"].as_str().unwrap());
    let token = mint(
        "header = { alg = \"HS256\", kid = \"symmetric\" }\n\
         sign = { hmac = \"sha256\", secret = \"text:a symmetric key that is published\" }",
    );
    let mut rules = Validation::new(Algorithm::HS256);
    rules.validate_aud = false;
    rules.validate_exp = false;
    rules.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(&token, &DecodingKey::from_secret(&secret), &rules).unwrap();
}

#[test]
fn a_certificate_is_der_around_the_key_that_it_is_for() {
    let extra = &set("extra-members")[0];
    let text = extra["x5c"][0].as_str().unwrap();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    assert_eq!(&der[..2], &[0x30, 0x82]);
    assert_eq!(
        usize::from(u16::from_be_bytes([der[2], der[3]])),
        der.len() - 4
    );
    let modulus = decode(extra["n"].as_str().unwrap());
    assert!(der.windows(modulus.len()).any(|window| window == modulus));
    let header: Value = serde_json::from_slice(&decode(
        mint("header = { x5c = \"$attacker_x5c\", \"x5t#S256\" = \"$issuer_x5t_s256\" }")
            .split('.')
            .next()
            .unwrap(),
    ))
    .unwrap();
    assert_ne!(header["x5c"][0], text, "the attacker's is another one");
    assert_eq!(header["x5t#S256"], extra["x5t#S256"]);
}

#[tokio::test]
async fn what_is_published_changes_while_the_issuer_runs_and_the_log_says_which() {
    let idp = start(AUTH0).await;
    let path = "/.well-known/jwks.json";
    assert_eq!(
        get(&idp, path).await.json()["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    idp.publish(JwksDocument::Rotated);
    assert_eq!(
        get(&idp, path).await.json()["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    idp.publish(JwksDocument::Withdrawn);
    let kid = get(&idp, path).await.json()["keys"][0]["kid"].clone();
    assert_eq!(kid, keys().next.kid());
    let answers: Vec<_> = idp.fetches().iter().map(|fetch| fetch.answer).collect();
    let wanted = [
        JwksDocument::Default,
        JwksDocument::Rotated,
        JwksDocument::Withdrawn,
    ];
    assert_eq!(answers, wanted.map(JwksAnswer::Document));
}
