//! Keys that would verify what their owner never signed, or that are no keys of their kind.

use authorizer::{Algorithm, Algorithms, JwkSet, JwkSetError};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{KINDS, SIGNER, all, is_rsa, only, outcome, token};
use crate::tokens::{KID, changed, jwks, without};

fn encode(octets: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(octets)
}

fn octets(jwk: &Value, member: &str) -> Vec<u8> {
    let text = jwk[member].as_str().unwrap();
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn assert_unusable(jwk: &Value, allowed: &Algorithms) {
    let document = jwks(std::slice::from_ref(jwk)).to_string();
    let refused = JwkSet::parse_for(document.as_bytes(), allowed).err();
    assert_eq!(refused, Some(JwkSetError::NoUsableKey), "{jwk}");
}

#[test]
fn an_rsa_key_below_2048_bits_or_with_an_unsound_number_is_passed_over_for_each_algorithm() {
    let ours = SIGNER.jwk(Algorithm::Rs256, KID);
    let n = octets(&ours, "n");
    let with_n = |n: &[u8]| changed(ours.clone(), &json!({"n": encode(n)}));
    let with_e = |e: &[u8]| changed(ours.clone(), &json!({"e": encode(e)}));
    let last = n.len() - 1;
    let unsound = [
        with_n(&n[n.len() - 128..]),
        with_n(&n[1..]),
        // 2047 bits.
        with_n(&[&[0x7f], &n[1..]].concat()),
        with_n(&[&n[..last], &[n[last] & 0xfe]].concat()),
        with_n(&[&[0xff; 769], &n[..]].concat()),
        with_n(&[]),
        with_e(&[1]),
        with_e(&[2]),
        with_e(&[1, 0, 0]),
        with_e(&[0xff, 0xff, 0xff, 0xfe]),
        with_e(&[0]),
        with_e(&[]),
        with_e(&[1, 0, 0, 0, 1]),
    ];
    for algorithm in Algorithm::ALL.into_iter().filter(|a| is_rsa(*a)) {
        for jwk in &unsound {
            assert_unusable(jwk, &only(algorithm));
        }
        assert_eq!(
            outcome(
                &only(algorithm),
                std::slice::from_ref(&ours),
                &token(algorithm)
            ),
            Ok(())
        );
    }
}

#[test]
fn a_point_that_is_not_on_its_curve_is_passed_over() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let ours = SIGNER.jwk(algorithm, KID);
        let (x, y) = (octets(&ours, "x"), octets(&ours, "y"));
        let with =
            |x: &[u8], y: &[u8]| changed(ours.clone(), &json!({"x": encode(x), "y": encode(y)}));
        let last = x.len() - 1;
        let mut off_x = x.clone();
        off_x[last] ^= 1;
        let mut off_y = y.clone();
        off_y[last] ^= 1;
        let zero = vec![0; x.len()];
        let unsound = [
            with(&off_x, &y),
            with(&x, &off_y),
            with(&y, &x),
            with(&x, &x),
            with(&zero, &zero),
            with(&vec![0xff; x.len()], &y),
            // Coordinates have the length of the field, leading zeros included (RFC 7518 §6.2.1.2).
            with(&x[1..], &y),
            with(&[&[0], &x[..]].concat(), &y),
            with(&x, &[&y[..], &[0]].concat()),
            with(&[], &y),
            without(ours.clone(), "x"),
            without(ours.clone(), "y"),
            without(ours.clone(), "crv"),
            changed(ours.clone(), &json!({"crv": "P-521"})),
            changed(ours.clone(), &json!({"crv": "secp256k1"})),
            changed(ours.clone(), &json!({"crv": "p-256"})),
            changed(ours.clone(), &json!({"crv": ["P-256"]})),
            changed(ours.clone(), &json!({"kty": "OKP"})),
            changed(ours.clone(), &json!({"d": encode(&x)})),
        ];
        for jwk in &unsound {
            assert_unusable(jwk, &all());
        }
    }
    let swapped = changed(SIGNER.jwk(Algorithm::Es256, KID), &json!({"crv": "P-384"}));
    assert_unusable(&swapped, &all());
}

#[test]
fn an_octet_key_pair_of_another_curve_or_length_is_passed_over() {
    let ours = SIGNER.jwk(Algorithm::EdDsa, KID);
    let x = octets(&ours, "x");
    let unsound = [
        changed(ours.clone(), &json!({"x": encode(&x[1..])})),
        changed(
            ours.clone(),
            &json!({"x": encode(&[&x[..], &[0]].concat())}),
        ),
        changed(ours.clone(), &json!({"x": ""})),
        changed(ours.clone(), &json!({"crv": "X25519"})),
        changed(ours.clone(), &json!({"crv": "Ed448"})),
        changed(ours.clone(), &json!({"kty": "EC"})),
        changed(ours.clone(), &json!({"d": encode(&x)})),
        without(ours.clone(), "x"),
        without(ours, "crv"),
    ];
    for jwk in &unsound {
        assert_unusable(jwk, &all());
    }
}

/// With such a key some signatures hold for every message, or for every eighth: it is to Ed25519 what the exponent 1 is
/// to RSA.
#[test]
fn an_ed25519_key_of_small_order_is_passed_over() {
    let small_order = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for text in small_order {
        for sign in [0, 0x80] {
            let mut x: Vec<u8> = (0..text.len() / 2)
                .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            x[31] |= sign;
            let jwk = json!({"kty": "OKP", "kid": KID, "crv": "Ed25519", "x": encode(&x)});
            assert_unusable(&jwk, &all());
        }
    }
}

#[test]
fn a_symmetric_or_a_private_key_is_never_used() {
    for algorithm in KINDS {
        let ours = SIGNER.jwk(algorithm, KID);
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_unusable(&changed(ours.clone(), &json!({private: "AQAB"})), &all());
        }
    }
    let secret = json!({"kty": "oct", "kid": KID, "k": encode(&[7; 32])});
    assert_unusable(&secret, &all());
    assert_unusable(&changed(secret, &json!({"alg": "HS256"})), &all());
}
