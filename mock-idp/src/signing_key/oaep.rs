//! EME-OAEP, RFC 8017 §7.1.1: what the raw public operation is applied to, to encrypt.
//!
//! A library draws the seed; here it is an argument, so that the same recipe gives the same token.

use aws_lc_rs::digest::Algorithm;

use super::emsa::{digest_of, mgf1};

/// The encoded message of `length` bytes, with an empty label. `seed` is as long as the hash, and the message is at least
/// two hashes and two bytes shorter than `length`.
pub(crate) fn encoded(
    hash: &'static Algorithm,
    message: &[u8],
    seed: &[u8],
    length: usize,
) -> Vec<u8> {
    let mut block = digest_of(hash, &[]);
    block.resize(length - seed.len() - message.len() - 2, 0);
    block.push(0x01);
    block.extend_from_slice(message);
    mask(&mut block, &mgf1(hash, seed, length - seed.len() - 1));
    let mut masked_seed = seed.to_vec();
    mask(&mut masked_seed, &mgf1(hash, &block, seed.len()));
    [&[0][..], &masked_seed, &block].concat()
}

fn mask(bytes: &mut [u8], mask: &[u8]) {
    for (byte, mask) in bytes.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
