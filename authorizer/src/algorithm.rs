//! The signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1) and the list of those that are allowed.
//!
//! The list comes from the settings and never from the token (RFC 8725 §3.1). `none` and the HMAC algorithms are not
//! here: no setting can allow them.

use aws_lc_rs::{
    digest,
    signature::{self, RsaParameters, VerificationAlgorithm},
};

/// A signature algorithm that can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037 §3.1; RFC 9864 names it `Ed25519`, which is taken for the same).
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

/// What a key must be to serve an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// An octet key pair of the curve `Ed25519`.
    Ed25519,
    /// An elliptic curve key.
    Ec {
        /// `crv`.
        curve: &'static str,
        /// Bytes of a coordinate.
        coordinate_bytes: usize,
    },
    /// An RSA key.
    Rsa,
}

impl Algorithm {
    /// Every algorithm, in alphabetical order of the names.
    pub const ALL: [Algorithm; 9] = [
        Algorithm::EdDsa,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
    ];

    /// The algorithm of that name. Names are case-sensitive (RFC 7515 §4.1.1).
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Some(match name {
            // Looked at first: nearly every token has it.
            "RS256" => Algorithm::Rs256,
            "Ed25519" | "EdDSA" => Algorithm::EdDsa,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            "PS256" => Algorithm::Ps256,
            "PS384" => Algorithm::Ps384,
            "PS512" => Algorithm::Ps512,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            _ => return None,
        })
    }

    /// The name in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
        }
    }

    pub(crate) const fn key_kind(self) -> KeyKind {
        match self {
            Algorithm::EdDsa => KeyKind::Ed25519,
            Algorithm::Es256 => KeyKind::Ec {
                curve: "P-256",
                coordinate_bytes: 32,
            },
            Algorithm::Es384 => KeyKind::Ec {
                curve: "P-384",
                coordinate_bytes: 48,
            },
            _ => KeyKind::Rsa,
        }
    }

    /// The hash that is signed; `None` where the signature takes the message itself (RFC 8032 §5.1).
    pub(crate) fn hash(self) -> Option<&'static digest::Algorithm> {
        match self {
            Algorithm::EdDsa => None,
            Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256 => Some(&digest::SHA256),
            Algorithm::Es384 | Algorithm::Ps384 | Algorithm::Rs384 => Some(&digest::SHA384),
            Algorithm::Ps512 | Algorithm::Rs512 => Some(&digest::SHA512),
        }
    }

    /// The verification of an RSA algorithm: 2048 to 8192 bits in every case (RFC 7518 §3.3, §3.5).
    pub(crate) fn rsa_parameters(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => return None,
        })
    }

    /// The verification of an algorithm whose key is a point. JWS has ECDSA signatures as two numbers of fixed length, not
    /// as ASN.1 (RFC 7518 §3.4).
    pub(crate) fn point_verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match self {
            Algorithm::EdDsa => &signature::ED25519,
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            _ => return None,
        })
    }
}

/// A list of allowed algorithms with at least one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms(Vec<Algorithm>);

impl Algorithms {
    /// The list of these algorithms; `None` if it would be empty, which must mean neither "any" nor "none".
    pub fn new(list: impl IntoIterator<Item = Algorithm>) -> Option<Algorithms> {
        let mut algorithms = Vec::new();
        for algorithm in list {
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
        (!algorithms.is_empty()).then_some(Algorithms(algorithms))
    }

    /// Whether the algorithm is on the list.
    pub fn contains(&self, algorithm: Algorithm) -> bool {
        self.0.contains(&algorithm)
    }

    /// The algorithms in their order.
    pub fn iter(&self) -> impl Iterator<Item = Algorithm> + '_ {
        self.0.iter().copied()
    }
}

/// RS256 alone: what Auth0 and Okta sign with.
impl Default for Algorithms {
    fn default() -> Algorithms {
        Algorithms(vec![Algorithm::Rs256])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_found_by_its_exact_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            let other_case = algorithm.name().to_lowercase();
            assert_eq!(Algorithm::from_name(&other_case), None, "{other_case}");
            assert_ne!(
                algorithm.rsa_parameters().is_some(),
                algorithm.point_verification().is_some(),
                "{}",
                algorithm.name()
            );
        }
        for name in ["none", "None", "HS256", "HS512", "", "RS256 ", "ES256K"] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn an_empty_list_is_no_list() {
        assert_eq!(Algorithms::new([]), None);
        let twice = Algorithms::new([Algorithm::Es256, Algorithm::Es256]).expect("one entry");
        assert_eq!(twice.iter().collect::<Vec<_>>(), [Algorithm::Es256]);
    }
}
