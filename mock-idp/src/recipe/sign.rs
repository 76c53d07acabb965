//! The `sign` member of a recipe: who makes the signature, and how.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::encoding::from_hex;
use crate::key_length::KeyLength;

/// Who makes the signature, and how. The header's `alg` is not touched by it.
///
/// As text: `"issuer"`, `"attacker"`, `"attacker-ed25519"`, `"attacker-p256"`, `"next"`, `"none"`, `"small"`, `"exponent-one"`,
/// `"exponent-two"`, `"exponent-three"`, or a table: `{ hmac = "sha256", secret = "spki-pem" }`, `{ rsa = "pss-sha256" }`,
/// `{ rsa_bits = 3072 }`, `{ encoded = "no-digest-info" }`, `{ integer = "n-minus-one" }`, `{ bytes_hex = "00" }`,
/// `{ bytes_filled = 2048 }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Sign {
    /// RS256 with another RSA key; the header's `kid` stays.
    Attacker,
    /// `EdDSA` with an attacker's Ed25519 key (RFC 8037); the header's `kid` stays.
    AttackerEd25519,
    /// ES256 with an attacker's P-256 key (RFC 7518 §3.4); the header's `kid` stays.
    AttackerP256,
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// A raw RSA operation with the issuer's key over a hand-made encoding.
    Encoded(EncodedMessage),
    /// The encoded message itself, which a public exponent of 1 takes for its signature.
    ExponentOne,
    /// A cube root, which a public exponent of 3 takes for a signature where the padding's end is not looked at.
    ExponentThree,
    /// A square root by the key whose public exponent is 2, and as many blanks behind the payload as it takes to have one; the
    /// header's `kid` stays.
    ExponentTwo,
    /// A message authentication code, for key confusion (RFC 8725 §2.1).
    Hmac {
        /// The hash.
        hash: HmacHash,
        /// The key.
        secret: Secret,
    },
    /// A signature that is a special integer.
    Integer(SpecialInteger),
    /// RS256 with the issuer's key.
    #[default]
    Issuer,
    /// RS256 with the key that the issuer changes to; the header's `kid` stays.
    Next,
    /// The empty signature (RFC 7518 §3.6).
    None,
    /// RS256 with a key of another length; the header's `kid` stays.
    OfLength(KeyLength),
    /// Another RSA scheme with the issuer's key.
    Rsa(RsaScheme),
}

impl Sign {
    /// Whether nobody but the issuer can make it.
    pub(crate) fn takes_the_issuers_key(&self) -> bool {
        match self {
            Self::Encoded(_)
            | Self::Integer(SpecialInteger::SPlusN)
            | Self::Issuer
            | Self::Next
            | Self::Rsa(_) => true,
            Self::Attacker
            | Self::AttackerEd25519
            | Self::AttackerP256
            | Self::Bytes(_)
            | Self::ExponentOne
            | Self::ExponentThree
            | Self::ExponentTwo
            | Self::Hmac { .. }
            | Self::Integer(_)
            | Self::None
            | Self::OfLength(_) => false,
        }
    }
}

/// The hash of an HMAC, RFC 7518 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HmacHash {
    /// HS256.
    Sha256,
    /// HS384.
    Sha384,
    /// HS512.
    Sha512,
}

/// An RSA scheme other than RS256, RFC 7518 §3.3 and §3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RsaScheme {
    /// RS384.
    Pkcs1Sha384,
    /// RS512.
    Pkcs1Sha512,
    /// PS256. The salt is derived from the message, so that the token is deterministic.
    PssSha256,
}

/// What the raw RSA operation is applied to: EMSA-PKCS1-v1_5 (RFC 8017 §9.2), right or with one thing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodedMessage {
    /// The outer length in BER's long form (`30 81 31`).
    BerLongForm,
    /// Block type 00 instead of 01.
    #[serde(rename = "block-type-00")]
    BlockType00,
    /// Block type 02, which is that of encryption.
    #[serde(rename = "block-type-02")]
    BlockType02,
    /// Nothing wrong: equal to RS256, byte for byte.
    Canonical,
    /// 120 bytes of garbage as the algorithm's parameters (CVE-2022-24771).
    GarbageInParameters,
    /// Zeros first, then the block with the shortest padding (CVE-2021-30246).
    LeadingZeros,
    /// The `NULL` parameters left out (RFC 8017 §A.2.4).
    MissingNull,
    /// The bare hash.
    NoDigestInfo,
    /// One padding byte is `fe`.
    PaddingByteNotFf,
    /// SHA-1 of the signing input.
    Sha1DigestInfo,
    /// SHA-512 of the signing input.
    Sha512DigestInfo,
    /// Eight padding bytes, and garbage after the hash (CVE-2006-4339).
    #[serde(alias = "short-padding-garbage")]
    ShortPaddingTrailingGarbage,
}

/// A signature that is a number RFC 8017 §5.2.2 has something to say about; `n` is the modulus, `s` the genuine one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpecialInteger {
    /// The modulus: out of range.
    N,
    /// The largest number in range.
    NMinusOne,
    /// One, whose power is one.
    One,
    /// The genuine signature, not reduced: out of range.
    #[serde(rename = "s-plus-n")]
    SPlusN,
    /// Zero, whose power is zero.
    Zero,
}

/// The key of an HMAC.
///
/// As text: the name of a [`PublicKeyForm`], `"certificate-der"`, `"certificate-pem"`, `"empty"`, `"text:…"` (placeholders are
/// filled in) or `"hex:…"`.
#[derive(Clone, Debug, PartialEq)]
pub enum Secret {
    /// Exactly these bytes, none for `empty`.
    Bytes(Vec<u8>),
    /// The issuer's certificate in DER, as in `x5c`.
    CertificateDer,
    /// The same in PEM.
    CertificatePem,
    /// The issuer's public key in this form.
    PublicKey(PublicKeyForm),
    /// This text, its placeholders filled in.
    Text(String),
}

