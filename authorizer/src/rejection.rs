//! The refusals: one variant for each rule that a credential can break.
//!
//! A refusal is a result of the verification, not a fault of the authorizer. Nothing here carries a byte of the token,
//! so a `Rejection` may be logged as it is.

use std::fmt;

/// Declares the variants with their reason codes and clauses in one table, so that a new rule is one entry.
macro_rules! rejections {
    ($($(#[$doc:meta])* $variant:ident => $code:literal, $clause:literal;)+) => {
        /// Why a credential was refused. The client sees the same `Unauthorized` for all of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        // As wide as a register: where an error is a single byte, every result that can hold it is copied in two pieces
        // that overlap, and the processor waits for each.
        #[repr(usize)]
pub enum Rejection {
            $($(#[$doc])* $variant,)+
        }

        impl Rejection {
            /// Every rejection.
            pub const ALL: &'static [Rejection] = &[$(Rejection::$variant),+];

            /// The stable reason code, in kebab-case, for logs and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Rejection::$variant => $code,)+ }
            }

            /// The clause that the credential breaks: an RFC section, or `policy` where the rule is this authorizer's own.
            pub const fn clause(self) -> &'static str {
                match self { $(Rejection::$variant => $clause,)+ }
            }
        }
    };
}

rejections! {
    /// `alg` names an algorithm that is not on the list of the settings, or one that there is not.
    AlgorithmNotAllowed => "algorithm-not-allowed", "RFC 8725 §3.1";
    /// `alg` is absent or not a string.
    AlgorithmMissing => "algorithm-missing", "RFC 7515 §4.1.1";
    /// `aud` is neither a string nor an array of strings, or `client_id` in its place no string.
    AudienceMalformed => "audience-malformed", "RFC 7519 §4.1.3";
    /// `aud` does not name the configured audience.
    AudienceMismatch => "audience-mismatch", "RFC 8725 §3.9";
    /// `aud` is absent.
    AudienceMissing => "audience-missing", "RFC 8725 §3.9";
    /// `b64` is present: a JWT never has an unencoded payload.
    B64Present => "b64-present", "RFC 7797 §7";
    /// The text after the scheme holds a space, a control character or a byte outside of ASCII.
    CredentialsMalformed => "credentials-malformed", "RFC 6750 §2.1";
    /// There is no credential: no `authorizationToken`, or nothing after the scheme.
    CredentialsMissing => "credentials-missing", "RFC 6750 §2.1";
    /// A claim that the issuer's kind of access token has is absent or not a string.
    ClaimMissing => "claim-missing", "policy";
    /// The request has more than one header field that may hold the credential.
    CredentialsRepeated => "credentials-repeated", "RFC 6750 §2";
    /// `crit` is present: this authorizer understands no extension.
    CritPresent => "crit-present", "RFC 7515 §4.1.11";
    /// `exp` is not a number, or a number beyond ±2^53.
    ExpiryMalformed => "expiry-malformed", "RFC 7519 §2";
    /// `exp` is absent.
    ExpiryMissing => "expiry-missing", "RFC 9068 §2.2";
    /// The time is on or after `exp`.
    Expired => "expired", "RFC 7519 §4.1.4";
    /// The header names a member twice.
    HeaderDuplicateName => "header-duplicate-name", "RFC 7515 §4";
    /// The header part is not base64url without padding.
    HeaderEncoding => "header-encoding", "RFC 7515 §2";
    /// The header is not UTF-8 or not JSON.
    HeaderNotJson => "header-not-json", "RFC 7515 §5.2";
    /// The header is JSON, but not an object.
    HeaderNotObject => "header-not-object", "RFC 7515 §5.2";
    /// The header is nested beyond the bound.
    HeaderTooDeep => "header-too-deep", "policy";
    /// The header part is longer than the bound.
    HeaderTooLarge => "header-too-large", "policy";
    /// The token is an ID token: it says who logged in, and grants nothing.
    IdToken => "id-token", "RFC 8725 §3.11";
    /// `iat` lies in the future beyond the leeway.
    IssuedInFuture => "issued-in-future", "policy";
    /// `iat` is not a number, or a number beyond ±2^53.
    IssuedAtMalformed => "issued-at-malformed", "RFC 7519 §4.1.6";
    /// `iss` is not a string.
    IssuerMalformed => "issuer-malformed", "RFC 7519 §4.1.1";
    /// `iss` is none of the configured issuers.
    IssuerMismatch => "issuer-mismatch", "RFC 8725 §3.8";
    /// `iss` is absent.
    IssuerMissing => "issuer-missing", "RFC 8725 §3.8";
    /// The token's key is not for the token's algorithm.
    KeyNotForAlgorithm => "key-not-for-algorithm", "RFC 8725 §3.1";
    /// Several keys of the set share the token's `kid`.
    KidAmbiguous => "kid-ambiguous", "RFC 7517 §4.5";
    /// `kid` is present but not a string.
    KidMalformed => "kid-malformed", "RFC 7515 §4.1.4";
    /// `kid` is absent and the set does not have exactly one usable key.
    KidMissing => "kid-missing", "RFC 7515 §6";
    /// No usable key of the issuer has the token's `kid`.
    KidUnknown => "kid-unknown", "RFC 7515 §6";
    /// The text does not have exactly three parts.
    NotThreeParts => "not-three-parts", "RFC 7515 §7.1";
    /// `nbf` is not a number, or a number beyond ±2^53.
    NotBeforeMalformed => "not-before-malformed", "RFC 7519 §4.1.5";
    /// The time is before `nbf`.
    NotYetValid => "not-yet-valid", "RFC 7519 §4.1.5";
    /// The payload names a member twice.
    PayloadDuplicateName => "payload-duplicate-name", "RFC 7519 §4";
    /// The payload part is not base64url without padding.
    PayloadEncoding => "payload-encoding", "RFC 7515 §2";
    /// The payload is not UTF-8 or not JSON.
    PayloadNotJson => "payload-not-json", "RFC 7519 §7.2";
    /// The payload is JSON, but not an object.
    PayloadNotObject => "payload-not-object", "RFC 7519 §7.2";
    /// The payload is nested beyond the bound.
    PayloadTooDeep => "payload-too-deep", "policy";
    /// Neither `sub` nor a client identifier names a principal.
    PrincipalMissing => "principal-missing", "policy";
    /// The authentication scheme is not `Bearer`.
    SchemeNotBearer => "scheme-not-bearer", "RFC 6750 §2.1";
    /// `scope` or `scp` is neither a string nor an array of scope tokens.
    ScopeMalformed => "scope-malformed", "RFC 9068 §2.2.3";
    /// The signature part is not base64url without padding.
    SignatureEncoding => "signature-encoding", "RFC 7515 §2";
    /// The signature is not one of the key over these bytes.
    SignatureInvalid => "signature-invalid", "RFC 7515 §5.2";
    /// The signature part is empty.
    SignatureMissing => "signature-missing", "RFC 8725 §3.2";
    /// `sub` is present but not a string with content.
    SubjectMalformed => "subject-malformed", "RFC 7519 §4.1.2";
    /// The token is longer than the bound.
    TokenTooLarge => "token-too-large", "policy";
    /// `typ` is present but not a string.
    TypeMalformed => "type-malformed", "RFC 7515 §4.1.9";
    /// `typ` names another kind of JWT than an access token.
    TypeNotAccessToken => "type-not-access-token", "RFC 8725 §3.11";
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.code(), self.clause())
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn reason_codes_are_distinct_and_kebab_case() {
        let codes: HashSet<_> = Rejection::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.len(), Rejection::ALL.len());
        for code in codes {
            assert!(
                code.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{code}"
            );
        }
    }
}
