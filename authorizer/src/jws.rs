//! The JWS Compact Serialization (RFC 7515 §7.1) and the header rules, up to but without the signature.
//!
//! A [`CompactJws`] is well formed and names the one allowed algorithm; nothing in it is trusted yet. It does not choose
//! a key and never follows one that the token brings along.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{
    Rejection,
    strict_json::{Member, ObjectFault, read_object},
};

/// Longest token that is looked at. API Gateway lets 10,240 bytes of headers through (API Gateway quotas), so no real
/// token reaches this bound; a caller that bypasses the gateway does.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Longest header part that is decoded. A header with `x5c` stays below 6 KiB; the rest of the token is for claims.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// The only algorithm. It comes from here and never from the token (RFC 8725 §3.1); names are case-sensitive
/// (RFC 7515 §4.1.1).
const ALGORITHM: &str = "RS256";

/// A token in the compact serialization whose header obeys every rule. The signature is not verified.
#[derive(Debug)]
pub struct CompactJws<'a> {
    signing_input: &'a str,
    kid: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> CompactJws<'a> {
    /// Takes the token apart and checks its form and its header.
    ///
    /// Other header members, `jwk`, `jku`, `x5u` and `x5c` among them, are ignored (RFC 7515 §4): a key that the token
    /// brings along proves nothing (RFC 8725 §3.10).
    pub fn parse(token: &'a str) -> Result<CompactJws<'a>, Rejection> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Rejection::TokenTooLarge);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Rejection::NotThreeParts)?;
        let (header, payload) = signing_input
            .split_once('.')
            .filter(|(_, payload)| !payload.contains('.'))
            .ok_or(Rejection::NotThreeParts)?;
        if header.len() > MAX_HEADER_BYTES {
            return Err(Rejection::HeaderTooLarge);
        }
        let kid = check_header(&decode(header, Rejection::HeaderEncoding)?)?;
        if signature.is_empty() {
            return Err(Rejection::SignatureMissing);
        }
        Ok(CompactJws {
            signing_input,
            kid,
            payload: decode(payload, Rejection::PayloadEncoding)?,
            signature: decode(signature, Rejection::SignatureEncoding)?,
        })
    }

    /// The `kid` of the header. Only ever compared with the issuer's keys.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The bytes under the signature (RFC 7515 §5.2 step 8).
    pub(crate) fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The payload before the signature is verified: good for deciding that a token is not worth a key fetch, and for
    /// nothing that grants anything.
    pub(crate) fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }
}

/// base64url without padding; padding, foreign characters and non-zero trailing bits are refused (RFC 7515 §2,
/// RFC 4648 §3.5).
fn decode(part: &str, rejection: Rejection) -> Result<Vec<u8>, Rejection> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| rejection)
}

/// Checks the header and returns its `kid`.
fn check_header(header: &[u8]) -> Result<Option<String>, Rejection> {
    let text = str::from_utf8(header).map_err(|_| Rejection::HeaderNotJson)?;
    let [alg, kid, typ, crit, b64] = read_object(text, &["alg", "kid", "typ", "crit", "b64"])
        .map_err(|fault| match fault {
            ObjectFault::DuplicateName => Rejection::HeaderDuplicateName,
            ObjectFault::NotAnObject => Rejection::HeaderNotObject,
            ObjectFault::NotJson => Rejection::HeaderNotJson,
            ObjectFault::TooDeep => Rejection::HeaderTooDeep,
        })?;
    match alg {
        Member::Text(alg) if alg == ALGORITHM => {}
        Member::Text(_) => return Err(Rejection::AlgorithmNotAllowed),
        _ => return Err(Rejection::AlgorithmMissing),
    }
    // No extension is understood, so every use of `crit` is one that must be refused, an empty or malformed one too.
    if crit != Member::Absent {
        return Err(Rejection::CritPresent);
    }
    if b64 != Member::Absent {
        return Err(Rejection::B64Present);
    }
    match typ {
        Member::Absent => {}
        Member::Text(typ) if is_access_token_type(&typ) => {}
        Member::Text(_) => return Err(Rejection::TypeNotAccessToken),
        _ => return Err(Rejection::TypeMalformed),
    }
    match kid {
        Member::Absent => Ok(None),
        Member::Text(kid) => Ok(Some(kid.into_owned())),
        _ => Err(Rejection::KidMalformed),
    }
}

/// Whether `typ` is `JWT` or `at+jwt`. Media types are compared without regard to case, and `application/` may be left
/// out (RFC 7515 §4.1.9, RFC 9068 §2.1). Any other explicit type is another kind of JWT, for example `logout+jwt`
/// (RFC 8725 §3.11).
fn is_access_token_type(typ: &str) -> bool {
    const PREFIX: &str = "application/";
    let subtype = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(PREFIX) => subtype,
        _ => typ,
    };
    subtype.eq_ignore_ascii_case("jwt") || subtype.eq_ignore_ascii_case("at+jwt")
}
