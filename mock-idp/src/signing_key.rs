//! One RSA key of the issuer: ordinary signatures on AWS-LC, the raw private operation, and its published form.
//!
//! Owns the key material. It does not choose what is signed; hand-made encodings are in [`emsa`].

pub(crate) mod emsa;
pub(crate) mod oaep;

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, KeyPair as _, RsaKeyPair};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};

use crate::certificate;
use crate::encoding::{base64, base64url, pem};
use crate::public_key::PublicKey;

/// Whether a key came from its file or had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// Read from the key store's file.
    Cached,
    /// Generated from the seed, and then kept.
    Generated,
}

/// An RSA-2048 key that signs. Cheap to clone; parsed once.
///
/// Its private half is for test tokens only: the raw operation is not constant in time (RUSTSEC-2023-0071).
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    signer: RsaKeyPair,
    /// For the raw operation only, which few tokens need, and whose parsing costs milliseconds.
    raw: OnceLock<RsaPrivateKey>,
    pkcs8: Vec<u8>,
    public: PublicKey,
    kid: String,
    /// For `x5c` and `x5u` only.
    certificate: OnceLock<Vec<u8>>,
    origin: KeyOrigin,
}

impl SigningKey {
    /// Parses a PKCS#8 key. The error says what the bytes are not.
    pub(crate) fn from_pkcs8(pkcs8: Vec<u8>, origin: KeyOrigin) -> Result<Self, &'static str> {
        let signer =
            RsaKeyPair::from_pkcs8(&pkcs8).map_err(|_| "not an RSA private key in PKCS#8 DER")?;
        if signer.public_modulus_len() != 256 {
            return Err("the modulus has not 2048 bits");
        }
        let public = PublicKey::from_pkcs1(signer.public_key().as_ref())?;
        let kid = public.thumbprint();
        Ok(Self(Arc::new(Inner {
            signer,
            raw: OnceLock::new(),
            pkcs8,
            public,
            kid,
            certificate: OnceLock::new(),
            origin,
        })))
    }

    /// The key id: the RFC 7638 thumbprint (SHA-256, base64url, 43 characters), and so the same for the same seed.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// Where the key came from.
    pub fn origin(&self) -> KeyOrigin {
        self.0.origin
    }

    /// The public key as a JWK (RFC 7517 §4, RFC 7518 §6.3.1) with `kty`, `kid`, `use`, `alg`, `n` and `e`.
    pub fn public_jwk(&self) -> Value {
        json!({
            "kty": "RSA",
            "kid": self.0.kid,
            "use": "sig",
            "alg": "RS256",
            "n": base64url(self.0.public.modulus()),
            "e": base64url(self.0.public.exponent()),
        })
    }

    /// The public key as SPKI in PEM (RFC 7468 §13), for verifiers that read no key set.
    pub fn public_key_pem(&self) -> String {
        pem("PUBLIC KEY", self.0.public.spki_der(), "\n")
    }

    /// A self-signed certificate of the key in DER. Made once: the signature takes 0.3 ms.
    pub(crate) fn certificate(&self) -> &[u8] {
        self.0.certificate.get_or_init(|| {
            certificate::self_signed("authbench test key", self.0.public.spki_der(), |message| {
                self.sign_rs256(message)
            })
        })
    }

    /// `x5c` (RFC 7515 §4.1.6): a chain of the one certificate.
    pub(crate) fn x5c(&self) -> Value {
        json!([base64(self.certificate())])
    }

    /// `x5t#S256` (RFC 7515 §4.1.8).
    pub(crate) fn x5t_s256(&self) -> Value {
        let thumbprint = digest::digest(&digest::SHA256, self.certificate());
        json!(base64url(thumbprint.as_ref()))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RS256, RFC 7518 §3.3). Deterministic, RFC 8017 §8.2.1.
    pub(crate) fn sign_rs256(&self, message: &[u8]) -> Vec<u8> {
        self.sign_pkcs1(&signature::RSA_PKCS1_SHA256, message)
    }

    /// RSASSA-PKCS1-v1_5 with another hash.
    pub(crate) fn sign_pkcs1(
        &self,
        padding: &'static dyn signature::RsaEncoding,
        message: &[u8],
    ) -> Vec<u8> {
        let mut bytes = vec![0; self.0.signer.public_modulus_len()];
        self.0
            .signer
            .sign(padding, &SystemRandom::new(), message, &mut bytes)
            .expect("a parsed 2048-bit key signs any message into a buffer of its own length");
        bytes
    }

    /// RSASP1 of RFC 8017 §5.2.1 on an encoded message of the key's length, whatever it says.
    pub(crate) fn raw_private_operation(&self, encoded: &[u8]) -> Vec<u8> {
        let key = self.raw_key();
        let signature = BigUint::from_bytes_be(encoded).modpow(key.d(), key.n());
        left_padded(&signature, self.0.public.modulus().len())
    }

    /// The private key in PKCS#8, for a server of TLS.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.0.pkcs8
    }

    /// The public half.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.0.public
    }

    fn raw_key(&self) -> &RsaPrivateKey {
        self.0.raw.get_or_init(|| {
            RsaPrivateKey::from_pkcs8_der(&self.0.pkcs8)
                .expect("AWS-LC has parsed and checked the same bytes")
        })
    }
}

/// Shows the public name of the key and nothing of its material.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("kid", &self.0.kid)
            .field("origin", &self.0.origin)
            .finish_non_exhaustive()
    }
}

/// I2OSP of RFC 8017 §4.1, but a number that does not fit takes the bytes it needs.
pub(crate) fn left_padded(number: &BigUint, length: usize) -> Vec<u8> {
    let digits = number.to_bytes_be();
    let mut bytes = vec![0; length.saturating_sub(digits.len())];
    bytes.extend_from_slice(&digits);
    bytes
}

#[cfg(test)]
mod tests;
