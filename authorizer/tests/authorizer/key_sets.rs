//! Which keys of a JWK Set are used, and which are passed over.

use authorizer::{Algorithm, JwkSet, JwkSetError, Rejection, Verifier};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::tokens::{
    ATTACKER_KEY, AUDIENCE, ISSUER, ISSUER_KEY, KID, NEXT_KEY, NOW, changed, claims, header, jwks,
    valid_token, without,
};

fn parse(document: &Value) -> Result<JwkSet, JwkSetError> {
    JwkSet::parse(document.to_string().as_bytes())
}

fn outcome(keys: &[Value], token: &str) -> Result<(), Rejection> {
    let keys = parse(&jwks(keys)).unwrap();
    let verifier = Verifier::new(ISSUER, AUDIENCE);
    verifier.verify(token, &keys, NOW).map(|_| ())
}

fn ours(changes: &Value) -> Value {
    changed(ISSUER_KEY.jwk(KID), changes)
}

#[test]
fn a_key_that_must_not_verify_is_passed_over() {
    let of_bytes = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let n = BASE64_URL_SAFE_NO_PAD.decode(ISSUER_KEY.n()).unwrap();
    let even = [&n[..255], &[n[255] & 0xfe]].concat();
    let short = [&[0x7f], &n[1..]].concat();
    let long = [&vec![0xff; 1025 - n.len()], &n[..]].concat();
    let unusable = [
        ours(&json!({"use": "enc"})),
        ours(&json!({"use": null})),
        ours(&json!({"key_ops": ["encrypt"]})),
        ours(&json!({"key_ops": []})),
        ours(&json!({"key_ops": "verify"})),
        ours(&json!({"alg": "RS512"})),
        ours(&json!({"alg": "PS256"})),
        ours(&json!({"alg": "RSA-OAEP"})),
        ours(&json!({"alg": 1})),
        ours(&json!({"kty": "EC"})),
        ours(&json!({"kty": "rsa"})),
        without(ours(&json!({})), "kty"),
        without(ours(&json!({})), "n"),
        without(ours(&json!({})), "e"),
        ours(&json!({"kid": 1})),
        ours(&json!({"d": "AQAB"})),
        ours(&json!({"p": "AQAB"})),
        ours(&json!({"e": of_bytes(&[1])})),
        ours(&json!({"e": of_bytes(&[2])})),
        ours(&json!({"e": of_bytes(&[1, 0, 0])})),
        ours(&json!({"e": of_bytes(&[1, 0, 0, 0, 1])})),
        ours(&json!({"e": of_bytes(&[0, 1, 0, 1])})),
        ours(&json!({"e": ""})),
        ours(&json!({"e": 65537})),
        ours(&json!({"n": of_bytes(&n[128..])})),
        ours(&json!({"n": of_bytes(&even)})),
        ours(&json!({"n": of_bytes(&short)})),
        ours(&json!({"n": of_bytes(&long)})),
        ours(&json!({"n": of_bytes(&[&[0], &n[..]].concat())})),
        ours(&json!({"n": format!("{}==", ISSUER_KEY.n())})),
        json!({"kty": "oct", "kid": KID, "k": "c2VjcmV0"}),
        json!({"kty": "OKP", "crv": "Ed25519", "kid": KID, "x": "AA"}),
        json!({"kty": "AKP", "kid": KID}),
        json!({}),
        json!(null),
        json!([]),
        json!("key"),
    ];
    let other = NEXT_KEY.jwk("key-2");
    for jwk in unusable {
        assert_eq!(
            parse(&jwks(std::slice::from_ref(&jwk))).unwrap_err(),
            JwkSetError::NoUsableKey,
            "{jwk}"
        );
        // Beside a usable key it harms nobody, and verifies nothing.
        let refused = outcome(&[jwk.clone(), other.clone()], &valid_token());
        assert_eq!(refused, Err(Rejection::KidUnknown), "{jwk}");
        assert_eq!(outcome(&[jwk, ours(&json!({}))], &valid_token()), Ok(()));
    }
}

