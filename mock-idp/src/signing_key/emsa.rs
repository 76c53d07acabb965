//! Encoded messages for the raw RSA operation: EMSA-PKCS1-v1_5 as RFC 8017 §9.2 has it, its known malformations, and
//! EMSA-PSS with a derived salt.
//!
//! No library builds the malformed ones, so all are made here byte by byte. The module knows no key.

use aws_lc_rs::digest::{self, Algorithm, digest};

use rsa::BigUint;

use super::left_padded;
use crate::recipe::EncodedMessage;

/// `AlgorithmIdentifier` with `NULL` parameters for id-sha256, RFC 8017 §9.2 note 1.
const SHA256_ALGORITHM: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
];
/// The same with the parameters left out, which RFC 8017 §A.2.4 asks verifiers of some signatures to accept.
const SHA256_ALGORITHM_WITHOUT_NULL: &[u8] = &[
    0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
];
/// `AlgorithmIdentifier` for id-sha512, RFC 8017 §9.2 note 1.
const SHA512_ALGORITHM: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
];
/// `AlgorithmIdentifier` for id-sha1, RFC 8017 §9.2 note 1.
const SHA1_ALGORITHM: &[u8] = &[
    0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00,
];
/// The object identifier alone.
const SHA256_OID: &[u8] = &[
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
];

/// DER tags.
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;

/// RFC 8017 §9.2 step 4: the padding has at least eight bytes; the forgeries use no more, to make room for themselves.
const SHORTEST_PADDING: usize = 8;

/// Room enough for the free bytes of a forgery (CVE-2022-24771), and its length still fits the short form of DER.
const PARAMETER_GARBAGE_BYTES: usize = 120;

/// The encoded message of `length` bytes for `message`, well-formed or with one thing wrong.
pub(crate) fn pkcs1(form: EncodedMessage, message: &[u8], length: usize) -> Vec<u8> {
    let hash = digest(&digest::SHA256, message);
    let genuine = digest_info(SHA256_ALGORITHM, hash.as_ref());
    match form {
        EncodedMessage::BerLongForm => {
            let mut info = vec![SEQUENCE, 0x81];
            info.extend_from_slice(&genuine[1..]);
            padded(0x01, &info, length)
        }
        EncodedMessage::BlockType00 => padded(0x00, &genuine, length),
        EncodedMessage::BlockType02 => padded(0x02, &genuine, length),
        EncodedMessage::Canonical => padded(0x01, &genuine, length),
        EncodedMessage::GarbageInParameters => {
            let mut algorithm = SHA256_OID.to_vec();
            algorithm.extend(der(OCTET_STRING, &[0xa5; PARAMETER_GARBAGE_BYTES]));
            let info = digest_info(&der(SEQUENCE, &algorithm), hash.as_ref());
            padded(0x01, &info, length)
        }
        EncodedMessage::LeadingZeros => {
            let block = short_block(&genuine);
            let mut encoded = vec![0; length - block.len()];
            encoded.extend_from_slice(&block);
            encoded
        }
        EncodedMessage::MissingNull => {
            let info = digest_info(SHA256_ALGORITHM_WITHOUT_NULL, hash.as_ref());
            padded(0x01, &info, length)
        }
        EncodedMessage::NoDigestInfo => padded(0x01, hash.as_ref(), length),
        EncodedMessage::PaddingByteNotFf => {
            let mut encoded = padded(0x01, &genuine, length);
            // The middle of the padding: beyond the first eight bytes, which a sloppy check may look at.
            encoded[length / 3] = 0xfe;
            encoded
        }
        EncodedMessage::Sha1DigestInfo => {
            let hash = digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message);
            padded(0x01, &digest_info(SHA1_ALGORITHM, hash.as_ref()), length)
        }
        EncodedMessage::Sha512DigestInfo => {
            let hash = digest(&digest::SHA512, message);
            padded(0x01, &digest_info(SHA512_ALGORITHM, hash.as_ref()), length)
        }
        EncodedMessage::ShortPaddingTrailingGarbage => {
            let mut encoded = short_block(&genuine);
            encoded.resize(length, 0xa5);
            encoded
        }
    }
}

