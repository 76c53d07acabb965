//! One key of each kind for each party, and tokens by them.

use std::sync::LazyLock;

use authorizer::Algorithm;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
        ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::tokens::{ATTACKER_KEY, ISSUER_KEY, TestKey, signing_input, with_signature};

pub(super) static ISSUER: LazyLock<Signer> = LazyLock::new(|| Signer::with_rsa(&ISSUER_KEY));
pub(super) static ATTACKER: LazyLock<Signer> = LazyLock::new(|| Signer::with_rsa(&ATTACKER_KEY));

/// Somebody with a key for every algorithm.
pub(super) struct Signer {
    rsa: &'static TestKey,
    p256: EcKey,
    p384: EcKey,
    ed25519: Ed25519KeyPair,
}

/// The same private key for both forms of a signature.
struct EcKey {
    fixed: EcdsaKeyPair,
    asn1: EcdsaKeyPair,
}

impl EcKey {
    fn generate(
        fixed: &'static EcdsaSigningAlgorithm,
        asn1: &'static EcdsaSigningAlgorithm,
    ) -> EcKey {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(fixed, &SystemRandom::new()).unwrap();
        EcKey {
            fixed: EcdsaKeyPair::from_pkcs8(fixed, pkcs8.as_ref()).unwrap(),
            asn1: EcdsaKeyPair::from_pkcs8(asn1, pkcs8.as_ref()).unwrap(),
        }
    }

    fn jwk(&self, curve: &str, kid: &str) -> Value {
        // 0x04, x, y (SEC 1 §2.3.3).
        let point = &self.fixed.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let encode = |octets: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(octets);
        json!({"kty": "EC", "kid": kid, "crv": curve, "x": encode(x), "y": encode(y)})
    }
}

impl Signer {
    fn with_rsa(rsa: &'static TestKey) -> Signer {
        Signer {
            rsa,
            p256: EcKey::generate(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &ECDSA_P256_SHA256_ASN1_SIGNING,
            ),
            p384: EcKey::generate(
                &ECDSA_P384_SHA384_FIXED_SIGNING,
                &ECDSA_P384_SHA384_ASN1_SIGNING,
            ),
            ed25519: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The public key for the algorithm, without `alg`.
    pub(super) fn jwk(&self, algorithm: Algorithm, kid: &str) -> Value {
        match algorithm {
            Algorithm::EdDsa => {
                let x = BASE64_URL_SAFE_NO_PAD.encode(self.ed25519.public_key().as_ref());
                json!({"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": x})
            }
            Algorithm::Es256 => self.p256.jwk("P-256", kid),
            Algorithm::Es384 => self.p384.jwk("P-384", kid),
            _ => json!({"kty": "RSA", "kid": kid, "n": self.rsa.n(), "e": self.rsa.e()}),
        }
    }

    pub(super) fn sign(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        let (header, claims) = (header.to_string(), claims.to_string());
        if let Some(encoding) = rsa_encoding(algorithm) {
            return self.rsa.sign_as(encoding, header, claims);
        }
        let input = signing_input(header, claims);
        let random = SystemRandom::new();
        let signature = match algorithm {
            Algorithm::Es256 => self.p256.fixed.sign(&random, input.as_bytes()).unwrap(),
            Algorithm::Es384 => self.p384.fixed.sign(&random, input.as_bytes()).unwrap(),
            _ => self.ed25519.sign(input.as_bytes()),
        };
        with_signature(&input, signature.as_ref())
    }

    /// A token whose ECDSA signature has the form of X.509, not that of JWS.
    pub(super) fn sign_asn1(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        let key = match algorithm {
            Algorithm::Es256 => &self.p256.asn1,
            _ => &self.p384.asn1,
        };
        let input = signing_input(header.to_string(), claims.to_string());
        let signature = key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        with_signature(&input, signature.as_ref())
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => return None,
    })
}
