//! The text encodings of JOSE and PEM that this crate writes: base64url, hexadecimal, PEM.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// base64url without padding, RFC 7515 §2.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a base64url text without padding; `None` for anything else.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The standard alphabet with padding, RFC 4648 §4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a padded text in the standard alphabet; `None` for anything else.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The bytes that pairs of hexadecimal digits stand for; `None` for an odd count or another character.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some((hex_digit(pair[0])? << 4) | hex_digit(pair[1])?))
        .collect()
}

/// The value of one hexadecimal digit.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A PEM text as OpenSSL writes it (RFC 7468 §3): lines of 64 characters, each ended by `line_end`, the last one too.
pub(crate) fn pem(label: &str, der: &[u8], line_end: &str) -> String {
    const LINE: usize = 64;
    let body = base64(der);
    let mut text = format!("-----BEGIN {label}-----{line_end}");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push_str(line_end);
        rest = tail;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----");
    text.push_str(line_end);
    text
}
