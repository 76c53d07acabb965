//! The one line that a failure leaves in the function's log.
//!
//! It holds the reason code and a fingerprint by which an operator can find the token that a client complains about, and
//! never the token, a claim or a key. An answered event leaves no line.

use std::error::Error;

use aws_lc_rs::digest;
use serde::Serialize;

use crate::{AuthorizerError, CredentialSource, event::AuthorizerEvent};

/// Bytes of the fingerprint that are shown: 64 bits tell the tokens of a log apart, and do not confirm a guess of a token
/// any better than the token's own signature does.
const FINGERPRINT_BYTES: usize = 8;

/// A failure as it is logged.
#[derive(Debug, Serialize)]
struct FailureRecord<'a> {
    level: &'static str,
    message: String,
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
        AuthorizerError::Event(_) => ("ERROR", "event-malformed", None),
        AuthorizerError::Keys(_) => ("ERROR", "keys-unavailable", None),
        AuthorizerError::Policy(_) => ("ERROR", "policy-too-long", None),
        AuthorizerError::Unauthorized(rejection) => {
            ("INFO", rejection.code(), Some(rejection.clause()))
        }
    };
    let record = FailureRecord {
        level,
        message: error.to_string(),
        reason,
        clause,
        causes: causes(error),
        token_sha256_8: fingerprint(event, source),
    };
    serde_json::to_string(&record).expect("strings and nothing else always serialize")
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
