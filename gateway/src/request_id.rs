//! Ids of requests and invocations: unique in this process, of the shapes that AWS uses.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keys that the standard library draws from the system's randomness once for each process.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// An id that is unique in this process. It identifies; it is no secret and is never used as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId(u128);

impl RequestId {
    pub(crate) fn next() -> Self {
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (KEYS.hash_one((count, 0_u8)), KEYS.hash_one((count, 1_u8)));
        Self(u128::from(high) << 64 | u128::from(low))
    }

    /// The form of `x-amzn-RequestId`: a version 4 UUID (RFC 9562 section 5.4).
    pub(crate) fn uuid(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let versioned = self.0 & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let mut text = String::with_capacity(36);
        for (index, byte) in versioned.to_be_bytes().iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
        }
        text
    }

    /// The form of `x-amz-apigw-id`: 15 characters of base64 and a padding.
    pub(crate) fn extended(self) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bytes = self.0.to_le_bytes();
        let mut text: String = bytes[..15]
            .iter()
            .map(|byte| char::from(DIGITS[usize::from(byte & 0x3f)]))
            .collect();
        text.push('=');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_the_shapes_of_aws() {
        let (a, b) = (RequestId::next(), RequestId::next());
        assert_ne!(a.uuid(), b.uuid());
        assert_ne!(a.extended(), b.extended());
        let uuid = a.uuid();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        assert_eq!(a.extended().len(), 16);
    }
}
