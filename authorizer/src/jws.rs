//! The JWS Compact Serialization (RFC 7515 §7.1) and the header rules, up to but without the signature.
//!
//! A [`CompactJws`] is well formed and names an algorithm that there is; nothing in it is trusted yet. It does not choose
//! a key and never follows one that the token brings along.

use std::{borrow::Cow, fmt, ops::Range};

use base64_simd::URL_SAFE_NO_PAD;

use crate::{
    Algorithm, Rejection, VerificationKey,
    rules::TokenType,
    strict_json::{Member, ObjectFault, Wanted, read_object},
};

/// Longest token that is looked at. API Gateway lets 10,240 bytes of headers through (API Gateway quotas), so no real
/// token reaches this bound; a caller that bypasses the gateway does.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Longest header part that is decoded. A header with `x5c` stays below 6 KiB; the rest of the token is for claims.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// The header parameters that some rule looks at.
static HEADER_NAMES: Wanted<5> = Wanted::new(["alg", "kid", "typ", "crit", "b64"]);

/// A token in the compact serialization whose header obeys every rule. The signature is not verified.
pub struct CompactJws<'a> {
    signing_input: &'a str,
    header: Header,
    /// The bytes of header, payload and signature: one buffer for all.
    decoded: Vec<u8>,
    payload: Range<usize>,
}

/// What the header says.
struct Header {
    algorithm: Algorithm,
    kid: Option<Kid>,
    token_type: TokenType,
}

enum Kid {
    /// Where it stands in the decoded bytes.
    At(Range<usize>),
    /// One that is written with escapes.
    Unescaped(String),
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
        let [header, payload, signature] = three_parts(token).ok_or(Rejection::NotThreeParts)?;
        let signing_input = &token[..header.len() + 1 + payload.len()];
        if header.len() > MAX_HEADER_BYTES {
            return Err(Rejection::HeaderTooLarge);
        }
        let mut decoded = Vec::with_capacity(token.len() / 4 * 3 + 3);
        decode(header, &mut decoded, Rejection::HeaderEncoding)?;
        let header = read_header(&decoded)?;
        if signature.is_empty() {
            return Err(Rejection::SignatureMissing);
        }
        let payload_start = decoded.len();
        decode(payload, &mut decoded, Rejection::PayloadEncoding)?;
        let payload = payload_start..decoded.len();
        decode(signature, &mut decoded, Rejection::SignatureEncoding)?;
        Ok(CompactJws {
            signing_input,
            header,
            decoded,
            payload,
        })
    }

    /// The `kid` of the header. Only ever compared with the issuer's keys.
    pub fn kid(&self) -> Option<&str> {
        match self.header.kid.as_ref()? {
            // The range is that of a text, so this is always one.
            Kid::At(range) => str::from_utf8(&self.decoded[range.clone()]).ok(),
            Kid::Unescaped(kid) => Some(kid),
        }
    }

    /// The `alg` of the header. Only ever compared with what the settings and the key allow.
    pub fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// Whether the signature is one of this key for the token's algorithm. Says nothing about the claims.
    pub fn is_signed_by(&self, key: &VerificationKey) -> bool {
        key.verifies(self.algorithm(), self.signing_input(), self.signature())
    }

    pub(crate) fn token_type(&self) -> TokenType {
        self.header.token_type
    }

    /// The bytes under the signature (RFC 7515 §5.2 step 8).
    fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    fn signature(&self) -> &[u8] {
        &self.decoded[self.payload.end..]
    }

    /// The payload before the signature is verified: good for finding the issuer and for refusing, and for nothing that
    /// grants anything.
    pub(crate) fn unverified_payload(&self) -> &[u8] {
        &self.decoded[self.payload.clone()]
    }
}

/// The token is a credential and stays out of every log.
impl fmt::Debug for CompactJws<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CompactJws")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

/// The parts of a text with exactly two dots.
fn three_parts(token: &str) -> Option<[&str; 3]> {
    let mut dots = memchr::memchr_iter(b'.', token.as_bytes());
    let (first, second) = (dots.next()?, dots.next()?);
    if dots.next().is_some() {
        return None;
    }
    Some([
        &token[..first],
        &token[first + 1..second],
        &token[second + 1..],
    ])
}

/// Appends what base64url without padding stands for; padding, foreign characters and non-zero trailing bits are refused
/// (RFC 7515 §2, RFC 4648 §3.5).
fn decode(part: &str, decoded: &mut Vec<u8>, rejection: Rejection) -> Result<(), Rejection> {
    URL_SAFE_NO_PAD
        .decode_append(part, decoded)
        .map_err(|_| rejection)
}

/// Reads the header and checks it as far as that needs no settings.
fn read_header(header: &[u8]) -> Result<Header, Rejection> {
    let text = str::from_utf8(header).map_err(|_| Rejection::HeaderNotJson)?;
    let [alg, kid, typ, crit, b64] =
        read_object(text, &HEADER_NAMES).map_err(|fault| match fault {
            ObjectFault::DuplicateName => Rejection::HeaderDuplicateName,
            ObjectFault::NotAnObject => Rejection::HeaderNotObject,
            ObjectFault::NotJson => Rejection::HeaderNotJson,
            ObjectFault::TooDeep => Rejection::HeaderTooDeep,
        })?;
    let algorithm = match alg {
        Member::Text(name) => Algorithm::from_name(&name).ok_or(Rejection::AlgorithmNotAllowed)?,
        _ => return Err(Rejection::AlgorithmMissing),
    };
    // No extension is understood, so every use of `crit` is one that must be refused, an empty or malformed one too.
    if crit != Member::Absent {
        return Err(Rejection::CritPresent);
    }
    if b64 != Member::Absent {
        return Err(Rejection::B64Present);
    }
    let token_type = match typ {
        Member::Absent => TokenType::Absent,
        Member::Text(typ) => token_type(&typ).ok_or(Rejection::TypeNotAccessToken)?,
        _ => return Err(Rejection::TypeMalformed),
    };
    let kid = match kid {
        Member::Absent => None,
        Member::Text(Cow::Borrowed(kid)) => {
            let start = kid.as_ptr().addr() - header.as_ptr().addr();
            Some(Kid::At(start..start + kid.len()))
        }
        Member::Text(Cow::Owned(kid)) => Some(Kid::Unescaped(kid)),
        _ => return Err(Rejection::KidMalformed),
    };
    Ok(Header {
        algorithm,
        kid,
        token_type,
    })
}

/// `JWT` or `at+jwt`. Media types are compared without regard to case, and `application/` may be left out (RFC 7515
/// §4.1.9, RFC 9068 §2.1). Any other explicit type is another kind of JWT, for example `logout+jwt` (RFC 8725 §3.11).
fn token_type(typ: &str) -> Option<TokenType> {
    const PREFIX: &str = "application/";
    let subtype = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(PREFIX) => subtype,
        _ => typ,
    };
    if subtype.eq_ignore_ascii_case("jwt") {
        Some(TokenType::Jwt)
    } else if subtype.eq_ignore_ascii_case("at+jwt") {
        Some(TokenType::AccessToken)
    } else {
        None
    }
}
