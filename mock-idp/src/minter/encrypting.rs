//! Encrypted tokens (RFC 7516 §5.1): what a stranger makes with the issuer's public key, or with a password.
//!
//! Really encrypted: whoever has the key reads them. Whatever a library draws is derived from header and content.

use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{self, Algorithm};
use aws_lc_rs::key_wrap::{AES_128, AesKek, KeyWrap as _};
use aws_lc_rs::pbkdf2;
use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Map, Value, json};

use crate::encoding::{base64url, from_base64url};
use crate::fill::Bindings;
use crate::recipe::{EncryptedContent, Encryption, KeyEncryption};
use crate::signing_key::emsa::digest_of;
use crate::signing_key::oaep;

use super::Minter;
use super::tampering::{Obstacle, Parts};

/// RFC 7518 §4.8.1.1: the algorithm and a zero byte stand before the salt.
const PBES2: &str = "PBES2-HS256+A128KW";

/// RFC 7518 §4.8.1.1: eight bytes or more.
const SALT_BYTES: usize = 16;

/// The key of A128KW, RFC 7518 §4.4.
const WRAPPING_KEY_BYTES: usize = 16;

/// What key wrapping adds, RFC 3394 §2.2.1.
const WRAPPING_BYTES: usize = 8;

/// What is drawn elsewhere, from one seed.
struct Drawn {
    seed: Vec<u8>,
}

impl Drawn {
    fn from(header: &[u8], content: &[u8]) -> Self {
        let pieces = [b"authbench jwe\0", header, content];
        Self {
            seed: digest_of(&digest::SHA256, &pieces),
        }
    }

    /// Up to 32 bytes of one use.
    fn bytes(&self, usage: &str, length: usize) -> Vec<u8> {
        let mut bytes = digest_of(&digest::SHA256, &[&self.seed, usage.as_bytes()]);
        bytes.truncate(length);
        bytes
    }
}

impl Minter {
    /// The encrypted token in the compact serialization, RFC 7516 §7.1.
    pub(super) fn encrypted(
        &self,
        token: &str,
        encryption: &Encryption,
        bindings: &Bindings<'_>,
    ) -> Result<String, Obstacle> {
        let content = content(token, encryption)?;
        let drawn = Drawn::from(encryption.key.name().as_bytes(), &content);
        let salt = drawn.bytes("salt", SALT_BYTES);
        let mut header = Map::new();
        bindings.merge(&mut header, &header_of(encryption, &salt))?;
        bindings.merge(&mut header, &encryption.header)?;
        let protected = base64url(Value::Object(header).to_string().as_bytes());

        let content_key = drawn.bytes("key", AES_256_GCM.key_len());
        let encrypted_key = match &encryption.key {
            KeyEncryption::Pbes2 { password, rounds } => {
                let password = self.secret_bytes(password, bindings)?;
                wrapped(&content_key, &password, &salt, *rounds)
            }
            KeyEncryption::RsaOaep => {
                self.to_the_issuer(&digest::SHA1_FOR_LEGACY_USE_ONLY, &content_key, &drawn)?
            }
            KeyEncryption::RsaOaep256 => {
                self.to_the_issuer(&digest::SHA256, &content_key, &drawn)?
            }
        };
        let nonce = drawn.bytes("nonce", NONCE_LEN);
        let (ciphertext, tag) = sealed(content, &content_key, &nonce, protected.as_bytes());
        let parts = [&encrypted_key, &nonce, &ciphertext, &tag].map(|part| base64url(part));
        Ok(format!("{protected}.{}", parts.join(".")))
    }

    fn to_the_issuer(
        &self,
        hash: &'static Algorithm,
        content_key: &[u8],
        drawn: &Drawn,
    ) -> Result<Vec<u8>, Obstacle> {
        let (key, _) = self.public_key()?;
        let seed = drawn.bytes("oaep", hash.output_len());
        let encoded = oaep::encoded(hash, content_key, &seed, key.modulus().len());
        Ok(key.raw_public_operation(&encoded))
    }
}