#[test]
fn members_that_change_nothing_are_no_obstacle() {
    let bare = json!({"kty": "RSA", "kid": KID, "n": ISSUER_KEY.n(), "e": ISSUER_KEY.e()});
    let rich =
        ours(&json!({"x5c": ["AA"], "x5t": "x", "ext": true, "key_ops": ["sign", "verify"]}));
    for jwk in [bare, rich] {
        assert_eq!(outcome(&[jwk], &valid_token()), Ok(()));
    }
}

#[test]
fn a_document_of_another_shape_is_refused() {
    let cases: [&[u8]; 10] = [
        b"",
        b"<html></html>",
        b"null",
        b"[]",
        b"{}",
        br#"{"keys":{}}"#,
        br#"{"keys":null}"#,
        br#"{"keys":[]"#,
        br#"{"keys":[],"keys":[]}"#,
        b"{\"keys\":[\"\xff\"]}",
    ];
    for document in cases {
        let refused = JwkSet::parse(document).unwrap_err();
        assert!(
            matches!(refused, JwkSetError::NotAJwkSet { .. }),
            "{}",
            String::from_utf8_lossy(document)
        );
    }
    assert_eq!(parse(&jwks(&[])).unwrap_err(), JwkSetError::NoUsableKey);
}

#[test]
fn a_token_without_kid_needs_a_set_of_one_key() {
    let token = ISSUER_KEY.sign(without(header(), "kid").to_string(), claims().to_string());
    let (mine, other) = (ours(&json!({})), NEXT_KEY.jwk("key-2"));
    let anonymous = without(mine.clone(), "kid");
    assert_eq!(outcome(std::slice::from_ref(&mine), &token), Ok(()));
    assert_eq!(outcome(std::slice::from_ref(&anonymous), &token), Ok(()));
    assert_eq!(
        outcome(&[mine.clone(), other], &token),
        Err(Rejection::KidMissing)
    );
    // Listed twice, without a key id or under two of them, it is still the one.
    let renamed = changed(mine.clone(), &json!({"kid": "key-9"}));
    for again in [
        anonymous.clone(),
        without(anonymous.clone(), "alg"),
        renamed,
    ] {
        assert_eq!(outcome(&[anonymous.clone(), again.clone()], &token), Ok(()));
        assert_eq!(outcome(&[again, mine.clone()], &token), Ok(()));
    }
    let set = parse(&jwks(std::slice::from_ref(&mine))).unwrap();
    let key = set.select(None, Algorithm::Rs256).unwrap();
    assert_eq!(
        format!("{key:?}"),
        format!("VerificationKey {{ kid: Some({KID:?}), .. }}")
    );
    // Keys that share a key id are not used, and still it takes a key id to say that they are not meant.
    let [one, another] = [NEXT_KEY.jwk("key-3"), ATTACKER_KEY.jwk("key-3")];
    assert_eq!(
        outcome(&[one, another, mine.clone()], &token),
        Err(Rejection::KidMissing)
    );
    let forged = ATTACKER_KEY.sign(without(header(), "kid").to_string(), claims().to_string());
    assert_eq!(outcome(&[mine], &forged), Err(Rejection::SignatureInvalid));
}

#[test]
fn keys_that_share_a_kid_are_told_apart_or_not_used() {
    let mine = ours(&json!({}));
    let same_kid = NEXT_KEY.jwk(KID);
    let third = ATTACKER_KEY.jwk(KID);
    let token = valid_token();
    assert_eq!(
        outcome(&[mine.clone(), mine.clone()], &token),
        Ok(()),
        "listed twice"
    );
    let ec = json!({"kty": "EC", "kid": KID, "crv": "P-256", "x": "AA", "y": "AA"});
    assert_eq!(outcome(&[ec, mine.clone()], &token), Ok(()), "another kty");
    for keys in [
        [mine.clone(), same_kid.clone(), third.clone()],
        [same_kid.clone(), mine.clone(), mine.clone()],
        [same_kid, third, mine],
    ] {
        assert_eq!(outcome(&keys, &token), Err(Rejection::KidAmbiguous));
    }
}
