//! The one line that a refusal or a failure leaves in the function's log.
//!
//! It holds the reason code and a fingerprint by which an operator can find the token that a client complains about, and
//! never the token, a claim or a key. An Allow leaves no line.

use std::error::Error;

use aws_lc_rs::digest;
use serde::Serialize;

use crate::{AuthorizerError, CredentialSource, KeyError, event::AuthorizerEvent};

/// Bytes of the fingerprint that are shown: 64 bits tell the tokens of a log apart, and do not confirm a guess of a token
/// any better than the token's own signature does.
const FINGERPRINT_BYTES: usize = 8;

const KEYS_UNAVAILABLE: &str = "keys-unavailable";

/// The reason code of a Deny: the token is good, and lacks the scope.
pub(crate) const SCOPE_MISSING: &str = "scope-missing";

/// A failure as it is logged.
#[derive(Debug, Serialize)]
struct FailureRecord<'a> {
    level: &'static str,
    message: String,
    /// The issuer whose keys cannot be had, where no event is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    /// A stable code to filter and count by.
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clause: Option<&'a str>,
    /// The faults behind the message, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_sha256_8: Option<String>,
}

/// The log line, one JSON object without a line end, for a failure on `event`.
pub(crate) fn line(error: &AuthorizerError, event: &[u8], source: &CredentialSource) -> String {
    let (level, reason, clause) = match error {
        AuthorizerError::Answer(_) => ("ERROR", "answer-too-long", None),
        AuthorizerError::Event(_) => ("ERROR", "event-malformed", None),
        AuthorizerError::Keys(_) => ("ERROR", KEYS_UNAVAILABLE, None),
        AuthorizerError::Policy(_) => ("ERROR", "policy-too-long", None),
        AuthorizerError::Unauthorized(rejection) => {
            ("INFO", rejection.code(), Some(rejection.clause()))
        }
    };
    written(&FailureRecord {
        level,
        message: error.to_string(),
        issuer: None,
        reason,
        clause,
        causes: causes(error),
        token_sha256_8: fingerprint(event, source),
    })
}

/// The same for a Deny, which is an answer and no failure to Lambda.
pub(crate) fn denial(event: &[u8], source: &CredentialSource) -> String {
    written(&FailureRecord {
        level: "INFO",
        message: "Deny".to_owned(),
        issuer: None,
        reason: SCOPE_MISSING,
        clause: Some("RFC 6750 §3.1"),
        causes: Vec::new(),
        token_sha256_8: fingerprint(event, source),
    })
}

/// The same for an issuer whose keys cannot be had before the first event.
pub(crate) fn of_issuer(issuer: &str, error: &KeyError) -> String {
    written(&FailureRecord {
        level: "ERROR",
        message: error.to_string(),
        issuer: Some(issuer),
        reason: KEYS_UNAVAILABLE,
        clause: None,
        causes: causes(error),
        token_sha256_8: None,
    })
}

/// An error and the faults behind it as one text, for where there is room for one.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in causes(error) {
        // Some errors say their cause themselves.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn written(record: &FailureRecord<'_>) -> String {
    serde_json::to_string(record).expect("strings and nothing else always serialize")
}

fn causes(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes
}

/// The first bytes of the SHA-256 of the token, or of the whole header value where no token can be told from it.
fn fingerprint(event: &[u8], source: &CredentialSource) -> Option<String> {
    let event = AuthorizerEvent::parse(event).ok()?;
    let credential = event.credential(source).ok()??;
    let token = source.token(Some(&credential)).unwrap_or(&credential);
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    let first = hash.as_ref().first_chunk::<FINGERPRINT_BYTES>()?;
    Some(format!("{:016x}", u64::from_be_bytes(*first)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rejection;

    #[test]
    fn a_deny_has_its_reason_and_an_issuer_its_name() {
        let event = br#"{"type":"TOKEN","authorizationToken":"Bearer abc","methodArn":"x"}"#;
        assert_eq!(
            denial(event, &CredentialSource::default()),
            r#"{"level":"INFO","message":"Deny","reason":"scope-missing","clause":"RFC 6750 §3.1","token_sha256_8":"ba7816bf8f01cfea"}"#
        );
        assert_eq!(
            of_issuer("https://issuer.example/", &KeyError::Abandoned),
            r#"{"level":"ERROR","message":"the fetch of the signing keys was abandoned","issuer":"https://issuer.example/","reason":"keys-unavailable"}"#
        );
    }

    #[test]
    fn a_rejection_is_logged_by_code_and_fingerprint_only() {
        let event = br#"{"type":"TOKEN","authorizationToken":"Bearer abc","methodArn":"x"}"#;
        // The SHA-256 of "abc" is the example of FIPS 180-2, appendix B.1.
        assert_eq!(
            line(
                &AuthorizerError::Unauthorized(Rejection::Expired),
                event,
                &CredentialSource::default()
            ),
            r#"{"level":"INFO","message":"Unauthorized","reason":"expired","clause":"RFC 7519 §4.1.4","token_sha256_8":"ba7816bf8f01cfea"}"#
        );
    }
}
