//! Each signature algorithm: taken with a right key, and with nothing that only looks like one.

mod signers;
mod unsound_keys;

use authorizer::{Algorithm, Algorithms, JwkSet, Rejection, Rules, Verifier};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use self::signers::{ATTACKER, ISSUER as SIGNER};
use crate::tokens::{
    AUDIENCE, ISSUER, KID, NOW, changed, claims, header, jwks, signing_input, with_signature,
    without,
};

/// One algorithm for each kind of key.
const KINDS: [Algorithm; 4] = [
    Algorithm::EdDsa,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Rs256,
];

fn all() -> Algorithms {
    Algorithms::new(Algorithm::ALL).unwrap()
}

fn only(algorithm: Algorithm) -> Algorithms {
    Algorithms::new([algorithm]).unwrap()
}

/// A header for the algorithm and the key id of these tests.
fn header_for(algorithm: Algorithm) -> Value {
    changed(header(), &json!({"alg": algorithm.name()}))
}

fn token(algorithm: Algorithm) -> String {
    SIGNER.sign(algorithm, &header_for(algorithm), &claims())
}

fn pinned(algorithm: Algorithm, to: &str) -> Value {
    changed(SIGNER.jwk(algorithm, KID), &json!({"alg": to}))
}

fn is_rsa(algorithm: Algorithm) -> bool {
    SIGNER.jwk(algorithm, KID)["kty"] == "RSA"
}

/// What the verification with this list says, where the set has these keys.
fn outcome(allowed: &Algorithms, keys: &[Value], token: &str) -> Result<(), Rejection> {
    let keys = JwkSet::parse_for(jwks(keys).to_string().as_bytes(), allowed).unwrap();
    let rules = Rules::new(ISSUER, AUDIENCE).algorithms(allowed.clone());
    let verified = Verifier::with_rules(rules).verify(token, &keys, NOW);
    verified.map(|_| ())
}

#[test]
fn each_algorithm_is_accepted_with_a_key_of_its_kind() {
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let (token, key) = (token(algorithm), SIGNER.jwk(algorithm, KID));
        for allowed in [only(algorithm), all()] {
            assert_eq!(
                outcome(&allowed, std::slice::from_ref(&key), &token),
                Ok(()),
                "{name}"
            );
            let keys = [pinned(algorithm, name)];
            assert_eq!(outcome(&allowed, &keys, &token), Ok(()), "{name} pinned");
        }
        let forged = ATTACKER.sign(algorithm, &header_for(algorithm), &claims());
        let refused = outcome(&all(), &[key], &forged);
        assert_eq!(refused, Err(Rejection::SignatureInvalid), "{name}");
    }
}

#[test]
fn the_two_names_of_ed25519_mean_the_same() {
    for in_token in ["EdDSA", "Ed25519"] {
        let header = changed(header(), &json!({"alg": in_token}));
        let token = SIGNER.sign(Algorithm::EdDsa, &header, &claims());
        for in_key in ["EdDSA", "Ed25519"] {
            let keys = [pinned(Algorithm::EdDsa, in_key)];
            assert_eq!(outcome(&all(), &keys, &token), Ok(()));
        }
    }
}

#[test]
fn an_algorithm_that_is_not_on_the_list_is_refused_before_a_key_is_looked_for() {
    let every_key = KINDS.map(|algorithm| SIGNER.jwk(algorithm, KID));
    for algorithm in Algorithm::ALL {
        let others = Algorithm::ALL.into_iter().filter(|a| *a != algorithm);
        let allowed = Algorithms::new(others).unwrap();
        let refused = outcome(&allowed, &every_key, &token(algorithm));
        assert_eq!(
            refused,
            Err(Rejection::AlgorithmNotAllowed),
            "{}",
            algorithm.name()
        );
        // The list of the rules decides, even where the set was read for a longer one.
        let keys = JwkSet::parse_for(jwks(&every_key).to_string().as_bytes(), &all()).unwrap();
        let rules = Rules::new(ISSUER, AUDIENCE).algorithms(allowed);
        let refused = Verifier::with_rules(rules).verify(&token(algorithm), &keys, NOW);
        assert_eq!(refused.err(), Some(Rejection::AlgorithmNotAllowed));
    }
    for name in [
        "none", "HS256", "HS384", "HS512", "ES512", "ES256K", "rs256", "",
    ] {
        let header = changed(header(), &json!({"alg": name}));
        let token = SIGNER.sign(Algorithm::Rs256, &header, &claims());
        let refused = outcome(&all(), &every_key, &token);
        assert_eq!(refused, Err(Rejection::AlgorithmNotAllowed), "{name}");
    }
}

