//! RSA keys of other lengths than the issuer's 2,048 bits: two that RFC 7518 §3.3 forbids, and two that a verifier has to take.
//!
//! One of each for all issuers, and as little of a secret as every key here. They are made from a seed when they are needed:
//! SHA-512 of `authbench mock-idp rsa-BITS p 0` (or `q`), of the same with 1 and so on, end to end; its two highest bits and its
//! lowest set; and from there the first prime less one no multiple of 65,537. The search for that takes seconds at 4,096 bits,
//! so that the distances stand in this file.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA512, digest};
use rsa::BigUint;
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::encoding::base64url;
use crate::recipe::EncodedMessage;
use crate::signing_key::{emsa, left_padded};

/// The bits of a modulus, as a number in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub enum KeyLength {
    /// Can be factored in hours.
    Bits512,
    /// Half of what RFC 7518 §3.3 asks for.
    Bits1024,
    /// As strong as AES-128 (NIST SP 800-57 part 1, table 2).
    Bits3072,
    /// The longest that issuers use.
    Bits4096,
}

impl TryFrom<u16> for KeyLength {
    type Error = String;

    fn try_from(bits: u16) -> Result<Self, String> {
        match bits {
            512 => Ok(Self::Bits512),
            1024 => Ok(Self::Bits1024),
            3072 => Ok(Self::Bits3072),
            4096 => Ok(Self::Bits4096),
            _ => Err(format!(
                "there is no key of {bits} bits: there are 512, 1024, 3072 and 4096"
            )),
        }
    }
}

impl KeyLength {
    /// The public key as a JWK, under a `kid` of its length.
    pub(crate) fn public_jwk(self) -> Value {
        let key = self.key();
        json!({
            "kty": "RSA", "kid": self.kid(), "use": "sig", "alg": "RS256",
            "n": base64url(&key.n().to_bytes_be()), "e": base64url(&key.e().to_bytes_be()),
        })
    }

    /// RS256 (RFC 8017 §8.2.1) by the raw operation: no library signs with so small a key.
    pub(crate) fn sign(self, message: &[u8]) -> Vec<u8> {
        let key = self.key();
        let length = key.size();
        let encoded = emsa::pkcs1(EncodedMessage::Canonical, message, length);
        let signature = BigUint::from_bytes_be(&encoded).modpow(key.d(), key.n());
        left_padded(&signature, length)
    }

    /// `SubjectPublicKeyInfo` in DER.
    pub(crate) fn spki_der(self) -> Vec<u8> {
        let public = self.key().to_public_key();
        public
            .to_public_key_der()
            .expect("an RSA key of 512 to 4,096 bits is encoded")
            .into_vec()
    }

    fn kid(self) -> &'static str {
        match self {
            Self::Bits512 => "tiny-512",
            Self::Bits1024 => "small-1024",
            Self::Bits3072 => "large-3072",
            Self::Bits4096 => "large-4096",
        }
    }

    /// Few runs need them.
    fn key(self) -> &'static RsaPrivateKey {
        static KEYS: [LazyLock<RsaPrivateKey>; 4] = [
            LazyLock::new(|| KeyLength::Bits512.assembled()),
            LazyLock::new(|| KeyLength::Bits1024.assembled()),
            LazyLock::new(|| KeyLength::Bits3072.assembled()),
            LazyLock::new(|| KeyLength::Bits4096.assembled()),
        ];
        &KEYS[self as usize]
    }

    fn assembled(self) -> RsaPrivateKey {
        let (p, q) = self.distances();
        RsaPrivateKey::from_p_q(
            self.prime("p", p),
            self.prime("q", q),
            BigUint::from(65_537_u32),
        )
        .expect("65,537 has an inverse for primes that were chosen so")
    }

    fn bits(self) -> usize {
        match self {
            Self::Bits512 => 512,
            Self::Bits1024 => 1_024,
            Self::Bits3072 => 3_072,
            Self::Bits4096 => 4_096,
        }
    }

    fn prime(self, name: &str, distance: u32) -> BigUint {
        let bits = self.bits();
        seeded(&format!("rsa-{bits} {name}"), bits / 16) + BigUint::from(distance)
    }

    /// From the start of the search to the prime, for `p` and for `q`.
    fn distances(self) -> (u32, u32) {
        match self {
            Self::Bits512 => (724, 0),
            Self::Bits1024 => (708, 36),
            Self::Bits3072 => (1_438, 1_190),
            Self::Bits4096 => (1_640, 414),
        }
    }
}

/// Where the search for a prime of this name begins: an odd number of so many bytes.
pub(crate) fn seeded(name: &str, bytes: usize) -> BigUint {
    let blocks = (0..).flat_map(|number| {
        let seed = format!("authbench mock-idp {name} {number}");
        digest(&SHA512, seed.as_bytes()).as_ref().to_vec()
    });
    let mut start: Vec<u8> = blocks.take(bytes).collect();
    start[0] |= 0xc0;
    start[bytes - 1] |= 1;
    BigUint::from_bytes_be(&start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distances_lead_to_primes() {
        for length in [
            KeyLength::Bits512,
            KeyLength::Bits1024,
            KeyLength::Bits3072,
            KeyLength::Bits4096,
        ] {
            let key = length.key();
            key.validate()
                .unwrap_or_else(|error| panic!("{length:?}: {error}"));
            assert_eq!(key.n().bits(), length.bits(), "{length:?}");
        }
    }
}
