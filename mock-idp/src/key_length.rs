//! RSA keys of other lengths than the issuer's 2,048 bits: two that RFC 7518 §3.3 forbids, and two that a verifier has to take.
//!
//! One of each for all issuers, and as little of a secret as every key here. Their primes stand in this file, because the search for
//! those of 4,096 bits takes seconds: each is the first prime from SHAKE256 of `authbench mock-idp rsa-BITS p` (or `q`) on, with
//! its two highest bits and its lowest set, less one no multiple of 65,537.

use std::sync::LazyLock;

use rsa::BigUint;
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::encoding::{base64url, from_hex};
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
        let (p, q) = self.primes();
        let number = |digits| {
            let bytes = from_hex(digits).expect("the primes of this file are hexadecimal");
            BigUint::from_bytes_be(&bytes)
        };
        RsaPrivateKey::from_p_q(number(p), number(q), BigUint::from(65_537_u32))
            .expect("65,537 has an inverse for the primes of this file")
    }

    fn primes(self) -> (&'static str, &'static str) {
        match self {
            Self::Bits512 => (
                "d18b77a5a4d9b3538fb05d12e90490b80f116865bab1ccfbce7c1508658eca81",
                "fb3eb72c0e147785d09d5a58a6686f62c9cf65a3375016e6e278024cbc38d581",
            ),
            Self::Bits1024 => (
                "e8fba30347b11de55a7ef989e15431d0ba8fb1d536b97ca47be689a0817a5d8293f1ab774209bd3d16995e48789df433\
             5a167ed6925b4274f39004f4a0ae97a1",
                "f57d8aea32aa3a15e083db012bf4ddfe8570bb8023d3c83983f4cf48a64279ec80bdfe917dde520c258ecd1063296251\
             ba9b59a6fe57e7372717860e27079527",
            ),
            Self::Bits3072 => (
                "e33c4ae734660ab7d4133d6b57e7d04dd8ddd229d33fcbbc0c842338c1b340e99c9706934b67a22018d94032bb62407f\
             89851ac480680b16244ff55833836c75ee217a6a4c28a36ea614ebbb7fc0ce22eaf2373b558089e9561c4ac87b0e3c2a\
             4e01a51945b4a18e2d02a4f4c0b85cb7c8d75e4e0fa01a7ce0afafddd0fb4b819d7b7a44620187579898bc3db261bed0\
             d53d373598f95207f2b0848cd4c18bc8a563fb9b767e4449857853da3683815a6378ddae3b7eebae88771cf8dcff8005",
                "de01a495f86d4d9cfe09fd57ae87403d6c55a726e0208a0363a6d9551b4406be828cfc2e68da8f5b40810724c60e7db0\
             c3c9a5c93de5c153e9170e6b63b2423d33f4480a967dcbd758404b6d63703a618974bedfb6b8251ec03d6ecef2b9bf20\
             b247082b0c31e2754566b28df25ef8aa8ad6b85910eccc21d6d4bdf60076f565715bc9766545aefdeac3f05fc2d5117f\
             2c07145d4dc679c34b3c3a7d159475d932793c1625e2643a6102268782dad623c42561f3dc6f57d60a401eeae16d019d",
            ),
            Self::Bits4096 => (
                "face861538740a650b35c1e4abcfd26f15aa62ffe188c34ff95ea2a1e18336e64da8ff613c8c12f9499e612321c22069\
             1991c929b1032d0582f3a71d184ce4070ef24b499711120beca6fbdea24485e5afef9835c29e63759f11651fca7ed1f8\
             c6e74f461f548a8c06ae4509d74a5d8c99a3ffb8933003be3a407fa3493685de24aeefa0a3de1b0fec6884172973b60d\
             9fea2c6cc5d17f32b210dfa499b7084136c53bec1d5ad79988581c8f8044bcd75605d9eb1ffe0168e90ce3b0893e7cd1\
             a6881af1026b02ccf0a42563224334f36da48317e102f0b4c1f67178285c50a611a77f28af1b070eead4d7049b986c06\
             be57ee2eea2480e18a40952bfbbf24eb",
                "ed6635da0024a284d0accb9c7379900aae062976892a46bf91e861980dfe595a251c415891e895c8a021697ef9589010\
             9e011601916e970508bc8bd97b41c6e8c259c419a4e4d3b1b938cdb43eb64fbb45a6480fab2bb1c4fe8b712de63a7087\
             43661549e5c289292e038b20b0503e12a72f59cfe2a671494e8904196173840f4e05e933e51779c96da0118765132aa5\
             59ad3a9ab7ec166f32469f46bc875200793f484f6e723d5c4f45a1f9ad44b9209ccb24fdc2530138188fb875014500ad\
             bcc6e1710d5a89fb63b2a7913e1a9fa34fcafeef5510462a3d160da02ac42e2164279f0b1eb3786fc70c863d0314d553\
             cda68b414efa91e9aaef4a3ce5618c73",
            ),
        }
    }
}
