//! One RSA key of the issuer: ordinary signatures on AWS-LC, the raw private operation, and its published form.
//!
//! Owns the key material. It does not choose what is signed; hand-made encodings are in [`emsa`].

pub(crate) mod emsa;

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, KeyPair as _, RsaKeyPair};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};

use crate::certificate;
use crate::encoding::{base64, base64url, pem};
use crate::recipe::{PublicKeyForm, SpecialInteger};

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
    spki_der: Vec<u8>,
    pkcs1_der: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
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
        let pkcs1_der = signer.public_key().as_ref().to_vec();
        let spki_der = signer
            .public_key()
            .as_der()
            .map_err(|_| "the public key cannot be encoded")?
            .as_ref()
            .to_vec();
        let public = rsa::pkcs1::RsaPublicKey::try_from(pkcs1_der.as_slice())
            .map_err(|_| "the public key cannot be decoded")?;
        let modulus = public.modulus.as_bytes().to_vec();
        let exponent = public.public_exponent.as_bytes().to_vec();
        let kid = thumbprint(&modulus, &exponent);
        Ok(Self(Arc::new(Inner {
            signer,
            raw: OnceLock::new(),
            pkcs8,
            spki_der,
            pkcs1_der,
            modulus,
            exponent,
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
            "n": base64url(&self.0.modulus),
            "e": base64url(&self.0.exponent),
        })
    }

    /// The public key as SPKI in PEM (RFC 7468 §13), for verifiers that read no key set.
    pub fn public_key_pem(&self) -> String {
        pem("PUBLIC KEY", &self.0.spki_der, "\n")
    }

    /// A self-signed certificate of the key in DER. Made once: the signature takes 0.3 ms.
    pub(crate) fn certificate(&self) -> &[u8] {
        self.0.certificate.get_or_init(|| {
            certificate::self_signed("authbench test key", &self.0.spki_der, |message| {
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
        left_padded(&signature, self.0.modulus.len())
    }

    /// A signature that is a special integer (RFC 8017 §5.2.2 step 1 refuses most of them).
    ///
    /// As long as the modulus, or one byte longer where `s + n` needs it.
    pub(crate) fn special_integer(&self, integer: SpecialInteger, message: &[u8]) -> Vec<u8> {
        let modulus = BigUint::from_bytes_be(&self.0.modulus);
        let value = match integer {
            SpecialInteger::Zero => BigUint::from(0_u8),
            SpecialInteger::One => BigUint::from(1_u8),
            SpecialInteger::NMinusOne => modulus - 1_u8,
            SpecialInteger::N => modulus,
            SpecialInteger::SPlusN => BigUint::from_bytes_be(&self.sign_rs256(message)) + modulus,
        };
        left_padded(&value, self.0.modulus.len())
    }

    /// The public key in one of the forms that a confused verifier may take for an HMAC secret.
    ///
    /// `as_served` is the JWK as the JWKS shows it.
    pub(crate) fn public_form(&self, form: PublicKeyForm, as_served: &Value) -> Vec<u8> {
        let key = &self.0;
        let spki = |line_end| pem("PUBLIC KEY", &key.spki_der, line_end);
        let pkcs1 = |line_end| pem("RSA PUBLIC KEY", &key.pkcs1_der, line_end);
        match form {
            PublicKeyForm::Jwk => as_served.to_string().into_bytes(),
            PublicKeyForm::JwkCanonical => canonical_jwk(&key.modulus, &key.exponent).into_bytes(),
            PublicKeyForm::N => base64url(&key.modulus).into_bytes(),
            PublicKeyForm::NBytes => key.modulus.clone(),
            PublicKeyForm::Pkcs1Der => key.pkcs1_der.clone(),
            PublicKeyForm::Pkcs1Pem => pkcs1("\n").into_bytes(),
            PublicKeyForm::Pkcs1PemCrlf => pkcs1("\r\n").into_bytes(),
            PublicKeyForm::Pkcs1PemLeadingNewline => format!("\n{}", pkcs1("\n")).into_bytes(),
            PublicKeyForm::Pkcs1PemNoNewline => pkcs1("\n").trim_end().as_bytes().to_vec(),
            PublicKeyForm::SpkiDer => key.spki_der.clone(),
            PublicKeyForm::SpkiPem => spki("\n").into_bytes(),
            PublicKeyForm::SpkiPemCrlf => spki("\r\n").into_bytes(),
            PublicKeyForm::SpkiPemLeadingNewline => format!("\n{}", spki("\n")).into_bytes(),
            PublicKeyForm::SpkiPemNoNewline => spki("\n").trim_end().as_bytes().to_vec(),
            PublicKeyForm::Ssh => self.ssh_text().into_bytes(),
        }
    }

    /// RFC 4253 §6.6: `ssh-rsa` and base64 of the length-prefixed algorithm, exponent and modulus (as `mpint`s, which
    /// get a zero byte before a set top bit).
    fn ssh_text(&self) -> String {
        let mut blob = Vec::new();
        let mut push = |bytes: &[u8]| {
            let sign = usize::from(bytes.first().is_some_and(|byte| byte & 0x80 != 0));
            let length =
                u32::try_from(bytes.len() + sign).expect("a field of a 2048-bit key is short");
            blob.extend_from_slice(&length.to_be_bytes());
            blob.extend(std::iter::repeat_n(0, sign));
            blob.extend_from_slice(bytes);
        };
        push(b"ssh-rsa");
        push(&self.0.exponent);
        push(&self.0.modulus);
        format!("ssh-rsa {}", base64(&blob))
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

/// The members that RFC 7638 §3.2 requires of an RSA key, in its order and without white space (§3.3).
fn canonical_jwk(modulus: &[u8], exponent: &[u8]) -> String {
    format!(
        r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
        base64url(exponent),
        base64url(modulus)
    )
}

fn thumbprint(modulus: &[u8], exponent: &[u8]) -> String {
    let canonical = canonical_jwk(modulus, exponent);
    base64url(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
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
