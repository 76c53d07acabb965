//! The `encrypt` tamper of a recipe: an encrypted token (RFC 7516 §7.1), as anybody can make it who knows a public key.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Secret;

/// The most that is deflated into one token: bounded, so that a verifier without a bound is slow and not killed.
const DEFLATED_MB_MAX: u16 = 256;

/// Rounds that are really done for a password. What the header says is another matter.
const ROUNDS: u32 = 1_000;

/// Rounds at most, some milliseconds of them.
const ROUNDS_MAX: u32 = 100_000;

/// Makes an encrypted token of a finished one, with A256GCM (RFC 7518 §5.3).
///
/// As text: `{ alg = "RSA-OAEP", content = "payload" }`; further `header`, `deflate_mb` and, for a password, `password` and
/// `rounds`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "EncryptionText")]
pub struct Encryption {
    /// For whom it is encrypted.
    pub key: KeyEncryption,
    /// What is encrypted.
    pub content: EncryptedContent,
    /// Members merged into the header, which is protected as it then is.
    pub header: Map<String, Value>,
    /// So many MiB of one letter are put into the payload, which is deflated (`zip`, RFC 7516 §4.1.3).
    pub deflate_mb: Option<u16>,
}

/// How the content's key is encrypted, RFC 7518 §4.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyEncryption {
    /// `PBES2-HS256+A128KW`: a password.
    Pbes2 {
        /// The password.
        password: Secret,
        /// The rounds that are done; `p2c` unless `header` says otherwise.
        rounds: u32,
    },
    /// `RSA-OAEP`: the issuer's public key.
    RsaOaep,
    /// `RSA-OAEP-256`: the same with SHA-256.
    RsaOaep256,
}

/// What is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncryptedContent {
    /// The bytes of the payload: claims that nobody has signed.
    Payload,
    /// The whole token: a nested one (RFC 7519 §11.2), `cty` is `JWT`.
    Token,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncryptionText {
    alg: KeyAlgorithm,
    content: EncryptedContent,
    #[serde(default)]
    header: Map<String, Value>,
    deflate_mb: Option<u16>,
    password: Option<Secret>,
    rounds: Option<u32>,
}

#[derive(Deserialize)]
enum KeyAlgorithm {
    #[serde(rename = "PBES2-HS256+A128KW")]
    Pbes2,
    #[serde(rename = "RSA-OAEP")]
    RsaOaep,
    #[serde(rename = "RSA-OAEP-256")]
    RsaOaep256,
}

impl TryFrom<EncryptionText> for Encryption {
    type Error = String;

    fn try_from(text: EncryptionText) -> Result<Self, String> {
        if let Some(megabytes) = text.deflate_mb {
            if !(1..=DEFLATED_MB_MAX).contains(&megabytes) {
                return Err(format!(
                    "`deflate_mb` is {megabytes}; it takes 1 to {DEFLATED_MB_MAX}"
                ));
            }
            if text.content == EncryptedContent::Token {
                return Err("`deflate_mb` needs content = \"payload\"".to_owned());
            }
        }
        let key = match (text.alg, text.password, text.rounds) {
            (KeyAlgorithm::Pbes2, Some(password), rounds) => {
                let rounds = rounds.unwrap_or(ROUNDS);
                if !(1..=ROUNDS_MAX).contains(&rounds) {
                    return Err(format!(
                        "`rounds` is {rounds}; it takes 1 to {ROUNDS_MAX}: say more by header = {{ p2c = … }}"
                    ));
                }
                KeyEncryption::Pbes2 { password, rounds }
            }
            (KeyAlgorithm::Pbes2, None, _) => {
                return Err("PBES2-HS256+A128KW needs `password`".to_owned());
            }
            (KeyAlgorithm::RsaOaep, None, None) => KeyEncryption::RsaOaep,
            (KeyAlgorithm::RsaOaep256, None, None) => KeyEncryption::RsaOaep256,
            _ => return Err("`password` and `rounds` are for PBES2-HS256+A128KW".to_owned()),
        };
        Ok(Self {
            key,
            content: text.content,
            header: text.header,
            deflate_mb: text.deflate_mb,
        })
    }
}
