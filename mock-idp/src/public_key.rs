//! The public half of an RSA key in every form in which it is published, or taken for something else.

use aws_lc_rs::digest;
use rsa::pkcs1::{DecodeRsaPublicKey as _, EncodeRsaPublicKey as _};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPublicKey};
use serde_json::Value;

use crate::encoding::{base64, base64url, from_base64url, pem};
use crate::recipe::{PublicKeyForm, SpecialInteger};
use crate::signing_key::left_padded;

/// A modulus of 16,384 bits is the largest that any verifier takes.
const MODULUS_BYTES_MAX: usize = 2_048;

/// An RSA public key.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    spki_der: Vec<u8>,
    pkcs1_der: Vec<u8>,
}

impl PublicKey {
    /// Parses an `RSAPublicKey` (RFC 8017 §A.1.1). The error says what the bytes are not.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, &'static str> {
        let key = RsaPublicKey::from_pkcs1_der(der).map_err(|_| "not an RSA public key in DER")?;
        Self::new(&key)
    }

    /// Parses `n` and `e` of a JWK (RFC 7518 §6.3.1). The error says what it is not.
    pub(crate) fn from_jwk(jwk: &Value) -> Result<Self, &'static str> {
        let number = |name: &str| {
            let bytes = jwk
                .get(name)
                .and_then(Value::as_str)
                .and_then(from_base64url)?;
            Some(BigUint::from_bytes_be(&bytes))
        };
        let (Some(n), Some(e)) = (number("n"), number("e")) else {
            return Err("no RSA key: `n` and `e` are not both there in base64url");
        };
        let bits = 8 * MODULUS_BYTES_MAX;
        let key = RsaPublicKey::new_with_max_size(n, e, bits)
            .map_err(|_| "no RSA key that can be used: `n` or `e` is out of range")?;
        Self::new(&key)
    }

    fn new(key: &RsaPublicKey) -> Result<Self, &'static str> {
        let unfit = |_| "the public key cannot be encoded";
        Ok(Self {
            modulus: key.n().to_bytes_be(),
            exponent: key.e().to_bytes_be(),
            spki_der: key
                .to_public_key_der()
                .map_err(|_| "the public key cannot be encoded")?
                .into_vec(),
            pkcs1_der: key.to_pkcs1_der().map_err(unfit)?.into_vec(),
        })
    }

    /// The modulus, big-endian, without a leading zero.
    pub(crate) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The exponent, big-endian, without a leading zero.
    pub(crate) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// RSAEP of RFC 8017 §5.1.1 on an encoded message of the key's length.
    pub(crate) fn raw_public_operation(&self, encoded: &[u8]) -> Vec<u8> {
        let number = |bytes: &[u8]| BigUint::from_bytes_be(bytes);
        let power = number(encoded).modpow(&number(&self.exponent), &number(&self.modulus));
        left_padded(&power, self.modulus.len())
    }

    /// `SubjectPublicKeyInfo` in DER.
    pub(crate) fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// RFC 7638 with SHA-256, in base64url: 43 characters.
    pub(crate) fn thumbprint(&self) -> String {
        base64url(digest::digest(&digest::SHA256, self.canonical_jwk().as_bytes()).as_ref())
    }

    /// A signature that is a special integer (RFC 8017 §5.2.2 step 1 refuses most of them), given the genuine one.
    ///
    /// As long as the modulus, or one byte longer where `s + n` needs it.
    pub(crate) fn special_integer(
        &self,
        integer: SpecialInteger,
        genuine: impl FnOnce() -> Vec<u8>,
    ) -> Vec<u8> {
        let modulus = BigUint::from_bytes_be(&self.modulus);
        let value = match integer {
            SpecialInteger::Zero => BigUint::from(0_u8),
            SpecialInteger::One => BigUint::from(1_u8),
            SpecialInteger::NMinusOne => modulus - 1_u8,
            SpecialInteger::N => modulus,
            SpecialInteger::SPlusN => BigUint::from_bytes_be(&genuine()) + modulus,
        };
        left_padded(&value, self.modulus.len())
    }

    /// The key in one of the forms that a confused verifier may take for an HMAC secret.
    ///
    /// `as_served` is the JWK as the JWKS shows it.
    pub(crate) fn form(&self, form: PublicKeyForm, as_served: &Value) -> Vec<u8> {
        let spki = |line_end| pem("PUBLIC KEY", &self.spki_der, line_end);
        let pkcs1 = |line_end| pem("RSA PUBLIC KEY", &self.pkcs1_der, line_end);
        match form {
            PublicKeyForm::Jwk => as_served.to_string().into_bytes(),
            PublicKeyForm::JwkCanonical => self.canonical_jwk().into_bytes(),
            PublicKeyForm::N => base64url(&self.modulus).into_bytes(),
            PublicKeyForm::NBytes => self.modulus.clone(),
            PublicKeyForm::Pkcs1Der => self.pkcs1_der.clone(),
            PublicKeyForm::Pkcs1Pem => pkcs1("\n").into_bytes(),
            PublicKeyForm::Pkcs1PemCrlf => pkcs1("\r\n").into_bytes(),
            PublicKeyForm::Pkcs1PemLeadingNewline => format!("\n{}", pkcs1("\n")).into_bytes(),
            PublicKeyForm::Pkcs1PemNoNewline => pkcs1("\n").trim_end().as_bytes().to_vec(),
            PublicKeyForm::SpkiDer => self.spki_der.clone(),
            PublicKeyForm::SpkiPem => spki("\n").into_bytes(),
            PublicKeyForm::SpkiPemCrlf => spki("\r\n").into_bytes(),
            PublicKeyForm::SpkiPemLeadingNewline => format!("\n{}", spki("\n")).into_bytes(),
            PublicKeyForm::SpkiPemNoNewline => spki("\n").trim_end().as_bytes().to_vec(),
            PublicKeyForm::Ssh => self.ssh_text().into_bytes(),
        }
    }

    /// The members that RFC 7638 §3.2 requires of an RSA key, in its order and without white space (§3.3).
    fn canonical_jwk(&self) -> String {
        format!(
            r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
            base64url(&self.exponent),
            base64url(&self.modulus)
        )
    }

    /// RFC 4253 §6.6: `ssh-rsa` and base64 of the length-prefixed algorithm, exponent and modulus (as `mpint`s, which
    /// get a zero byte before a set top bit).
    fn ssh_text(&self) -> String {
        let mut blob = Vec::new();
        let mut push = |bytes: &[u8]| {
            let sign = usize::from(bytes.first().is_some_and(|byte| byte & 0x80 != 0));
            let length = u32::try_from(bytes.len() + sign)
                .expect("a field of a key of 16,384 bits at most is short");
            blob.extend_from_slice(&length.to_be_bytes());
            blob.extend(std::iter::repeat_n(0, sign));
            blob.extend_from_slice(bytes);
        };
        push(b"ssh-rsa");
        push(&self.exponent);
        push(&self.modulus);
        format!("ssh-rsa {}", base64(&blob))
    }
}
