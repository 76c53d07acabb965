//! X.509 certificates (RFC 5280 §4.1) of test keys: what an attacker puts into `x5c` or behind `x5u`, and what a server of keys
//! shows over TLS.

use aws_lc_rs::digest;

/// DER tags (X.690 §8).
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0] EXPLICIT`, the place of the version.
const VERSION: u8 = 0xa0;
/// `[3] EXPLICIT`, that of the extensions.
const EXTENSIONS: u8 = 0xa3;
/// `[0] IMPLICIT` of an authority's key identifier, RFC 5280 §4.2.1.1.
const KEY_IDENTIFIER: u8 = 0x80;
/// `[2] IMPLICIT` and `[7] IMPLICIT` of a general name, RFC 5280 §4.2.1.6.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// `AlgorithmIdentifier` of sha256WithRSAEncryption, RFC 4055 §5.
const SHA256_WITH_RSA: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00,
];

/// Object identifiers of RFC 5280: the common name (appendix A.1), the extensions (§4.2.1), and what a server's key is for.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const SUBJECT_KEY: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x0f];
const SUBJECT_NAMES: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x13];
const AUTHORITY_KEY: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x23];
const EXTENDED_KEY_USAGE: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x25];
const SERVER_AUTHENTICATION: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

/// `keyCertSign` alone, and `digitalSignature` with `keyEncipherment`, RFC 5280 §4.2.1.3: unused bits, then the bits.
const SIGNS_CERTIFICATES: &[u8] = &[2, 0x04];
const SERVES: &[u8] = &[5, 0xa0];

/// From 2020 to 2049.
const VALID: [&[u8]; 2] = [b"200101000000Z", b"491231235959Z"];

/// The year 2020.
const OVER: [&[u8]; 2] = [b"200101000000Z", b"201231235959Z"];

/// A name and the key behind it.
#[derive(Clone, Copy)]
pub(crate) struct Party<'a> {
    /// The common name.
    pub(crate) name: &'a str,
    /// `SubjectPublicKeyInfo` in DER.
    pub(crate) spki_der: &'a [u8],
}

/// What is said of a server.
#[derive(Clone, Copy)]
pub(crate) struct ServerNames {
    /// Its name.
    pub(crate) dns: &'static str,
    /// Its address.
    pub(crate) ip: Option<[u8; 4]>,
    /// Whether the certificate is over.
    pub(crate) is_over: bool,
}

/// A self-signed certificate in DER; `sign` is RS256 with its private half. The least that parses: no extension.
pub(crate) fn self_signed(
    subject: &str,
    spki_der: &[u8],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let party = Party {
        name: subject,
        spki_der,
    };
    certificate(party, party, VALID, &[], sign)
}

/// The certificate of an authority that signs itself.
pub(crate) fn authority(party: Party<'_>, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let extensions = [
        extension(
            BASIC_CONSTRAINTS,
            true,
            &der(SEQUENCE, &der(BOOLEAN, &[0xff])),
        ),
        extension(KEY_USAGE, true, &der(BIT_STRING, SIGNS_CERTIFICATES)),
        extension(SUBJECT_KEY, false, &der(OCTET_STRING, &key_id(party))),
    ]
    .concat();
    certificate(party, party, VALID, &extensions, sign)
}

/// The certificate of a server; `sign` is RS256 with the issuer's private half.
pub(crate) fn server(
    subject: Party<'_>,
    issuer: Party<'_>,
    names: ServerNames,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let mut all_names = der(DNS_NAME, names.dns.as_bytes());
    if let Some(ip) = names.ip {
        all_names.extend(der(IP_ADDRESS, &ip));
    }
    let authority_key = der(SEQUENCE, &der(KEY_IDENTIFIER, &key_id(issuer)));
    let extensions = [
        extension(BASIC_CONSTRAINTS, true, &der(SEQUENCE, &[])),
        extension(KEY_USAGE, true, &der(BIT_STRING, SERVES)),
        extension(
            EXTENDED_KEY_USAGE,
            false,
            &der(SEQUENCE, SERVER_AUTHENTICATION),
        ),
        extension(SUBJECT_NAMES, false, &der(SEQUENCE, &all_names)),
        extension(SUBJECT_KEY, false, &der(OCTET_STRING, &key_id(subject))),
        extension(AUTHORITY_KEY, false, &authority_key),
    ]
    .concat();
    let validity = if names.is_over { OVER } else { VALID };
    certificate(subject, issuer, validity, &extensions, sign)
}

/// `extensions` is a list of them, or empty for none at all.
fn certificate(
    subject: Party<'_>,
    issuer: Party<'_>,
    validity: [&[u8]; 2],
    extensions: &[u8],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let validity = validity.map(|time| der(UTC_TIME, time)).concat();
    let mut fields = [
        // Version 3 is written as 2.
        &der(VERSION, &der(INTEGER, &[2])),
        &der(INTEGER, &[1]),
        SHA256_WITH_RSA,
        &name(issuer.name),
        &der(SEQUENCE, &validity),
        &name(subject.name),
        subject.spki_der,
    ]
    .concat();
    if !extensions.is_empty() {
        fields.extend(der(EXTENSIONS, &der(SEQUENCE, extensions)));
    }
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

fn name(common_name: &str) -> Vec<u8> {
    let attribute = [COMMON_NAME, &der(UTF8_STRING, common_name.as_bytes())].concat();
    der(SEQUENCE, &der(SET, &der(SEQUENCE, &attribute)))
}

fn extension(identifier: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if critical {
        der(BOOLEAN, &[0xff])
    } else {
        Vec::new()
    };
    let content = der(OCTET_STRING, content);
    der(SEQUENCE, &[identifier, &critical, &content].concat())
}

/// RFC 7093 §2 (4): any 20 bytes that are the key's own.
fn key_id(party: Party<'_>) -> Vec<u8> {
    let digest = digest::digest(&digest::SHA256, party.spki_der);
    digest.as_ref()[..20].to_vec()
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