#[test]
fn a_key_pinned_to_one_algorithm_verifies_with_no_other() {
    for (of_token, of_key) in pairs() {
        let names = format!("{} with {}", of_token.name(), of_key.name());
        let keys = [pinned(of_token, of_key.name()), SIGNER.jwk(of_token, "k2")];
        let refused = outcome(&all(), &keys, &token(of_token));
        // Pinned to an algorithm of another kind of key, it is no key at all.
        let expected = if is_rsa(of_token) && is_rsa(of_key) {
            Rejection::KeyNotForAlgorithm
        } else {
            Rejection::KidUnknown
        };
        assert_eq!(refused, Err(expected), "{names}");
        // Nor is it taken for a token that names no key.
        let anonymous = without(header_for(of_token), "kid");
        let anonymous = SIGNER.sign(of_token, &anonymous, &claims());
        let keys = [
            pinned(of_token, of_key.name()),
            SIGNER.jwk(Algorithm::Rs256, "k2"),
        ];
        if !is_rsa(of_token) {
            let refused = outcome(&all(), &keys, &anonymous);
            assert_eq!(refused, Err(Rejection::KidMissing), "{names}");
        }
    }
}

#[test]
fn a_key_of_another_type_under_the_same_kid_verifies_nothing() {
    for (of_token, of_key) in pairs() {
        if SIGNER.jwk(of_token, KID) == SIGNER.jwk(of_key, KID) {
            continue;
        }
        let keys = [SIGNER.jwk(of_key, KID)];
        assert_eq!(
            outcome(&all(), &keys, &token(of_token)),
            Err(Rejection::KeyNotForAlgorithm),
            "{} with {}",
            of_token.name(),
            of_key.name()
        );
    }
}

#[test]
fn a_signature_of_another_algorithm_than_the_header_says_is_refused() {
    for (in_header, in_truth) in pairs() {
        let token = SIGNER.sign(in_truth, &header_for(in_header), &claims());
        let keys = KINDS.map(|algorithm| SIGNER.jwk(algorithm, KID));
        assert_eq!(
            outcome(&all(), &keys, &token),
            Err(Rejection::SignatureInvalid),
            "{} in truth {}",
            in_header.name(),
            in_truth.name()
        );
    }
}

#[test]
fn keys_of_different_types_may_share_a_kid() {
    for start in 0..KINDS.len() {
        let mut keys = KINDS.map(|algorithm| SIGNER.jwk(algorithm, KID));
        keys.rotate_left(start);
        for algorithm in Algorithm::ALL {
            let name = algorithm.name();
            assert_eq!(
                outcome(&all(), &keys, &token(algorithm)),
                Ok(()),
                "{name}, {start}"
            );
            let forged = ATTACKER.sign(algorithm, &header_for(algorithm), &claims());
            let refused = outcome(&all(), &keys, &forged);
            assert_eq!(refused, Err(Rejection::SignatureInvalid), "{name}, {start}");
        }
    }
}

#[test]
fn one_rsa_key_may_be_listed_for_each_of_its_algorithms() {
    let keys = ["RS256", "PS256"].map(|name| pinned(Algorithm::Rs256, name));
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        assert_eq!(outcome(&all(), &keys, &token(algorithm)), Ok(()));
    }
    let refused = outcome(&all(), &keys, &token(Algorithm::Rs512));
    assert_eq!(refused, Err(Rejection::KeyNotForAlgorithm));
}

