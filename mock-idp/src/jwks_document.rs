//! The key sets that an issuer may publish, by name: the ordinary one, and those that a verifier must cope with.
//!
//! Pure functions of profile and keys. Which of them is served, and when, is the server's affair.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::encoding::base64url;
use crate::even_exponent;
use crate::key_length::KeyLength;
use crate::minter::IssuerKeys;
use crate::profile::IssuerProfile;
use crate::server::jwk_as_served;
use crate::signing_key::SigningKey;

/// Keys of [`JwksDocument::ManyKeys`] beside the signing key: some 900 kB, six times what API Gateway's own JWT
/// authorizer reads.
const MANY_KEYS: u16 = 2_000;

/// 16,384 bits, at which one verification takes some 64 times as long as at 2,048.
const HUGE_MODULUS_BYTES: usize = 2_048;

/// An exponent of 2,048 bits instead of 17: a verification of another hundredfold.
const HUGE_EXPONENT_BYTES: usize = 256;

/// The secret of the symmetric key in [`JwksDocument::Symmetric`], which whoever reads the set knows.
const SYMMETRIC_SECRET: &[u8] = b"a symmetric key that is published";

/// A point of P-256: the base point of FIPS 186-4 §D.1.2.3, in base64url.
const P256_X: &str = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY";
const P256_Y: &str = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";

/// A key set by name (RFC 7517 §5). The keys that it adds to the issuer's have these key ids: `{next_kid}`, `exponent-one`,
/// `exponent-three`, `exponent-two`, `huge-16k`, `large-3072`, `large-4096`, `small-1024`, `symmetric`, `tiny-512`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JwksDocument {
    /// The signing key, as the profile shows it.
    #[default]
    Default,
    /// The signing key, and the next one under the same `kid`.
    DuplicateKid,
    /// No key.
    Empty,
    /// The signing key, and its modulus again with an exponent of 1 under the `kid` `exponent-one`.
    ExponentOne,
    /// The signing key, and the modulus of the next with an exponent of 3 under the `kid` `exponent-three`.
    ExponentThree,
    /// The signing key, and one with an exponent of 2 under the `kid` `exponent-two`.
    ExponentTwo,
    /// The signing key with `x5c`, `x5t#S256`, `ext` and `key_ops`.
    ExtraMembers,
    /// The signing key, and one of 16,384 bits with an exponent of 2,048 bits.
    HugeKey,
    /// The signing key, and one of 3,072 bits.
    #[serde(rename = "key-of-3072-bits")]
    KeyOf3072Bits,
    /// The signing key, and one of 4,096 bits.
    #[serde(rename = "key-of-4096-bits")]
    KeyOf4096Bits,
    /// The signing key, and the next one with `key_ops` of `encrypt` alone.
    KeyOpsEncrypt,
    /// Two thousand other keys, and the signing key as the last.
    ManyKeys,
    /// The signing key among what no verifier knows: other kinds, members of wrong types, no key at all.
    OddKeys,
    /// The signing key, and the next one for RS512.
    OtherAlg,
    /// The signing key and the next one: before the issuer signs with it, and as long as old tokens live.
    Rotated,
    /// The next key alone, under the `kid` of the signing key.
    SameKid,
    /// An elliptic-curve key under the `kid` of the signing key, and then the signing key.
    SameKidOtherKind,
    /// The signing key, and one of 1,024 bits.
    SmallKey,
    /// The signing key, and a symmetric one.
    Symmetric,
    /// The signing key, and one of 512 bits.
    TinyKey,
    /// The signing key behind whole keys of other kinds, two of which no verifier knows yet.
    UnknownKinds,
    /// The signing key, and the next one for encryption.
    UseEnc,
    /// The next key alone.
    Withdrawn,
    /// The signing key by `kty`, `kid`, `n` and `e` alone.
    WithoutAlg,
}

impl JwksDocument {
    /// The JWK Set that an issuer of this profile publishes under this name. The attacker's key is in none of them.
    pub fn render(self, profile: &IssuerProfile, keys: &IssuerKeys) -> Value {
        json!({ "keys": self.keys(profile, keys) })
    }

