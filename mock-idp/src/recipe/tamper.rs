//! The `tamper` list of a recipe: one way each to spoil a finished token.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Encryption;

/// One way to spoil a token. Applied in the recipe's order to the token's text.
///
/// As text, the name in kebab case, alone or as the one key of a table: `"empty-signature"`, `{ append = ".AAAA" }`.
/// A tamper that changes nothing, or that needs three parts and finds others, is an error of the recipe and not a token
/// that is silently good.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Tamper {
    /// Puts text after the token; placeholders are filled in.
    Append(String),
    /// Puts a zero byte after the signature's bytes.
    AppendZeroByte,
    /// Edits the payload as `claims` of a recipe does; the signature stays.
    ClaimsAfterSigning(Map<String, Value>),
    /// Takes this many characters off the end of the token.
    CutEnd(usize),
    /// Leaves out the header and its dot.
    DropHeaderPart,
    /// Leaves out the payload and its dot.
    DropPayloadPart,
    /// Leaves out the signature and its dot: two parts.
    DropSignaturePart,
    /// Leaves out the header; its dot stays.
    EmptyHeader,
    /// Leaves out the payload; its dots stay (the detached form of RFC 7515 appendix F).
    EmptyPayload,
    /// Leaves out the signature; its dot stays.
    EmptySignature,
    /// Makes an encrypted token of five parts of it, RFC 7516 §7.1.
    Encrypt(Encryption),
    /// Inverts one bit of the signature's bytes, counted from the most significant bit of the first byte.
    FlipSignatureBit(usize),
    /// Edits the header as `header` of a recipe does; the signature stays.
    HeaderAfterSigning(Map<String, Value>),
    /// Puts text into one part.
    Insert {
        /// The part.
        part: TokenPart,
        /// The text.
        text: String,
        /// The number of characters of the part that stay before it.
        at: usize,
    },
    /// Writes the token in a JSON serialization (RFC 7515 §7.2), which a JWT never is (RFC 7519 §1).
    JsonSerialization(JwsSerialization),
    /// Lower-cases every letter of the token.
    LowerCase,
    /// Pads the signature with `=` to a multiple of four characters (RFC 7515 §2 forbids it).
    PadBase64,
    /// The same for any part; a part that needs no padding gets four `=`.
    PadBase64Of(TokenPart),
    /// Puts the payload of another genuine token (another subject) in the place of this one's.
    PayloadOfOther,
    /// The polyglot of CVE-2022-39227: a flattened JSON serialization of the genuine token whose first member name
    /// reads, split at the dots, as a compact token with these claims changed.
    Polyglot(Map<String, Value>),
    /// Puts text before the token; placeholders are filled in.
    Prepend(String),
    /// Puts a zero byte before the signature's bytes.
    PrependZeroByte,
    /// Sends a text repeated instead of the token.
    Repeat {
        /// The text.
        text: String,
        /// How often. The product is bounded at 1 MiB.
        count: usize,
    },
    /// Sends this text instead; `{header}`, `{payload}` and `{signature}` are the token's parts, and the placeholders
    /// of a recipe are filled in.
    Replace(String),
    /// Sets the unused low bits of the signature's last character (RFC 4648 §3.5).
    SetTrailingBits,
    /// Signs the first two parts again as they now are, with the recipe's `sign`.
    SignAgain,
    /// Writes the signature in the standard alphabet: `+` and `/` instead of `-` and `_`.
    StandardBase64Alphabet,
    /// Swaps the case of every letter of the signature.
    SwapCaseOfSignature,
    /// Takes this many bytes off the end of the signature.
    TruncateSignature(usize),
    /// Puts the payload's own bytes in the place of its base64url text (RFC 7797 §5).
    UnencodedPayload,
}

/// A part of a compact JWS, RFC 7515 §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenPart {
    /// The first part.
    Header,
    /// The second part.
    Payload,
    /// The third part.
    Signature,
}

/// A JSON serialization of a JWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JwsSerialization {
    /// RFC 7515 §7.2.2.
    Flattened,
    /// RFC 7515 §7.2.1.
    General,
}