#[test]
fn a_key_that_is_listed_with_and_without_alg_is_one_key() {
    let free = without(SIGNER.jwk(Algorithm::Rs256, KID), "alg");
    let bound = pinned(Algorithm::Rs256, "RS256");
    for keys in [[free.clone(), bound.clone()], [bound.clone(), free.clone()]] {
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
            assert_eq!(outcome(&all(), &keys, &token(algorithm)), Ok(()));
        }
    }
    // Listed once more: still one key, which a token without a key id can mean.
    let again = pinned(Algorithm::Rs256, "PS256");
    let anonymous = without(header_for(Algorithm::Ps256), "kid");
    for keys in [
        [bound.clone(), again.clone(), free.clone()],
        [free.clone(), bound.clone(), again.clone()],
        [again, free.clone(), bound.clone()],
    ] {
        let token = SIGNER.sign(Algorithm::Ps256, &anonymous, &claims());
        assert_eq!(outcome(&all(), &keys, &token), Ok(()));
    }
    // Another key for one of the algorithms, wherever it stands, and nothing says which one is meant.
    let other = changed(
        ATTACKER.jwk(Algorithm::Rs256, KID),
        &json!({"alg": "PS256"}),
    );
    for keys in [
        [bound.clone(), other.clone(), free.clone()],
        [other.clone(), bound.clone(), free.clone()],
        [free, bound, other],
    ] {
        let refused = outcome(&all(), &keys, &token(Algorithm::Ps256));
        assert_eq!(refused, Err(Rejection::KidAmbiguous));
    }
}

#[test]
fn two_different_keys_of_one_kind_and_kid_are_not_used() {
    for algorithm in Algorithm::ALL {
        let (ours, theirs) = (SIGNER.jwk(algorithm, KID), ATTACKER.jwk(algorithm, KID));
        for keys in [[ours.clone(), theirs.clone()], [theirs, ours]] {
            assert_eq!(
                outcome(&all(), &keys, &token(algorithm)),
                Err(Rejection::KidAmbiguous),
                "{}",
                algorithm.name()
            );
        }
    }
}

#[test]
fn an_ecdsa_signature_in_the_form_of_x509_is_refused() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let keys = [SIGNER.jwk(algorithm, KID)];
        let token = SIGNER.sign_asn1(algorithm, &header_for(algorithm), &claims());
        assert_eq!(
            outcome(&all(), &keys, &token),
            Err(Rejection::SignatureInvalid),
            "{}",
            algorithm.name()
        );
    }
}

#[test]
fn a_signature_of_another_length_or_out_of_range_is_refused() {
    for algorithm in Algorithm::ALL {
        let keys = [SIGNER.jwk(algorithm, KID)];
        let token = token(algorithm);
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let length = signature.len();
        let cases = [
            signature[..length - 1].to_vec(),
            signature[1..].to_vec(),
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
            [&signature[..], &signature[..]].concat(),
            vec![0; length],
            vec![0xff; length],
            vec![0],
        ];
        for changed in cases {
            assert_eq!(
                outcome(&all(), &keys, &with_signature(input, &changed)),
                Err(Rejection::SignatureInvalid),
                "{}, {} bytes",
                algorithm.name(),
                changed.len()
            );
        }
        // The key itself is the most that an attacker has.
        let n = keys[0]["x"].as_str().or(keys[0]["n"].as_str()).unwrap();
        let public = BASE64_URL_SAFE_NO_PAD.decode(n).unwrap();
        let input = signing_input(header_for(algorithm).to_string(), claims().to_string());
        assert_eq!(
            outcome(&all(), &keys, &with_signature(&input, &public)),
            Err(Rejection::SignatureInvalid)
        );
    }
}

/// Every two different algorithms.
fn pairs() -> impl Iterator<Item = (Algorithm, Algorithm)> {
    let others = |a: Algorithm| Algorithm::ALL.into_iter().map(move |b| (a, b));
    let all = Algorithm::ALL.into_iter().flat_map(others);
    all.filter(|(a, b)| a != b)
}