    fn keys(self, profile: &IssuerProfile, keys: &IssuerKeys) -> Vec<Value> {
        let signing = || jwk_as_served(profile, &keys.signing);
        let next = || jwk_as_served(profile, &keys.next);
        let next_with = |member: &str, value: Value| {
            let mut key = bare(&keys.next);
            key[member] = value;
            key
        };
        match self {
            Self::Default => vec![signing()],
            Self::DuplicateKid => vec![signing(), renamed(next(), keys.signing.kid())],
            Self::Empty => Vec::new(),
            Self::ExponentOne => {
                let mut key = renamed(bare(&keys.signing), "exponent-one");
                key["e"] = json!("AQ");
                vec![signing(), key]
            }
            Self::ExponentThree => {
                let mut key = renamed(bare(&keys.next), "exponent-three");
                key["e"] = json!("Aw");
                vec![signing(), key]
            }
            Self::ExponentTwo => vec![signing(), even_exponent::public_jwk()],
            Self::ExtraMembers => vec![with_extra_members(signing(), &keys.signing)],
            Self::HugeKey => vec![signing(), huge()],
            Self::KeyOpsEncrypt => vec![signing(), next_with("key_ops", json!(["encrypt"]))],
            Self::ManyKeys => (0..MANY_KEYS)
                .map(|number| filler(next(), number))
                .chain([signing()])
                .collect(),
            Self::OddKeys => odd(next()).into_iter().chain([signing()]).collect(),
            Self::UnknownKinds => other_kinds().into_iter().chain([signing()]).collect(),
            Self::OtherAlg => vec![signing(), next_with("alg", json!("RS512"))],
            Self::Rotated => vec![signing(), next()],
            Self::SameKid => vec![renamed(next(), keys.signing.kid())],
            Self::SameKidOtherKind => vec![elliptic(keys.signing.kid()), signing()],
            Self::KeyOf3072Bits => vec![signing(), KeyLength::Bits3072.public_jwk()],
            Self::KeyOf4096Bits => vec![signing(), KeyLength::Bits4096.public_jwk()],
            Self::SmallKey => vec![signing(), KeyLength::Bits1024.public_jwk()],
            Self::TinyKey => vec![signing(), KeyLength::Bits512.public_jwk()],
            Self::Symmetric => vec![
                signing(),
                json!({"kty": "oct", "kid": "symmetric", "alg": "HS256", "k": base64url(SYMMETRIC_SECRET)}),
            ],
            Self::UseEnc => vec![signing(), next_with("use", json!("enc"))],
            Self::Withdrawn => vec![next()],
            Self::WithoutAlg => vec![bare(&keys.signing)],
        }
    }
}

/// What RFC 7518 §6.3.1 and RFC 7517 §4.5 leave when all that is optional is left out, but for `kid`.
fn bare(key: &SigningKey) -> Value {
    let full = key.public_jwk();
    json!({ "kty": full["kty"], "kid": full["kid"], "n": full["n"], "e": full["e"] })
}

fn renamed(mut key: Value, kid: &str) -> Value {
    key["kid"] = json!(kid);
    key
}

fn with_extra_members(mut shown: Value, key: &SigningKey) -> Value {
    shown["key_ops"] = json!(["verify"]);
    shown["ext"] = json!(true);
    shown["x5c"] = key.x5c();
    shown["x5t#S256"] = key.x5t_s256();
    shown
}

fn huge() -> Value {
    // Odd and of full length, and no secret: nobody can sign with it.
    let number = |length: usize| {
        let mut bytes = vec![0xa5; length];
        bytes[0] = 0xff;
        base64url(&bytes)
    };
    json!({
        "kty": "RSA", "kid": "huge-16k", "use": "sig", "alg": "RS256",
        "n": number(HUGE_MODULUS_BYTES), "e": number(HUGE_EXPONENT_BYTES),
    })
}

/// A key of its own number, whose modulus is a chain of digests.
fn filler(shape: Value, number: u16) -> Value {
    let mut modulus = Vec::with_capacity(256);
    for block in 0_u8..8 {
        let [high, low] = number.to_be_bytes();
        modulus.extend_from_slice(digest(&SHA256, &[high, low, block]).as_ref());
    }
    modulus[0] |= 0x80;
    modulus[255] |= 1;
    let mut key = renamed(shape, &format!("filler-{number}"));
    key["n"] = json!(base64url(&modulus));
    key
}

fn elliptic(kid: &str) -> Value {
    json!({"kty": "EC", "kid": kid, "use": "sig", "crv": "P-256", "alg": "ES256", "x": P256_X, "y": P256_Y})
}

/// RFC 7517 §5: what is not understood, lacks a member or is out of range is to be ignored.
fn odd(shape: Value) -> Vec<Value> {
    let mut private = renamed(shape.clone(), "odd-private");
    private["d"] = json!("AQAB");
    let mut wrong_types = renamed(shape, "odd-types");
    wrong_types["n"] = json!([1, 2, 3]);
    wrong_types["e"] = json!(65_537);
    let mut keys = other_kinds();
    keys.extend([
        json!({"kid": "odd-no-kty"}),
        json!({"kty": "RSA", "kid": "odd-no-modulus", "e": "AQAB"}),
        json!({"kty": "RSA", "kid": "odd-garbage", "n": "!!! not base64 !!!", "e": "AQAB"}),
        wrong_types,
        private,
    ]);
    keys
}

/// What issuers list beside RSA keys, and will (RFC 7517 §5: kinds that are not understood are to be ignored).
fn other_kinds() -> Vec<Value> {
    vec![
        elliptic("odd-ec"),
        json!({"kty": "OKP", "kid": "odd-okp", "crv": "Ed25519", "alg": "EdDSA",
               "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        json!({"kty": "AKP", "kid": "odd-akp", "alg": "ML-DSA-44", "pub": "AAAA"}),
        json!({"kty": "from-the-future", "kid": "odd-kind", "use": "sig"}),
    ]
}
