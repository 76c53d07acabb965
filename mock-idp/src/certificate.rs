//! A self-signed X.509 certificate (RFC 5280 §4.1) of a test key: what an attacker puts into `x5c` or behind `x5u`.
//!
//! The least that parses: no extension, one common name, valid from 2020 to 2049.

/// DER tags (X.690 §8).
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0] EXPLICIT`, the place of the version.
const VERSION: u8 = 0xa0;

/// `AlgorithmIdentifier` of sha256WithRSAEncryption, RFC 4055 §5.
const SHA256_WITH_RSA: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00,
];

/// The object identifier of the common name, RFC 5280 appendix A.1.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

/// The certificate of a public key in DER; `sign` is RS256 with its private half.
pub(crate) fn self_signed(
    subject: &str,
    spki_der: &[u8],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let attribute = der(
        SEQUENCE,
        &[COMMON_NAME, &der(UTF8_STRING, subject.as_bytes())].concat(),
    );
    let name = der(SEQUENCE, &der(SET, &attribute));
    let validity = der(
        SEQUENCE,
        &[
            der(UTC_TIME, b"200101000000Z"),
            der(UTC_TIME, b"491231235959Z"),
        ]
        .concat(),
    );
    let fields = [
        // Version 3 is written as 2.
        &der(VERSION, &der(INTEGER, &[2])),
        &der(INTEGER, &[1]),
        SHA256_WITH_RSA,
        &name,
        &validity,
        &name,
        spki_der,
    ]
    .concat();
    let to_be_signed = der(SEQUENCE, &fields);
    // A signature has no unused bits at its end.
    let signature = [&[0][..], &sign(&to_be_signed)].concat();
    let parts = [
        &to_be_signed,
        SHA256_WITH_RSA,
        &der(BIT_STRING, &signature)[..],
    ]
    .concat();
    der(SEQUENCE, &parts)
}

/// One element with a definite length of up to 65,535 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("no certificate of a test key is so long");
    let [high, low] = length.to_be_bytes();
    let mut element = vec![tag];
    match (high, low) {
        (0, 0..=0x7f) => element.push(low),
        (0, _) => element.extend([0x81, low]),
        _ => element.extend([0x82, high, low]),
    }
    element.extend_from_slice(content);
    element
}