/// A number of `length` bytes whose cube begins like an encoded message with the shortest padding: a signature for an
/// exponent of 3, to whoever does not look at what stands behind the hash (CVE-2006-4339). It takes no private key, and the
/// modulus is too large to matter.
pub(crate) fn cube_root_forgery(message: &[u8], length: usize) -> Vec<u8> {
    let hash = digest(&digest::SHA256, message);
    let mut highest = short_block(&digest_info(SHA256_ALGORITHM, hash.as_ref()));
    highest.resize(length, 0xff);
    let highest = BigUint::from_bytes_be(&highest);
    // The largest cube that is not above: two thirds of the bits are free, and cubes stand closer than that.
    let (mut low, mut above) = (
        BigUint::from(0_u8),
        BigUint::from(1_u8) << (highest.bits() / 3 + 1),
    );
    let one = BigUint::from(1_u8);
    while &above - &low > one {
        let middle: BigUint = (&low + &above) >> 1;
        if &middle * &middle * &middle > highest {
            above = middle;
        } else {
            low = middle;
        }
    }
    left_padded(&low, length)
}

/// EMSA-PSS-ENCODE of RFC 8017 §9.1.1 with SHA-256, MGF1 and a salt of the hash's length (RFC 7518 §3.5), for a modulus
/// of `8 * length` bits.
///
/// The salt is derived from the message instead of drawn, so that the same recipe gives the same token.
pub(crate) fn pss_sha256(message: &[u8], length: usize) -> Vec<u8> {
    const HASH: usize = 32;
    let message_hash = digest(&digest::SHA256, message);
    let salt = digest_of(
        &digest::SHA256,
        &[b"authbench pss salt\0", message_hash.as_ref()],
    );
    let hash = digest_of(&digest::SHA256, &[&[0; 8], message_hash.as_ref(), &salt]);

    let mut block = vec![0; length - 2 * HASH - 2];
    block.push(0x01);
    block.extend_from_slice(&salt);
    for (byte, mask) in block
        .iter_mut()
        .zip(mgf1(&digest::SHA256, &hash, length - HASH - 1))
    {
        *byte ^= mask;
    }
    // emBits is one less than the modulus has (§8.1.1), so the top bit is cleared.
    block[0] &= 0x7f;
    block.extend_from_slice(&hash);
    block.push(0xbc);
    block
}

/// RFC 8017 §B.2.1.
pub(super) fn mgf1(hash: &'static Algorithm, seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length + digest::MAX_OUTPUT_LEN);
    for counter in 0_u32.. {
        if mask.len() >= length {
            break;
        }
        mask.extend(digest_of(hash, &[seed, &counter.to_be_bytes()]));
    }
    mask.truncate(length);
    mask
}

pub(crate) fn digest_of(algorithm: &'static Algorithm, pieces: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(algorithm);
    for piece in pieces {
        context.update(piece);
    }
    context.finish().as_ref().to_vec()
}

/// `00 <block type> ff … ff 00 <content>`, filled up to `length`.
fn padded(block_type: u8, content: &[u8], length: usize) -> Vec<u8> {
    let mut encoded = vec![0x00, block_type];
    encoded.resize(length - content.len() - 1, 0xff);
    encoded.push(0x00);
    encoded.extend_from_slice(content);
    encoded
}

/// `00 01`, the shortest padding allowed, `00` and the content.
fn short_block(content: &[u8]) -> Vec<u8> {
    padded(0x01, content, 2 + SHORTEST_PADDING + 1 + content.len())
}

fn digest_info(algorithm: &[u8], hash: &[u8]) -> Vec<u8> {
    let mut content = algorithm.to_vec();
    content.extend(der(OCTET_STRING, hash));
    der(SEQUENCE, &content)
}

/// One DER element. The garbage form is the only one beyond 127 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("no element here has more than 255 bytes");
    let mut element = vec![tag];
    if length > 0x7f {
        element.push(0x81);
    }
    element.push(length);
    element.extend_from_slice(content);
    element
}