impl KeyEncryption {
    /// `alg`, RFC 7518 §4.1.
    fn name(&self) -> &'static str {
        match self {
            Self::Pbes2 { .. } => PBES2,
            Self::RsaOaep => "RSA-OAEP",
            Self::RsaOaep256 => "RSA-OAEP-256",
        }
    }
}

/// The header but for what the recipe says of it; its placeholders are still to be filled in.
fn header_of(encryption: &Encryption, salt: &[u8]) -> Map<String, Value> {
    let mut header = Map::new();
    let mut put = |name: &str, value: Value| header.insert(name.to_owned(), value);
    put("alg", json!(encryption.key.name()));
    put("enc", json!("A256GCM"));
    put("typ", json!("JWT"));
    put("kid", json!("{kid}"));
    if encryption.content == EncryptedContent::Token {
        put("cty", json!("JWT"));
    }
    if encryption.deflate_mb.is_some() {
        put("zip", json!("DEF"));
    }
    if let KeyEncryption::Pbes2 { rounds, .. } = encryption.key {
        put("p2s", json!(base64url(salt)));
        put("p2c", json!(rounds));
    }
    header
}

fn content(token: &str, encryption: &Encryption) -> Result<Vec<u8>, Obstacle> {
    if encryption.content == EncryptedContent::Token {
        return Ok(token.as_bytes().to_vec());
    }
    let payload = from_base64url(Parts::of(token)?.payload)
        .ok_or(Obstacle::Unfit("needs a payload in base64url"))?;
    match encryption.deflate_mb {
        None => Ok(payload),
        Some(megabytes) => deflated(&payload, megabytes)
            .ok_or(Obstacle::Unfit("needs a payload that is a JSON object")),
    }
}

/// The object with a first member of so many MiB, deflated (RFC 1951); `None` for what is no object.
///
/// One MiB is deflated, and stands there again and again: behind a full flush every block can be read by itself.
fn deflated(payload: &[u8], megabytes: u16) -> Option<Vec<u8>> {
    let members = payload.strip_prefix(b"{")?;
    let mut deflate = Compress::new(Compression::best(), false);
    let head = block(&mut deflate, b"{\"padding\":\"", FlushCompress::Full);
    let filling = block(&mut deflate, &vec![b'x'; 1024 * 1024], FlushCompress::Full);
    let tail = [b"\",", members].concat();
    let tail = block(&mut deflate, &tail, FlushCompress::Finish);
    Some([head, filling.repeat(usize::from(megabytes)), tail].concat())
}

fn block(deflate: &mut Compress, bytes: &[u8], flush: FlushCompress) -> Vec<u8> {
    // RFC 1951 §3.2.4: what does not shrink grows by five bytes for each 64 KB.
    let mut block = Vec::with_capacity(bytes.len() + 1024);
    deflate
        .compress_vec(bytes, &mut block, flush)
        .expect("a stream of this function's own makes no error");
    block
}

/// RFC 7518 §4.8.
fn wrapped(content_key: &[u8], password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
    let salt = [PBES2.as_bytes(), &[0], salt].concat();
    let rounds = NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN);
    let mut wrapping_key = [0; WRAPPING_KEY_BYTES];
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, rounds, &salt, password, &mut wrapping_key);
    let mut wrapped = vec![0; content_key.len() + WRAPPING_BYTES];
    AesKek::new(&AES_128, &wrapping_key)
        .and_then(|key| key.wrap(content_key, &mut wrapped).map(drop))
        .expect("a key of 128 bits wraps one of 256 into eight bytes more");
    wrapped
}

/// RFC 7518 §5.3: ciphertext and tag.
fn sealed(content: Vec<u8>, key: &[u8], nonce: &[u8], aad: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let fits = "lengths are those of the algorithm";
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect(fits));
    let nonce = Nonce::try_assume_unique_for_key(nonce).expect(fits);
    let mut content = content;
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut content)
        .expect("far shorter than the algorithm's bound of 64 GB");
    (content, tag.as_ref().to_vec())
}