/// One of the forms in which a verifier may hold the issuer's public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublicKeyForm {
    /// The JWK as JSON, as the JWKS of the profile shows it.
    Jwk,
    /// The JWK as JSON in the form of RFC 7638 §3.
    JwkCanonical,
    /// The modulus in base64url, as in the JWK.
    N,
    /// The modulus as bytes, without a leading zero.
    NBytes,
    /// `RSAPublicKey` in DER.
    Pkcs1Der,
    /// `BEGIN RSA PUBLIC KEY` with a newline at its end.
    Pkcs1Pem,
    /// The same with CR LF.
    Pkcs1PemCrlf,
    /// The same after a newline (CVE-2026-34950).
    Pkcs1PemLeadingNewline,
    /// The same without the newline at its end.
    Pkcs1PemNoNewline,
    /// `SubjectPublicKeyInfo` in DER.
    SpkiDer,
    /// `BEGIN PUBLIC KEY` with a newline at its end.
    SpkiPem,
    /// The same with CR LF.
    SpkiPemCrlf,
    /// The same after a newline (CVE-2026-34950).
    SpkiPemLeadingNewline,
    /// The same without the newline at its end.
    SpkiPemNoNewline,
    /// The OpenSSH text without a comment.
    Ssh,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "certificate-der" => return Ok(Self::CertificateDer),
            "certificate-pem" => return Ok(Self::CertificatePem),
            "empty" => return Ok(Self::Bytes(Vec::new())),
            _ => {}
        }
        if let Some(literal) = text.strip_prefix("text:") {
            return Ok(Self::Text(literal.to_owned()));
        }
        if let Some(digits) = text.strip_prefix("hex:") {
            return from_hex(digits).map(Self::Bytes).ok_or_else(|| {
                D::Error::custom("`hex:` must be followed by pairs of hexadecimal digits")
            });
        }
        PublicKeyForm::deserialize(text.as_str().into_deserializer())
            .map(Self::PublicKey)
            .map_err(|error: serde::de::value::Error| {
                D::Error::custom(format!(
                    "{error}, or `certificate-der`, `certificate-pem`, `empty`, `text:…`, `hex:…`"
                ))
            })
    }
}

impl<'de> Deserialize<'de> for Sign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SignVisitor)
    }
}

/// What `bytes_filled` repeats: a number below any modulus of that length.
const FILLING: u8 = 0x5a;

struct SignVisitor;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignTable {
    hmac: Option<HmacHash>,
    secret: Option<Secret>,
    rsa: Option<RsaScheme>,
    rsa_bits: Option<KeyLength>,
    encoded: Option<EncodedMessage>,
    integer: Option<SpecialInteger>,
    bytes_hex: Option<String>,
    bytes_filled: Option<u16>,
}

impl<'de> Visitor<'de> for SignVisitor {
    type Value = Sign;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "`issuer`, `attacker`, `attacker-ed25519`, `attacker-p256`, `exponent-one`, `exponent-three`, `exponent-two`, \
             `next`, `none`, `small` or a table with one of `hmac` (and `secret`), `rsa`, `rsa_bits`, `encoded`, `integer`, \
             `bytes_hex`, `bytes_filled`",
        )
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Sign, E> {
        match name {
            "attacker" => Ok(Sign::Attacker),
            "attacker-ed25519" => Ok(Sign::AttackerEd25519),
            "attacker-p256" => Ok(Sign::AttackerP256),
            "exponent-one" => Ok(Sign::ExponentOne),
            "exponent-three" => Ok(Sign::ExponentThree),
            "exponent-two" => Ok(Sign::ExponentTwo),
            "issuer" => Ok(Sign::Issuer),
            "next" => Ok(Sign::Next),
            "none" => Ok(Sign::None),
            "small" => Ok(Sign::OfLength(KeyLength::Bits1024)),
            _ => Err(E::unknown_variant(
                name,
                &[
                    "attacker",
                    "attacker-ed25519",
                    "attacker-p256",
                    "exponent-one",
                    "exponent-three",
                    "exponent-two",
                    "issuer",
                    "next",
                    "none",
                    "small",
                ],
            )),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sign, A::Error> {
        let table = SignTable::deserialize(MapAccessDeserializer::new(map))?;
        let mac = match (table.hmac, table.secret) {
            (Some(hash), Some(secret)) => Some(Sign::Hmac { hash, secret }),
            (None, None) => None,
            _ => return Err(A::Error::custom("`hmac` and `secret` need each other")),
        };
        let bytes = match &table.bytes_hex {
            Some(digits) => Some(from_hex(digits).map(Sign::Bytes).ok_or_else(|| {
                A::Error::custom("`bytes_hex` must be pairs of hexadecimal digits")
            })?),
            None => None,
        };
        let mut given = [
            mac,
            table.rsa.map(Sign::Rsa),
            table.rsa_bits.map(Sign::OfLength),
            table.encoded.map(Sign::Encoded),
            table.integer.map(Sign::Integer),
            bytes,
            table
                .bytes_filled
                .map(|count| Sign::Bytes(vec![FILLING; usize::from(count)])),
        ]
        .into_iter()
        .flatten();
        match (given.next(), given.next()) {
            (Some(sign), None) => Ok(sign),
            _ => Err(A::Error::custom(
                "`sign` must have exactly one of `hmac` (with `secret`), `rsa`, `rsa_bits`, `encoded`, `integer`, \
                 `bytes_hex`, `bytes_filled`",
            )),
        }
    }
}
